//! Why a key is revoked, and since when, as it is typed.

use clap::Args;
use resonetics_lumen::proof::key_event::REASONS;

/// Why a key is revoked, and since when.
#[derive(Debug, Args)]
pub struct Since {
    /// Why
    #[arg(long, value_parser = REASONS, default_value = "unspecified")]
    pub reason: String,
    /// The first entry of the log from which on its signatures do not count: an index, or `now`
    #[arg(long, value_name = "INDEX", value_parser = index, default_value = "now")]
    pub since: Index,
}

/// An index, or that of the entry that is made.
#[derive(Clone, Copy, Debug)]
pub struct Index(pub Option<u64>);

fn index(text: &str) -> Result<Index, String> {
    if text == "now" {
        return Ok(Index(None));
    }
    text.parse().map(|index| Index(Some(index))).map_err(|_| "an index of the log, or `now`".to_owned())
}
