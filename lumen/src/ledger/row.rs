//! What a line of the ledger holds.

use std::path::PathBuf;

use resonetics_runs::Error;
use serde::{Deserialize, Serialize};

use super::class::{ErrorClass, Outcome};

/// A run, as a line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `YYYYMMDD-REGION-SHA8-COMMAND-N`, once in a ledger. Never a label of a metric.
    pub run_id: String,
    /// Its folder, whole, without links.
    pub path: String,
    /// What it was: `train`, `benchmark`, ...
    pub command: String,
    /// Of a sweep's training the key of its cell.
    pub cell: Option<String>,
    /// What it belongs to in metrics: its command.
    pub pipeline: String,
    /// Where it ran: `LUMEN_REGION` of the first scan that saw it.
    pub region: String,
    /// By whom: `LUMEN_RUNNER` of the first scan that saw it.
    pub runner: String,
    /// The program's version.
    pub version: String,
    /// 32 hex digits, where the run has one.
    pub trace_id: Option<String>,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// When it ended; of one at work or killed it is not known.
    pub ended: Option<String>,
    /// Wall time of its last process, where it is known.
    pub seconds: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it ended without its result.
    pub error_class: Option<ErrorClass>,
    /// SHA-256 of its signed statement, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

/// Where and by whom runs are made: labels of metrics, so no names of hosts or people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `LUMEN_REGION`.
    pub region: String,
    /// `LUMEN_RUNNER`.
    pub runner: String,
}

impl Place {
    /// Checks both; what is `None` is `local`.
    ///
    /// # Errors
    /// [`Error::Refused`] for what does not consist of 1 to 32 of `a-z`, `0-9` and `-`.
    pub fn new(region: Option<&str>, runner: Option<&str>) -> Result<Place, Error> {
        let label = |name: &str, value: Option<&str>| {
            let value = value.unwrap_or("local");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if (1..=32).contains(&value.len()) && value.bytes().all(plain) {
                return Ok(value.to_owned());
            }
            Err(Error::Refused(format!("{name}=`{value}` is no label; allowed: 1 to 32 of a-z, 0-9 and -")))
        };
        Ok(Place { region: label("LUMEN_REGION", region)?, runner: label("LUMEN_RUNNER", runner)? })
    }

    /// What the variables say.
    ///
    /// # Errors
    /// Those of [`Place::new`]; a value that is no UTF-8 is none.
    pub fn of_environment() -> Result<Place, Error> {
        let of = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Place::new(of("LUMEN_REGION").as_deref(), of("LUMEN_RUNNER").as_deref())
    }
}

/// A folder whose `run.json` says nothing that could be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}
