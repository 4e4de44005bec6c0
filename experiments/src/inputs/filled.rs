//! A config.toml from which keys were lost: what it says is still known.

use toml::{Table, Value};

use crate::commands::Plan;
use crate::setup::Setup;

/// What `text` plans with the program's own values for settings that it lacks, and which these are; `None` where it
/// plans nothing for another reason. How much was asked for, such as steps, is not guessed.
pub(super) fn filled(text: &str) -> Option<(Plan, Vec<String>)> {
    let mut table: Table = text.parse().ok()?;
    let defaults = match table.get("command")?.as_str()? {
        "train" => of_training(&table)?,
        "drift" => of_drift(&table),
        _ => return None,
    };
    let mut lacking = Vec::new();
    lay_under(&mut table, defaults, "", &mut lacking);
    let plan = Plan::parse(&table.to_string()).ok()?;
    (!lacking.is_empty()).then_some((plan, lacking))
}

fn of_training(table: &Table) -> Option<Table> {
    let env = table.get("env")?;
    let preset = env.get("preset").and_then(Value::as_str).unwrap_or("reference");
    let train = Setup::preset(env.get("name")?.as_str()?, preset).ok()?.training();
    let mut defaults: Table = "seed = 0\nlearner = \"native\"\n[env]\nsettings = {}\n".parse().ok()?;
    defaults.get_mut("env")?.as_table_mut()?.insert("preset".to_owned(), preset.into());
    defaults.insert("train".to_owned(), Value::Table(Table::try_from(train).ok()?));
    Some(defaults)
}

fn of_drift(table: &Table) -> Table {
    let kernel = table.get("kernel").and_then(Value::as_bool).unwrap_or(true);
    let values: [(&str, Value); 5] = [
        ("seed", 0.into()),
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
