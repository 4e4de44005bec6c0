//! Which store commands ask, and who hears of what they found.

use std::path::PathBuf;

use clap::Args;
use resonetics_lumen::archive::remote::{Remote, Settings};
use resonetics_lumen::notify::{variable, webhook};
use resonetics_runs::Error;
use serde_json::{Value, json};

/// Where copies are kept.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The store: a folder, s3://BUCKET/PREFIX, gs:// or az://; who asks is said by the environment (AWS_..., GOOGLE_...,
    /// AZURE_...)
    #[arg(long, value_name = "URL", required_unless_present = "remote_config")]
    pub remote: Option<String>,
    /// A TOML file of yours with a table `[remote]`: url, endpoint, region, server_side_encryption, kms_key_id,
    /// retry_wait_seconds
    #[arg(long, value_name = "FILE")]
    pub remote_config: Option<PathBuf>,
    /// Tell the webhook LUMEN_ALERT_URL what was found: ids of archives and results
    #[arg(long)]
    pub notify: bool,
}

impl RemoteArgs {
    /// The store. That nobody could be told is said before anything is done.
    pub fn open(&self) -> Result<Remote, Error> {
        if self.notify {
            address()?;
        }
        let mut settings = match &self.remote_config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        if let Some(url) = &self.remote {
            settings.url.clone_from(url);
        }
        Remote::open(&settings)
    }

    /// Tells of what `done` yields for each archive, if that was asked for, and then yields `ended`.
    pub fn told(&self, title: &str, results: &[(&str, &str)], ended: Result<(), Error>) -> Result<(), Error> {
        if !self.notify {
            return ended;
        }
        let results: Vec<Value> =
            results.iter().map(|(id, result)| json!({ "archive_id": id, "result": result })).collect();
        let secret = variable("LUMEN_ALERT_SECRET")?;
        let sent = webhook(&address()?, secret.as_deref(), title, &json!({ "results": results }));
        ended.and(sent)
    }
}

fn address() -> Result<String, Error> {
    variable("LUMEN_ALERT_URL")?.ok_or_else(|| {
        Error::Unknown("--notify: LUMEN_ALERT_URL is not set: nobody would be told".to_owned())
    })
}
