//! A config.toml from which keys were lost: what it says is still known.

use toml::{Table, Value};

use crate::plan::Plan;
use crate::setup::{STEPS, Setup};

/// What `text` plans with the program's own values for settings that it lacks, and which these are; `None` where it
/// plans nothing for another reason. How much was asked for, such as steps, is not guessed.
pub(super) fn filled(text: &str) -> Option<(Plan, Vec<String>)> {
    let mut table: Table = text.parse().ok()?;
    let command = table.get("command")?.as_str()?.to_owned();
    let mut defaults = Table::from_iter([("seed".to_owned(), 0.into())]);
    if let Some((name, preset)) = world(&table) {
        if command == "train" {
            let steps = table.get("steps").and_then(Value::as_integer);
            let steps = steps.and_then(|steps| u64::try_from(steps).ok()).unwrap_or(STEPS);
            let train = Setup::preset(name, preset).ok()?.training(steps);
            defaults.insert("train".to_owned(), Table::try_from(train).ok()?.into());
            defaults.insert("learner".to_owned(), "native".into());
        }
        let env = [("preset".to_owned(), preset.into()), ("settings".to_owned(), Table::new().into())];
        defaults.insert("env".to_owned(), Table::from_iter(env).into());
    }
    if command == "drift" {
        defaults.extend(of_drift(&table));
    }
    let mut lacking = Vec::new();
    lay_under(&mut table, defaults, "", &mut lacking);
    let plan = Plan::parse(&table.to_string()).ok()?;
    (!lacking.is_empty()).then_some((plan, lacking))
}

/// The world that is played in and its preset.
fn world(table: &Table) -> Option<(&str, &str)> {
    let env = table.get("env")?;
    Some((env.get("name")?.as_str()?, env.get("preset").and_then(Value::as_str).unwrap_or("reference")))
}

fn of_drift(table: &Table) -> Table {
    let kernel = table.get("kernel").and_then(Value::as_bool).unwrap_or(true);
    let values: [(&str, Value); 4] = [
        ("batch_size", 1.into()),
        ("kernel", kernel.into()),
        // Without the kernel there is nothing to tune.
        ("tune", kernel.into()),
        ("risk_target", "sigmoid".into()),
    ];
    values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Puts those of `defaults` into `table` that it lacks.
fn lay_under(table: &mut Table, defaults: Table, prefix: &str, lacking: &mut Vec<String>) {
    for (key, value) in defaults {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (table.get_mut(&key), value) {
            (None, value) => {
                table.insert(key, value);
                lacking.push(dotted);
            }
            (Some(Value::Table(known)), Value::Table(own)) => lay_under(known, own, &dotted, lacking),
            _ => {}
        }
    }
}
