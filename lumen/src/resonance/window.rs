//! Windows of wall time, in which nothing acts on what is found.

use resonetics_runs::Error;
use serde::{Deserialize, Serialize};

/// The longest window, in hours: 90 days.
const MOST_HOURS: u64 = 90 * 24;

/// The last hours or days up to now: `W24h`, `W7d`; typed also `24h`, `7d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    name: String,
    seconds: u64,
}

impl Window {
    /// The window of a name.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is none from 1h to 90d.
    pub fn parse(text: &str) -> Result<Window, Error> {
        Window::known(text).ok_or_else(|| {
            Error::Refused(format!(
                "`{text}` is no window; allowed: a number of hours or days, such as 24h or 7d, from 1h to 90d"
            ))
        })
    }

    fn known(text: &str) -> Option<Window> {
        let name = text.strip_prefix('W').unwrap_or(text);
        let hours_a_unit = match name.bytes().last()? {
            b'h' => 1,
            b'd' => 24,
            _ => return None,
        };
        let digits = &name[..name.len() - 1];
        // A name is written in one way, since it becomes a label.
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let hours = digits.parse::<u64>().ok()?.checked_mul(hours_a_unit)?;
        (1..=MOST_HOURS).contains(&hours).then(|| Window { name: format!("W{name}"), seconds: hours * 3600 })
    }

    /// `W24h`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long it is.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seconds as f64
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Window, String> {
        Window::parse(&text).map_err(|error| error.to_string())
    }
}

impl From<Window> for String {
    fn from(window: Window) -> String {
        window.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_hours_or_days() {
        let seconds = |text: &str| Window::parse(text).ok().map(|window| window.seconds());
        assert_eq!(
            (seconds("W24h"), seconds("24h"), seconds("1d")),
            (Some(86400.0), Some(86400.0), Some(86400.0))
        );
        assert_eq!(
            (seconds("W7d"), seconds("90d"), seconds("2160h")),
            (Some(604_800.0), Some(7_776_000.0), Some(7_776_000.0))
        );
        for bad in [
            "",
            "W",
            "h",
            "0h",
            "024h",
            "91d",
            "-1h",
            "24",
            "24m",
            "+1h",
            "1.5h",
            "99999999999999999999d",
            "é",
        ] {
            assert!(Window::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Window::parse("7d").unwrap().name(), "W7d");
    }
}
