//! Notices to whoever has to hear: a webhook that can check who sent it and when, a chat, the terminal.
//!
//! Names, numbers and hashes alone belong into them: no paths, no names of hosts or people.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use resonetics_runs::Error;
use resonetics_runs::files::text_within;
use resonetics_runs::run_dir::seconds;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::http::{agent, taken};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far the clocks of sender and receiver may be apart, in seconds.
pub const SKEW: u64 = 300;
/// The header with the signature, in hex.
pub const SIGNATURE: &str = "X-Lumen-Signature";
/// The header with the seconds since 1970 at which it was signed.
pub const TIMESTAMP: &str = "X-Lumen-Timestamp";

/// The variable `name`, or what stands in the file that `NAME_FILE` names, which wins; none if neither is set. A line end
/// behind it is no part of it.
///
/// # Errors
/// [`Error::Refused`] for a file that cannot be read.
pub fn variable(name: &str) -> Result<Option<String>, Error> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(file) = set(&format!("{name}_FILE")) else { return Ok(set(name)) };
    let text = text_within(file.as_ref(), 65_536)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The body of a notice.
pub fn body(title: &str, payload: &Value) -> String {
    json!({ "title": title, "payload": payload }).to_string()
}

/// HMAC-SHA256 of `timestamp`, a dot and `body` under `secret`, in hex.
pub fn signature(secret: &str, timestamp: u64, body: &str) -> String {
    let sum = sum(secret, timestamp, body).map(|sum| sum.finalize().into_bytes());
    sum.iter().flatten().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Whether a notice was signed with `secret`, and not longer than [`SKEW`] before or after `now`; in constant time.
pub fn verified(secret: &str, timestamp: u64, body: &str, signature: &str, now: u64) -> bool {
    let bytes = signature.as_bytes().chunks(2).map(|two| {
        let two = std::str::from_utf8(two).ok().filter(|two| two.len() == 2)?;
        u8::from_str_radix(two, 16).ok()
    });
    let Some(bytes) = bytes.collect::<Option<Vec<u8>>>() else { return false };
    now.abs_diff(timestamp) <= SKEW
        && sum(secret, timestamp, body).is_some_and(|sum| sum.verify_slice(&bytes).is_ok())
}

fn sum(secret: &str, timestamp: u64, body: &str) -> Option<Hmac<Sha256>> {
    // A key of any length will do.
    let mut sum = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    sum.update(format!("{timestamp}.{body}").as_bytes());
    Some(sum)
}

/// Posts a notice to the webhook at `url`, signed where there is a `secret`.
///
/// # Errors
/// [`Error::Failed`] if it was not taken.
pub fn webhook(url: &str, secret: Option<&str>, title: &str, payload: &Value) -> Result<(), Error> {
    let body = body(title, payload);
    let now = seconds() as u64;
    let signed = secret.map(|secret| signature(secret, now, &body));
    let mut headers = vec![(TIMESTAMP, now.to_string())];
    headers.extend(signed.map(|signed| (SIGNATURE, signed)));
    post(url, &headers, &body)
}

/// Posts the title, and the payload where there is one, to a chat's incoming webhook.
///
/// # Errors
/// As [`webhook`].
pub fn chat(url: &str, title: &str, payload: &Value) -> Result<(), Error> {
    let text = if payload.is_null() { title.to_owned() } else { format!("{title}\n{payload}") };
    post(url, &[], &json!({ "text": text }).to_string())
}

/// Tells the Alertmanager at `url` an alert that means nothing, of this severity, so that its route can be followed.
///
/// # Errors
/// As [`webhook`].
pub fn test_alert(url: &str, severity: &str) -> Result<(), Error> {
    let alert = json!([{
        "labels": { "alertname": "LumenTestAlert", "severity": severity },
        "annotations": { "summary": "A test of the route: nothing is wrong" },
    }]);
    post(&format!("{}/api/v2/alerts", url.trim_end_matches('/')), &[], &alert.to_string())
}

fn post(url: &str, headers: &[(&str, String)], body: &str) -> Result<(), Error> {
    let agent = agent(PATIENCE);
    let mut request = agent.post(url).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    taken(request.send(body)).map_err(|why| Error::Failed(format!("the notice was not taken: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Python: `hmac.new(b"key", b"1700000000.{...}", "sha256").hexdigest()`.
    #[test]
    fn signatures_are_those_of_others() {
        let body = body("A title", &json!({ "n": 1 }));
        assert_eq!(body, r#"{"title":"A title","payload":{"n":1}}"#);
        let signed = signature("key", 1_700_000_000, &body);
        assert_eq!(signed, "c4d106c036b22a4ce62f4e9c92cb9f6b6c4c9bc6736503f6faa58551dbe67717");
        assert!(verified("key", 1_700_000_000, &body, &signed, 1_700_000_300));
        assert!(verified("key", 1_700_000_000, &body, &signed, 1_699_999_700));
        for (secret, at, body, signed, now) in [
            ("other", 1_700_000_000, body.as_str(), signed.as_str(), 1_700_000_000),
            ("key", 1_700_000_001, &body, &signed, 1_700_000_000),
            ("key", 1_700_000_000, "{}", &signed, 1_700_000_000),
            ("key", 1_700_000_000, &body, &signed[2..], 1_700_000_000),
            ("key", 1_700_000_000, &body, "not hex", 1_700_000_000),
            ("key", 1_700_000_000, &body, "", 1_700_000_000),
            // Replayed.
            ("key", 1_700_000_000, &body, &signed, 1_700_000_301),
        ] {
            assert!(!verified(secret, at, body, signed, now), "{secret} {at} {now}");
        }
    }
}
