//! What the config.toml of a run says, key by key, read once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::filled::filled;
use crate::plan::Plan;

/// All settings of a run as dotted keys and values. Thousands of runs share the texts.
pub(super) type Settings = BTreeMap<Arc<str>, Arc<str>>;

/// What config.toml says, as it is planned, where it is that of a command that can be repeated.
pub(super) type Planned = Option<Result<Plan, String>>;

/// Reads each config.toml once, for all who ask what it says.
#[derive(Default)]
pub(super) struct Reader {
    texts: HashSet<Arc<str>>,
    /// Settings that the config.toml read last lacks and its plan has the program's own values for.
    pub(super) lacking: Vec<String>,
}

impl Reader {
    /// What a config.toml plans, and its settings, those that it is too old to name among them.
    pub(super) fn read(&mut self, config: &str) -> (Planned, Settings) {
        #[cfg(test)]
        super::counts::CONFIGS.with(|count| count.set(count.get() + 1));
        let plan = (!config.is_empty()).then(|| Plan::parse(config));
        self.lacking.clear();
        let plan = plan.map(|plan| {
            plan.or_else(|problem| {
                let (plan, lacking) = filled(config).ok_or(problem)?;
                self.lacking = lacking;
                Ok(plan)
            })
        });
        let whole = plan.as_ref().and_then(|plan| toml::Table::try_from(plan.as_ref().ok()?).ok());
        let mut table = whole.or_else(|| config.parse().ok()).unwrap_or_default();
        // What is watched does not depend on it.
        table.remove("lumen");
        // Which one it was nobody knows.
        if self.lacking.iter().any(|key| key == "seed") {
            table.remove("seed");
        }
        (plan, self.flattened(table))
    }

    /// A table as dotted keys and values.
    fn flattened(&mut self, table: toml::Table) -> Settings {
        fn add(prefix: &str, value: &toml::Value, into: &mut dyn FnMut(&str, &str)) {
            let dotted =
                |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => {
                    table.iter().for_each(|(key, value)| add(&dotted(key), value, into));
                }
                toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                    let items = (1_u32..).zip(items);
                    items.for_each(|(number, item)| add(&dotted(&number.to_string()), item, into));
                }
                value => match value.as_str() {
                    Some(text) => into(prefix, text),
                    None => into(prefix, &value.to_string()),
                },
            }
        }
        let mut shared = |text: &str| {
            if let Some(known) = self.texts.get(text) {
                return Arc::clone(known);
            }
            let text: Arc<str> = text.into();
            self.texts.insert(Arc::clone(&text));
            text
        };
        let mut settings = Settings::new();
        add("", &toml::Value::Table(table), &mut |key, value| {
            settings.insert(shared(key), shared(value));
        });
        settings
    }
}
