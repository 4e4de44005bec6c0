//! Programs that are measured, and what they print.

use serde_json::Value;

/// What one run of a program measured, of one thing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    /// What it is called if the program measures several.
    pub(super) label: String,
    /// Steps a second.
    pub(super) rate: f64,
}

/// The field of a JSON object that has to be a number above zero: a rate.
pub(super) fn json_rate(text: &str, field: &str) -> Result<f64, String> {
    let value: Value = serde_json::from_str(text.trim())
        .map_err(|error| format!("expected a JSON object with `{field}`, got `{}`: {error}", text.trim()))?;
    value[field]
        .as_f64()
        .filter(|rate| *rate > 0.0)
        .ok_or_else(|| format!("expected a number above 0 in `{field}`, got `{}`", text.trim()))
}

/// `gymnasium_k8s.py measure`: a JSON object.
pub(super) fn json_measured(text: &str) -> Result<Vec<Measured>, String> {
    let rate = json_rate(text, "steps_per_second")?;
    Ok(vec![Measured { label: String::new(), rate }])
}

/// A line such as `C scalar: 2.42M steps/s one core, mean episode return 28.61, mean len 480.9`.
pub(super) fn c_measured(text: &str) -> Result<Vec<Measured>, String> {
    let rate = text.lines().find_map(millions).ok_or_else(|| {
        format!("expected a line such as `C scalar: 2.42M steps/s …`, got `{}`", text.trim())
    })?;
    Ok(vec![Measured { label: String::new(), rate }])
}

/// A line for each generator of random numbers, such as
/// `JAX rbg N=4096: 0.170M steps/s, return/episode 28.60`.
pub(super) fn jax_measured(text: &str) -> Result<Vec<Measured>, String> {
    let of_line = |line: &str| {
        let label = line.strip_prefix("JAX ")?.split(' ').next()?.to_owned();
        Some(Measured { label, rate: millions(line)? })
    };
    let measured: Vec<_> = text.lines().filter_map(of_line).collect();
    if measured.is_empty() {
        return Err(format!(
            "expected lines such as `JAX rbg N=4096: 0.170M steps/s, return/episode 28.60`, got `{}`",
            text.trim()
        ));
    }
    Ok(measured)
}

/// The rate in `… 2.42M steps/s …`.
fn millions(line: &str) -> Option<f64> {
    let before = line.split("M steps/s").next().filter(|before| before.len() < line.len())?;
    let rate: f64 = before.rsplit(' ').next()?.parse().ok()?;
    (rate > 0.0).then_some(rate * 1e6)
}

/// What random actions earn in a cluster, the mean over whole games.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Game {
    pub(super) earned: f64,
    pub(super) steps: f64,
}

impl Game {
    /// From a line with these two names before the two numbers; none if a number is missing or no number.
    pub(super) fn of(line: &str, earned: &str, steps: &str) -> Option<Game> {
        let behind = |name: &str| -> Option<f64> {
            let number: f64 = line.split_once(name)?.1.split([',', ' ', '\n']).next()?.parse().ok()?;
            number.is_finite().then_some(number)
        };
        Some(Game { earned: behind(earned)?, steps: behind(steps)? })
    }

    /// Whether it is that of docs/RULES.md, 28.6 in 480 steps, as far as some hundreds of games tell;
    /// `benches/peers/gymnasium_k8s.py` allows the same.
    pub(super) fn is_ours(self) -> bool {
        (self.earned - 28.6).abs() <= 1.5 && (self.steps - 480.0).abs() <= 15.0
    }
}

/// The count in callgrind's `==1== Collected : 12345`.
pub(super) fn collected(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_c_is_in_millions() {
        let text = "C scalar: 2.42M steps/s one core, mean episode return 28.61, mean len 480.9\n";
        assert_eq!(c_measured(text), Ok(vec![Measured { label: String::new(), rate: 2.42e6 }]));
        for wrong in ["", "C scalar: steps/s", "M steps/s", "C scalar: 0.00M steps/s", "nanM steps/s"] {
            assert!(c_measured(wrong).unwrap_err().contains("expected a line such as"), "{wrong}");
        }
    }

    #[test]
    fn a_game_is_ours_or_another() {
        let game = |line: &str| Game::of(line, "return ", "len ");
        let ours = game("C scalar: 2.42M steps/s, mean episode return 28.61, mean len 480.9\n").unwrap();
        assert_eq!(ours, Game { earned: 28.61, steps: 480.9 });
        assert!(ours.is_ours());
        for another in ["return 22.1, len 480", "return 28.6, len 386.0", "return 30.2, len 480"] {
            assert!(!game(another).unwrap().is_ours(), "{another}");
        }
        // A run too short for any episode to end.
        assert_eq!(game("mean episode return -nan, mean len inf"), None);
        assert_eq!(game("C scalar: 2.42M steps/s"), None);
    }

    #[test]
    fn jax_has_a_line_for_each_generator() {
        let text = "a warning\nJAX threefry2x32 N=4096: 0.150M steps/s, return/episode 28.50\n\
                    JAX rbg N=4096: 0.170M steps/s, return/episode nan\n";
        let measured = jax_measured(text).unwrap();
        let names: Vec<_> = measured.iter().map(|one| (one.label.as_str(), one.rate)).collect();
        assert_eq!(names, [("threefry2x32", 150_000.0), ("rbg", 170_000.0)]);
        assert!(jax_measured("Traceback").unwrap_err().contains("`Traceback`"));
    }

    #[test]
    fn a_rate_in_json_is_above_zero() {
        let text = "{\"steps_per_second\": 12.5, \"mean_return\": null}\n";
        assert_eq!(json_rate(text, "steps_per_second"), Ok(12.5));
        assert_eq!(json_measured(text).unwrap()[0].rate, 12.5);
        assert!(json_rate(text, "mean_return").unwrap_err().contains("`mean_return`"));
        assert!(json_rate("{\"rate\": 0}", "rate").unwrap_err().contains("above 0"));
        assert!(json_rate("Traceback", "rate").unwrap_err().contains("`Traceback`"));
    }

    #[test]
    fn callgrind_says_how_many_instructions() {
        let text = "==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(text), Some(123_456.0));
        assert_eq!(collected("==7== Events    : Ir"), None);
    }
}
