//! How runs are now: at work or how they ended, how near to the loss, since when without a sign of life, and whether
//! their monitors answer (C11).

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use resonetics_runs::Error;
use serde::Serialize;

use crate::context::cache;
use crate::event::Level;
use crate::http::{agent, taken};
use crate::ledger::{Outcome, Row, Unread};
use crate::resonance::timing::{self, seconds_of};
use crate::serve::live;
use crate::told::Told;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Seconds without an update after which a run has stalled, however fast its updates come; so is [`INTERVALS`] of them.
pub const STALLED_S: f64 = 60.0;
/// Median times of an update without one after which a run has stalled.
pub const INTERVALS: f64 = 10.0;
/// How far clocks may differ, in seconds.
const CLOCKS_S: f64 = 60.0;
/// The seconds for a run of whose updates no time is known.
pub const UNKNOWN_S: f64 = 900.0;

/// How a run or a server is. What is not known is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// The name of its folder, or the address of a server.
    pub name: String,
    /// How the run ended, or that it is at work; of a server `answers` or `silent`.
    pub state: &'static str,
    /// The run's own clock at its last event: updates, generations or steps.
    pub clock: Option<u64>,
    /// Seconds since its last event or update.
    pub age_s: Option<f64>,
    /// The source with the worst level that holds, and of these the largest residual, such as an agent of a benchmark.
    pub source: Option<String>,
    /// Its level.
    pub level: Option<Level>,
    /// The residual of its last window, in `[0, 1]`.
    pub residual: Option<f64>,
    /// How many of its units (gardens, clusters) were lost; of a run that is not watched it is not known.
    pub lost: Option<u64>,
    /// What is wrong; empty where nothing is.
    pub wrong: Vec<String>,
}

/// How the run of `row` is at `now`, in seconds since 1970. It fails if it failed or was killed, and at work if it has
/// stalled, its level is ALERT, or its monitor does not answer.
#[must_use]
pub fn of_run(row: &Row, now: f64) -> Status {
    let folder = Path::new(&row.path);
    let name = crate::source::run_name(folder);
    let mut status = Status { name, state: row.outcome.name(), ..Status::default() };
    let at_work = row.outcome == Outcome::Running;
    // What is at work writes on: what was kept of its log is of before.
    let kept = if at_work { None } else { cache::told(folder) };
    let told = kept.unwrap_or_else(|| Told::read(folder));
    (status.clock, status.source, status.lost) = (told.clock, told.source, told.lost);
    (status.level, status.residual) = (told.level, told.residual);
    let timings = folder.join(timing::FILE);
    let ended = row.ended.as_deref().and_then(seconds_of);
    let signs = [told.at, timing::written(&timings).ok(), seconds_of(&row.started)];
    let signs = if ended.is_some() { [ended; 3] } else { signs };
    // What lies ahead is not believed.
    let last = signs.into_iter().flatten().filter(|at| *at <= now + CLOCKS_S).reduce(f64::max);
    status.age_s = last.map(|last| (now - last).max(0.0).round());
    match row.outcome {
        Outcome::Ok | Outcome::Interrupted => {}
        Outcome::Failed | Outcome::Killed => {
            let class = row.error_class.map_or("unknown", |class| class.name());
            status.wrong.push(format!("{}: {class}", row.outcome.name()));
        }
        Outcome::Running => {
            let interval = live::tail(&timings, live::TAIL).ok().and_then(|text| live::interval(&text));
            let most = interval.map_or(UNKNOWN_S, |interval| (INTERVALS * interval).max(STALLED_S));
            match status.age_s {
                Some(age) if age > most => {
                    status.wrong.push(format!("no update for {age:.0} s, {most:.0} are allowed"));
                }
                Some(_) => {}
                None => status.wrong.push("its times lie ahead: see to the clocks".to_owned()),
            }
            if status.level == Some(Level::Alert) {
                status.wrong.push("level ALERT".to_owned());
            }
            if let Some(address) = live::monitor(folder, "health") {
                let answered = answers(&format!("http://{address}/healthz"));
                status.wrong.extend(answered.err().map(|why| format!("its monitor: {why}")));
            }
        }
    }
    status
}

/// A folder whose `run.json` cannot be read, which is no good sign.
#[must_use]
pub fn of_unread(run: &Unread) -> Status {
    let name = crate::source::run_name(&run.path);
    Status { name, state: "unreadable", wrong: vec![run.reason.clone()], ..Status::default() }
}

/// How the server at `url`, which begins with `http://`, is, such as that of `lumen serve`: whether its `/readyz` says
/// that all is well.
#[must_use]
pub fn of_server(url: &str) -> Status {
    let answered = answers(&format!("{}/readyz", url.trim_end_matches('/')));
    let state = if answered.is_ok() { "answers" } else { "silent" };
    Status { name: url.to_owned(), state, wrong: answered.err().into_iter().collect(), ..Status::default() }
}

/// Whether the server says that it is well, and if not why.
fn answers(url: &str) -> Result<(), String> {
    taken(agent(PATIENCE).get(url).call())
}

/// The statuses as lines of a table, the failed ones last, and how many there are of each kind.
///
/// # Errors
/// [`Error::Unknown`] where there is none.
pub fn table(all: &[Status]) -> Result<String, Error> {
    if all.is_empty() {
        return Err(Error::Unknown("there are no runs and no servers to ask".to_owned()));
    }
    let width = all.iter().map(|status| status.name.chars().count()).max().unwrap_or(4).max(4);
    let cell = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut text = format!(
        "{:<width$}  {:<11}  {:>9}  {:>8}  {:>8}  {:<5}",
        "name", "state", "clock", "age", "residual", "level"
    );
    let failed = |status: &&Status| !status.wrong.is_empty();
    let (fail, pass): (Vec<&Status>, Vec<&Status>) = all.iter().partition(failed);
    for status in pass.iter().chain(&fail) {
        let clock = cell(status.clock.map(|clock| clock.to_string()));
        let age = cell(status.age_s.map(|age| format!("{age:.0} s")));
        let residual = cell(status.residual.map(|residual| format!("{residual:.3}")));
        let lost = cell(status.lost.map(|lost| lost.to_string()));
        let level = status.level.map_or("-", Level::name);
        let source = status.source.as_deref().unwrap_or("-");
        let _ = write!(
            text,
            "\n{:<width$}  {:<11}  {clock:>9}  {age:>8}  {lost:>5}  {residual:>8}  {level:<5}  {source}",
            status.name, status.state
        );
        if !status.wrong.is_empty() {
            let _ = write!(text, "  {}", status.wrong.join("; "));
        }
    }
    let _ = write!(text, "\n{} pass, {} fail", pass.len(), fail.len());
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_what_is_wrong_last() {
        let good = Status { name: "a".to_owned(), state: "ok", ..Status::default() };
        let bad = Status {
            name: "b".to_owned(),
            state: "running",
            clock: Some(12),
            age_s: Some(3.0),
            level: Some(Level::Alert),
            source: Some("training".to_owned()),
            residual: Some(0.9),
            lost: Some(0),
            wrong: vec!["level ALERT".to_owned()],
        };
        let text = table(&[bad, good]).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "a     ok                   -         -      -         -  -      -");
        assert_eq!(
            lines[2],
            "b     running             12       3 s      0     0.900  ALERT  training  level ALERT"
        );
        assert_eq!(lines[3], "1 pass, 1 fail");
        assert!(matches!(table(&[]), Err(Error::Unknown(_))));
    }
}
