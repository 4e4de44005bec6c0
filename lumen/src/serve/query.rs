//! What stands behind the `?`: each parameter once, none that is not known, each in its range.

use axum::extract::Query as Pairs;
use axum::http::Uri;

use super::time::millis;
use crate::store::{Cursor, MOST_ROWS, Query};

/// Rows of a page where nothing is said.
const ROWS: usize = 1000;
/// Letters of the name of a run at most: of a folder's name there are no more.
const NAME: usize = 255;
/// What a cursor may be.
const CURSOR: &str = "what a page gave as `next`";

/// A parameter that cannot be so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad(pub(super) String);

fn bad(name: &str, value: &str, allowed: &str) -> Bad {
    let short: String = value.chars().take(100).collect();
    Bad(format!("the parameter `{name}` is `{short}`; allowed: {allowed}"))
}

/// The parameters of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of `uri`, if all are among `known` and none is there twice.
    pub(super) fn of(uri: &Uri, known: &[&str]) -> Result<Params, Bad> {
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(uri);
        let Ok(Pairs(pairs)) = pairs else {
            return Err(Bad("what stands behind `?` is no list of NAME=VALUE".to_owned()));
        };
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&&**name) {
                let allowed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let name: String = name.chars().take(100).collect();
                return Err(Bad(format!("the parameter `{name}` is not known here; allowed: {allowed}")));
            }
            if pairs[..at].iter().any(|(other, _)| other == name) {
                return Err(bad(name, value, "it once"));
            }
        }
        Ok(Params(pairs))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// The name of a run.
    pub(super) fn run(&self) -> Result<Option<&str>, Bad> {
        match self.get("run") {
            Some(run) if run.is_empty() || run.chars().count() > NAME || run.contains(['/', '\0']) => {
                Err(bad("run", run, "the name of a run's folder, 1 to 255 letters without `/`"))
            }
            run => Ok(run),
        }
    }

    /// A whole number from 1 on.
    pub(super) fn count(&self, name: &str, usual: usize, most: usize) -> Result<usize, Bad> {
        let Some(text) = self.get(name) else { return Ok(usual) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|count| digits && (1..=most).contains(count));
        count.ok_or_else(|| bad(name, text, &format!("1 to {most}")))
    }

    fn time(&self, name: &str) -> Result<Option<i64>, Bad> {
        let allowed = "milliseconds since 1970, or RFC 3339 such as 2026-01-31T12:00:00Z";
        let Some(text) = self.get(name) else { return Ok(None) };
        millis(text).map(Some).ok_or_else(|| bad(name, text, allowed))
    }

    /// Where a page of the ledger begins: `STARTED~RUN_ID` of the row before it.
    pub(super) fn after_run(&self) -> Result<Option<(&str, &str)>, Bad> {
        let Some(text) = self.get("cursor") else { return Ok(None) };
        let started = |byte: u8| byte.is_ascii_digit() || b"TZ:.-".contains(&byte);
        let id = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-';
        let parts = text.split_once('~').filter(|(first, second)| {
            (20..=30).contains(&first.len())
                && first.bytes().all(started)
                && (1..=120).contains(&second.len())
                && second.bytes().all(id)
        });
        parts.map(Some).ok_or_else(|| bad("cursor", text, CURSOR))
    }

    /// A page of the store.
    pub(super) fn page(&self) -> Result<Query, Bad> {
        let cursor = self.get("cursor").map(|text| {
            let digits =
                |part: &str| (1..=15).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            let known = text.split_once('.').is_some_and(|(first, second)| digits(first) && digits(second));
            let parsed: Option<Cursor> = text.parse().ok().filter(|_| known);
            parsed.ok_or_else(|| bad("cursor", text, CURSOR))
        });
        Ok(Query {
            run: self.run()?.map(str::to_owned),
            from: self.time("from")?,
            to: self.time("to")?,
            limit: self.count("limit", ROWS, MOST_ROWS)?.min(self.count("last", MOST_ROWS, MOST_ROWS)?),
            newest: self.get("last").is_some(),
            cursor: cursor.transpose()?,
        })
    }
}
