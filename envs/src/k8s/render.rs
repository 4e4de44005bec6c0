//! The cluster as text.

use std::fmt::Write;

use crate::env::Env;
use crate::k8s::environment::K8sEnv;

impl K8sEnv {
    /// The cluster as ANSI text: a node a cell, `cpu/memory` in percent, the agent in brackets, `!`
    /// behind a node of the highest priority; green, yellow above 50% and red above 80% of
    /// either. Without colours where `colour` is false.
    pub fn render(&self, colour: bool) -> String {
        let state = self.state();
        let config = self.config();
        let mut text = String::new();
        for row in 0..config.height {
            for col in 0..config.width {
                let node = row * config.width + col;
                let (cpu, memory) = (state.cpu[node], state.memory[node]);
                let worst = cpu.max(memory);
                let code = if worst > 0.8 {
                    31
                } else if worst > 0.5 {
                    33
                } else {
                    32
                };
                let (open, close) = if state.agent == [row, col] { ('[', ']') } else { (' ', ' ') };
                let critical = if state.priority[node] > config.critical_priority as f32 { '!' } else { ' ' };
                let cell = format!("{open}{:>3.0}/{:>3.0}{critical}{close}", cpu * 100.0, memory * 100.0);
                // Writing to a String cannot fail.
                let _ =
                    if colour { write!(text, "\x1b[{code}m{cell}\x1b[0m") } else { write!(text, "{cell}") };
            }
            text.push('\n');
        }
        let load = 100.0 * Env::info(self).avg_load;
        let _ = writeln!(text, "load {load:.1}%  budget {:.1}/{}", state.budget, config.max_budget);
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::k8s::{K8sConfig, K8sEnv, K8sState};

    #[test]
    fn draws_every_node_and_the_agent() {
        let mut env = K8sEnv::new(K8sConfig { height: 3, width: 5, ..K8sConfig::default() });
        let state = K8sState { agent: [1, 3], ..env.state() };
        env.set_state(&state).unwrap();
        let plain = env.render(false);
        assert_eq!(plain.lines().count(), 4);
        assert_eq!(plain.matches('/').count(), 16);
        assert_eq!(plain.matches('[').count(), 1);
        let line = plain.lines().nth(1).unwrap();
        assert_eq!(line.find('['), Some(3 * 10), "{line}");
        assert!(env.render(true).contains("\x1b[32m"));
    }
}
