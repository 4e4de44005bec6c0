//! What the terminal shows, and what keys change of it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use resonetics_view::scene::Scene;

use crate::view::show::RATES;

/// The past that is kept for the curves, in steps: a whole garden by the rules.
pub(super) const PAST: usize = 2000;

/// What the terminal shows.
pub(super) struct View {
    pub(super) title: String,
    pub(super) scene: Scene,
    /// Of each trend, the oldest first.
    pub(super) past: [Vec<f64>; 3],
    pub(super) paused: bool,
    /// Position in [`RATES`].
    pub(super) rate: usize,
}

/// What a key asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    Nothing,
    Step,
    Suspend,
    Quit,
}

impl View {
    pub(super) fn new(title: String, scene: Scene) -> View {
        let past = scene.trends.map(|(_, share)| vec![share]);
        View { title, scene, past, paused: false, rate: 3 }
    }

    pub(super) fn show(&mut self, scene: Scene) {
        for (past, (_, share)) in self.past.iter_mut().zip(scene.trends) {
            if past.len() == PAST {
                past.remove(0);
            }
            past.push(share);
        }
        self.scene = scene;
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Wish {
        match key.code {
            _ if key.kind == KeyEventKind::Release => {}
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Wish::Quit,
            KeyCode::Char('z') if key.modifiers.contains(KeyModifiers::CONTROL) => return Wish::Suspend,
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('s') | KeyCode::Right => {
                self.paused = true;
                return Wish::Step;
            }
            KeyCode::Char('+' | '=') => self.rate = (self.rate + 1).min(RATES.len() - 1),
            KeyCode::Char('-') => self.rate = self.rate.saturating_sub(1),
            _ => {}
        }
        Wish::Nothing
    }
}
