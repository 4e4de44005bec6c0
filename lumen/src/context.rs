//! What is known of a run, summed up: its results in words and numbers, its signals, what happened, its archives.
//!
//! To sum a long run up takes seconds. So it is kept in the run's folder as `context.json` ([`cache`]), with the
//! hashes of all files that it was made of ([`sources`]): it is taken for what it says only as long as these are the
//! same. It is no part of the run: archives, fingerprints and comparisons leave it out.

pub mod cache;
pub mod file;
mod known;
pub mod sources;

use resonetics_runs::Error;
use resonetics_runs::run_dir::commit;
use serde::{Deserialize, Serialize};

use self::file::FORMAT;
pub use self::known::{Archived, Headline, Known, Of, Run};
use self::sources::Source;

/// What is known of a run, and of which files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// What the file is: [`FORMAT`]. The first field: by it the file is known.
    format: String,
    /// The program that summed up: another one may say it otherwise.
    tool: String,
    /// The name of the run's folder.
    pub name: String,
    /// How the run ended: `finished`, `interrupted`, `failed`, `killed`; or that it is `running`.
    pub state: String,
    /// The files that it follows from, sorted.
    pub sources: Vec<Source>,
    /// What is known.
    pub known: Known,
    /// What its maker added; of packs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Alerts that were firing when somebody was asked; of packs alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Vec<String>>,
}

impl Of<'_> {
    /// Sums up, from the files alone.
    ///
    /// # Errors
    /// Any I/O error, [`Error::Interrupted`]. What cannot be analyzed has no headline.
    pub fn rebuilt(&self, sources: Vec<Source>) -> Result<Context, Error> {
        let known = Known::of(self)?;
        let [name, state] = [self.name, self.state].map(str::to_owned);
        Ok(Context {
            format: FORMAT.to_owned(),
            tool: tool(),
            name,
            state,
            sources,
            known,
            note: None,
            alerts: None,
        })
    }
}

impl Context {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be encoded.
    pub fn encoded(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::Failed(format!("cannot encode {}: {error}; please report this", file::FILE))
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The context in these bytes.
    ///
    /// # Errors
    /// Why they are none.
    pub fn parse(bytes: &[u8]) -> Result<Context, String> {
        let context: Context = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if context.format != FORMAT {
            return Err(format!("its format is not {FORMAT}"));
        }
        Ok(context)
    }

    /// What is known, as lines for the eye, 14 at most.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.known.lines();
        lines.extend(self.alerts.iter().flatten().take(3).map(|alert| format!("alert: {alert}")));
        lines.extend(self.note.iter().map(|note| format!("note: {note}")));
        lines.iter().map(|line| plain(line)).collect()
    }
}

/// The program, with all that could make it sum up otherwise.
fn tool() -> String {
    format!("resonetics {} {}", env!("CARGO_PKG_VERSION"), commit())
}

/// One line of no more than 400 letters: what a file says is no command for a terminal.
fn plain(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '?' } else { c }).take(400).collect()
}
