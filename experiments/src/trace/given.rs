//! What a trace holds: its fields, and the world that its settings describe.

use resonetics_envs::config::ConfigError;
use resonetics_runs::setup::Setup;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A trace, or a section of one, by its format.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("it does not fit the trace format: {error}"))
}

/// The world that a trace's settings describe.
pub fn setup(name: &str, settings: &[String]) -> Result<Setup, String> {
    let setup = Setup::preset(name, "reference").map_err(|error| error.to_string())?.with(None, settings);
    setup.map_err(|error| ConfigError { place: "its settings".to_owned(), ..error }.to_string())
}

/// The settings in a trace's `config` as `key=value` pairs.
pub fn sets(config: &Map<String, Value>, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in config {
        match value {
            Value::Object(inner) => sets(inner, &format!("{prefix}{key}."), out),
            value => out.push(format!("{prefix}{key}={value}")),
        }
    }
}
