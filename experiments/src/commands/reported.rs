//! Commands that measure or look, and write files only if asked to.

use std::path::Path;

use resonetics_runs::Error;
use resonetics_runs::config_toml::short_numbers;
use resonetics_runs::files::write_new;
use resonetics_runs::run_dir::{RunDir, RunRecord};

use crate::out::say;

/// What a command that is no experiment found.
pub struct Report {
    /// What is printed, and written as `file`.
    pub text: String,
    /// Its name if it is written.
    pub file: &'static str,
    /// Whether it is good news.
    pub outcome: Result<(), Error>,
}

/// Does the work of a command that writes files only if asked to, prints what it found, and
/// writes it if asked. `config` is what the result depends on. A directory that is taken is
/// refused before the work.
pub fn reported(
    config: &toml::Table,
    out: Option<&Path>,
    work: impl FnOnce() -> Result<Report, Error>,
) -> Result<(), Error> {
    let command = config.get("command").and_then(toml::Value::as_str).unwrap_or_default();
    let seed = config.get("seed").and_then(toml::Value::as_integer).map(|seed| seed as u64);
    let record = RunRecord::new(command, seed);
    let run =
        out.map(|out| RunDir::create(Some(out), record, &short_numbers(&config.to_string()))).transpose()?;
    let print = |report: &Report| say(format_args!("{}", report.text.trim_end_matches('\n')));
    let Some(run) = run else {
        let report = work()?;
        print(&report)?;
        return report.outcome;
    };
    let outcome = work().and_then(|report| {
        print(&report)?;
        write_new(&run.path().join(report.file), report.text.as_bytes())?;
        report.outcome
    });
    run.finish(outcome)
}

/// The config.toml of a command that is no experiment.
pub fn described<const N: usize>(command: &str, values: [(&str, toml::Value); N]) -> toml::Table {
    let values = values.into_iter().map(|(key, value)| (key.to_owned(), value));
    [("command".to_owned(), command.into())].into_iter().chain(values).collect()
}
