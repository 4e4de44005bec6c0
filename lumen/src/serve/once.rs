//! What Prometheus would be shown now, for those that no Prometheus can ask: as a file, or pushed (C2).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use resonetics_runs::Error;
use resonetics_runs::files::write_atomic;
use resonetics_runs::run_dir::seconds;

use super::encode::{Form, encoded};
use super::export;
use super::known::{Settings, Shared};
use super::samples::Samples;
use super::watch::Watch;
use crate::http::{agent, taken};
use crate::store::{Reader, Store};

/// The name of the file, in a folder that node exporter's textfile collector reads.
pub const TEXTFILE: &str = "lumen.prom";
/// How long a Pushgateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads logs and runs once, as the server does, and yields the text of `/metrics`, with remarks for the terminal.
///
/// # Errors
/// What the store or the ledger say, and I/O errors: half of it would be taken for all.
pub fn once(settings: Settings) -> Result<(String, Vec<String>), Error> {
    let store = Store::open(&settings.store)?;
    let path = settings.store.clone();
    let shared = Arc::new(Shared::default());
    let (notes, told) = channel();
    let mut watch = Watch::new(settings, store, Arc::clone(&shared), notes);
    watch.once()?;
    drop(watch);
    let known = shared.get();
    let told: Vec<String> = told.try_iter().collect();
    if let Some(reason) = known.reasons.first() {
        return Err(Error::Failed(format!("{reason}: {}", told.join("; "))));
    }
    let now = seconds();
    let mut samples = Samples::default();
    export::beside_store(&known, now, &mut samples);
    export::of_store(&Reader::open(&path)?, &known, now, &mut samples)?;
    Ok((encoded(samples, Form::Classic), told))
}

/// Writes the text into `folder`, whole: whoever reads sees the old file or the new one. Yields its path.
///
/// # Errors
/// Any I/O error.
pub fn textfile(folder: &Path, text: &str) -> Result<PathBuf, Error> {
    let path = folder.join(TEXTFILE);
    write_atomic(&path, text.as_bytes())?;
    Ok(path)
}

/// Gives the text to the Pushgateway at `url`, in place of what `runner` gave it before.
///
/// # Errors
/// [`Error::Failed`] if it was not taken.
pub fn push(url: &str, runner: &str, text: &str) -> Result<(), Error> {
    let asked = agent(PATIENCE).put(group(url, runner)).header("Content-Type", "text/plain; version=0.0.4");
    taken(asked.send(text)).map_err(|why| Error::Failed(format!("the Pushgateway took nothing: {why}")))
}

/// Has the Pushgateway at `url` forget what `runner` gave it.
///
/// # Errors
/// As [`push`].
pub fn forget(url: &str, runner: &str) -> Result<(), Error> {
    let answer = agent(PATIENCE).delete(group(url, runner)).call();
    taken(answer).map_err(|why| Error::Failed(format!("the Pushgateway forgot nothing: {why}")))
}

/// One group a runner. With one for each run every counter would be born at 1, and never increase.
fn group(url: &str, runner: &str) -> String {
    format!("{}/metrics/job/lumen/instance/{runner}", url.trim_end_matches('/'))
}
