//! Recorded traces (RULES.md: the formats and tolerances), replayed through the production rules.

mod brain;
pub mod compared;
pub mod gardener;
mod given;
pub mod k8s;
pub mod kernel;
mod prophet;

use serde_json::{Map, Value, json};

use self::compared::Compared;
use self::given::read;
use self::kernel::Backend;
use self::prophet::Section;

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

/// Replays the text of any trace; what is on tensors once for each of `backends`.
///
/// # Errors
/// What is wrong with the text: not JSON, cut off, a missing field, values that do not fit. (Of a trace in
/// sections these are findings about the section instead.)
pub fn replay(text: &str, backends: &[Backend]) -> Result<Replay, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("not a complete JSON file: {error}"))?;
    let rules = value.get("rules").and_then(Value::as_str).unwrap_or_default().to_owned();
    let compared = match rules.as_str() {
        "v4.5" | "v4.6" => k8s::replay(&read::<k8s::Trace>(value)?),
        "v3.3.3" => gardener::replay(&read::<gardener::Trace>(value)?),
        "v8.5" => return Ok(Replay { rules, found: Found::Sections(prophet::replay(&value, backends)) }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Every recording of the reference replays within tolerance.
    #[test]
    fn all_recordings_replay() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference");
        let backends = Backend::all("cpu").unwrap();
        let mut replayed = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let replay = replay(&std::fs::read_to_string(&path).unwrap(), &backends).unwrap();
            let found = replay.json(&path.display().to_string());
            assert_eq!(replay.problem(), None, "{found}");
            assert!(found["within_tolerance"] == true && found["steps"].as_u64() > Some(0), "{found}");
            replayed += 1;
        }
        assert_eq!(replayed, 17);
    }
}
