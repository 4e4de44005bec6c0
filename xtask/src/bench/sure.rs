//! A training whose policy has become sure beside one with the default settings: probabilities, gradients and
//! moments that fade must not slow it down.

use std::process::Command;

use super::options::Options;
use super::outside::json_rate;
use super::stats::{Pairs, interval};
use super::tools::Tools;
use crate::workspace::answer;

/// So large a rate drives probabilities below 1e-38 within a few updates; it stays there.
pub(super) const SURE: &str = "throughput --train --set train.schedule=fixed --set train.learning_rate=0.3 --set train.learning_rate_final=0.3";
const USUAL: &str = "throughput --train";
/// Slower than this beside the default settings it must not be.
const LEAST: f64 = 0.95;

/// Measures both in turns and writes a table.
///
/// # Errors
/// Also if even the upper end of the ratio's interval is below [`LEAST`].
pub(super) fn measure(tools: &Tools, options: &Options) -> Result<(), String> {
    let rate = |arguments: &str| {
        let mut command = Command::new(&tools.binary);
        command.args(["--threads", "1"]).args(arguments.split(' '));
        command.args(["--seconds", &options.seconds.to_string()]);
        answer(&mut command).and_then(|text| json_rate(&text, "training_steps_per_second"))
    };
    let mut pairs = Pairs::default();
    for _ in 0..options.pairs {
        let usual = rate(USUAL)?;
        pairs.rates.push((rate(SURE)?, usual));
    }
    println!("   {}", pairs.listed());
    tools.record("sure.md", &format!("{}\n`{}`\n\n{}", table(&pairs), options.shown(), tools.about()))?;
    verdict(&pairs)
}

fn table(pairs: &Pairs) -> String {
    format!(
        "# Training speed of a near-deterministic policy\n\nSteps a second of a training on one thread, learning rate 0.3, \
         whose policy takes some actions no more, beside one with the default settings.\n\n\
         | sure, steps/s | default, steps/s | ratio | 95% | pairs |\n|---|---|---|---|---|\n| {} |\n",
        pairs.cells()
    )
}

fn verdict(pairs: &Pairs) -> Result<(), String> {
    let (_, high) = interval(&pairs.ratios());
    if high < LEAST {
        return Err(format!(
            "a training with a sure policy is slower than the default by more than 5%: {high:.3}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_fade_and_slow_a_training_are_an_error() {
        let pairs = |ratio: f64| Pairs { rates: vec![(1000.0 * ratio, 1000.0); 5] };
        verdict(&pairs(0.96)).unwrap();
        assert!(verdict(&pairs(0.2)).unwrap_err().contains("more than 5%: 0.200"));
        assert!(table(&pairs(0.98)).contains("| 980 | 1,000 | **0.980** | 0.980 to 0.980 | 5 |"));
    }
}
