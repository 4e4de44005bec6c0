//! Recorded traces (RULES.md: the formats and tolerances), replayed through the production rules.

pub mod brain;
pub mod gardener;
pub mod k8s;
pub mod kernel;
pub mod prophet;

use prophet::Section;
use resonetics_envs::config::ConfigError;
use resonetics_runs::setup::Setup;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The largest deviation of each field, in the order in which fields were first compared.
#[derive(Debug, Default)]
pub struct Deviations {
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    /// Largest absolute difference; for exact fields the number of values that differ.
    largest: f64,
    tolerance: f64,
}

impl Deviations {
    /// Compares a number; NaN on one side only deviates by infinity.
    pub fn number(&mut self, name: &'static str, tolerance: f64, found: f64, expected: f64) {
        let difference = (found - expected).abs();
        let same = found.to_bits() == expected.to_bits();
        let difference = if same {
            0.0
        } else if difference.is_nan() {
            f64::INFINITY
        } else {
            difference
        };
        let field = self.field(name, tolerance);
        field.largest = field.largest.max(difference);
    }

    /// Compares numbers one by one; another count deviates by infinity.
    pub fn numbers(&mut self, name: &'static str, tolerance: f64, found: &[f32], expected: &[f32]) {
        if found.len() != expected.len() {
            self.field(name, tolerance).largest = f64::INFINITY;
        }
        for (&found, &expected) in found.iter().zip(expected) {
            self.number(name, tolerance, found.into(), expected.into());
        }
    }

    /// Counts values that are not equal.
    pub fn exact<T: PartialEq>(&mut self, name: &'static str, found: &T, expected: &T) {
        let field = self.field(name, 0.0);
        field.largest += f64::from(u8::from(found != expected));
    }

    fn field(&mut self, name: &'static str, tolerance: f64) -> &mut Field {
        let position = self.fields.iter().position(|field| field.name == name);
        let position = position.unwrap_or_else(|| {
            self.fields.push(Field { name, largest: 0.0, tolerance });
            self.fields.len() - 1
        });
        &mut self.fields[position]
    }

    /// Whether every field is within its tolerance.
    pub fn within_tolerance(&self) -> bool {
        !self.fields.is_empty() && self.fields.iter().all(|field| field.largest <= field.tolerance)
    }

    /// The field that is off by the most tolerances, by name.
    pub fn worst(&self) -> Option<&'static str> {
        let excess = |field: &Field| field.largest / field.tolerance.max(f64::MIN_POSITIVE);
        let worst = self.fields.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
        worst.map(|field| field.name)
    }

    /// The fields as {name: largest deviation}; infinity is null.
    fn json(&self, of: fn(&Field) -> f64) -> Value {
        let fields = self.fields.iter().map(|field| (field.name.to_owned(), json!(of(field))));
        Value::Object(fields.collect::<Map<String, Value>>())
    }
}

/// How a trace, or a section of one, compares.
pub struct Compared {
    /// Steps, generations, rows or cases compared.
    pub steps: usize,
    /// How far off they are.
    pub deviations: Deviations,
}

impl Compared {
    /// What `replay` prints of it.
    fn json(&self) -> Map<String, Value> {
        let fields = [
            ("steps", json!(self.steps)),
            ("within_tolerance", json!(self.deviations.within_tolerance())),
            ("deviation", self.deviations.json(|field| field.largest)),
            ("tolerance", self.deviations.json(|field| field.tolerance)),
        ];
        fields.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
    }
}

/// What a replay found.
pub struct Replay {
    /// The rules that the trace was recorded under.
    rules: String,
    found: Found,
}

enum Found {
    Whole(Compared),
    Sections(Vec<Section>),
}

impl Replay {
    /// One JSON object; a section in it reads like a replay of its own.
    pub fn json(&self, trace: &str) -> Value {
        let mut fields = Map::new();
        fields.insert("trace".to_owned(), json!(trace));
        fields.insert("rules".to_owned(), json!(self.rules));
        match &self.found {
            Found::Whole(compared) => fields.extend(compared.json()),
            Found::Sections(sections) => {
                let compared = sections.iter().filter_map(|section| section.outcome.as_ref().ok());
                let steps = compared.map(|compared| compared.steps).sum::<usize>();
                fields.insert("steps".to_owned(), json!(steps));
                fields.insert("within_tolerance".to_owned(), json!(self.problem().is_none()));
                let sections = sections.iter().map(|section| {
                    let value = match &section.outcome {
                        Ok(compared) => Value::Object(compared.json()),
                        Err(problem) => json!({ "within_tolerance": false, "problem": problem }),
                    };
                    (section.name.clone(), value)
                });
                fields.insert("sections".to_owned(), Value::Object(sections.collect()));
            }
        }
        Value::Object(fields)
    }

    /// What is wrong, if anything is: of a trace in sections, with the first of them that is.
    pub fn problem(&self) -> Option<String> {
        let problem = |compared: &Compared| {
            let field = compared.deviations.worst().unwrap_or("nothing");
            let text = format!("deviates by more than the tolerance, {field} the most");
            (!compared.deviations.within_tolerance()).then_some(text)
        };
        match &self.found {
            Found::Whole(compared) => problem(compared),
            Found::Sections(sections) => {
                sections.iter().find_map(|Section { name, outcome }| match outcome {
                    Ok(compared) => problem(compared).map(|problem| format!("section {name} {problem}")),
                    Err(problem) => Some(format!("section {name}: {problem}")),
                })
            }
        }
    }
}

/// Replays the text of any trace.
///
/// # Errors
/// What is wrong with the text: not JSON, cut off, a missing field, values that do not fit. (Of a trace in
/// sections these are findings about the section instead.)
pub fn replay(text: &str) -> Result<Replay, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("not a complete JSON file: {error}"))?;
    let rules = value.get("rules").and_then(Value::as_str).unwrap_or_default().to_owned();
    let compared = match rules.as_str() {
        "v4.5" | "v4.6" => k8s::replay(&read::<k8s::Trace>(value)?),
        "v3.3.3" => gardener::replay(&read::<gardener::Trace>(value)?),
        "v8.5" => return Ok(Replay { rules, found: Found::Sections(prophet::replay(&value)) }),
        _ => Err(format!(
            "its `rules` are `{rules}`; known are v4.5 and v4.6 (cluster), v3.3.3 (garden), v8.5 (Prophet)"
        )),
    }?;
    // Nothing compared would be within every tolerance.
    if compared.steps == 0 {
        return Err("it holds no steps to replay".to_owned());
    }
    Ok(Replay { rules, found: Found::Whole(compared) })
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("it does not fit the trace format: {error}"))
}

/// The world that a trace's settings describe.
fn setup(name: &str, settings: &[String]) -> Result<Setup, String> {
    let setup = Setup::preset(name, "reference").map_err(|error| error.to_string())?.with(None, settings);
    setup.map_err(|error| ConfigError { place: "its settings".to_owned(), ..error }.to_string())
}

/// The settings in a trace's `config` as `key=value` pairs.
fn sets(config: &Map<String, Value>, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in config {
        match value {
            Value::Object(inner) => sets(inner, &format!("{prefix}{key}."), out),
            value => out.push(format!("{prefix}{key}={value}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Every recording of the reference replays within tolerance.
    #[test]
    fn all_recordings_replay() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
        let mut replayed = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let replay = replay(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let found = replay.json(&path.display().to_string());
            assert_eq!(replay.problem(), None, "{found}");
            assert!(found["within_tolerance"] == true && found["steps"].as_u64() > Some(0), "{found}");
            replayed += 1;
        }
        assert_eq!(replayed, 17);
    }

    #[test]
    fn deviations_keep_the_largest_and_refuse_nan() {
        let mut deviations = Deviations::default();
        assert!(!deviations.within_tolerance(), "nothing compared is nothing shown");
        deviations.number("a", 0.5, 1.0, 1.25);
        deviations.number("a", 0.5, 1.0, 1.0);
        deviations.number("a", 0.5, f64::NAN, f64::NAN);
        assert_eq!(deviations.fields[0].largest, 0.25);
        assert!(deviations.within_tolerance());
        deviations.number("a", 0.5, f64::NAN, 1.0);
        assert!(!deviations.within_tolerance());
        let mut deviations = Deviations::default();
        deviations.exact("b", &1, &1);
        assert!(deviations.within_tolerance());
        deviations.exact("b", &1, &2);
        assert!(!deviations.within_tolerance());
        let mut deviations = Deviations::default();
        deviations.numbers("c", 1.0, &[1.0], &[1.0, 1.0]);
        assert!(!deviations.within_tolerance());
    }
}
