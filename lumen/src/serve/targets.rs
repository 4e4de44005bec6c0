//! `targets.json`: the monitors of trainings at work, as Prometheus' file-based discovery takes them.

use std::path::Path;

use resonetics_runs::error::Error;
use resonetics_runs::files::{read, write_atomic};
use serde_json::{Value, json};

use super::known::Live;

/// More of what was there before is not looked at.
const MOST_BYTES: u64 = 16 << 20;

/// Writes the targets to `path`, whole, unless they are there already. Whether they were not.
///
/// # Errors
/// Any I/O error of writing.
pub(super) fn write(path: &Path, live: &[Live]) -> Result<bool, Error> {
    let text = text(live);
    if read(path, MOST_BYTES).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(false);
    }
    write_atomic(path, text.as_bytes())?;
    Ok(true)
}

fn text(live: &[Live]) -> String {
    let mut groups: Vec<(&str, Value)> = live
        .iter()
        .filter_map(|run| {
            let target = run.monitor?.to_string();
            Some((&*run.name, json!({"targets": [target], "labels": {"run": run.name}})))
        })
        .collect();
    groups.sort_by(|a, b| a.0.cmp(b.0));
    let groups: Vec<Value> = groups.into_iter().map(|(_, group)| group).collect();
    format!("{:#}\n", Value::from(groups))
}
