//! The trace id: 32 hex digits by which a run, its evaluations, archives and statements are found together.
//!
//! It is drawn once a run, or told by `LUMEN_TRACE_ID`, and kept in run.json. Nothing that is to be the same again depends
//! on it, and it labels no metric.

use crate::error::Error;

/// The variable that tells it.
pub const VARIABLE: &str = "LUMEN_TRACE_ID";

/// What the variable says, where it is set and not empty.
///
/// # Errors
/// [`Error::Refused`] if that is no trace id.
pub fn told() -> Result<Option<String>, Error> {
    let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = value.to_str().filter(|text| is_trace_id(text));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Error::Refused(format!(
            "{VARIABLE} is no trace id: 32 digits from 0 to f, not all 0; unset it, or set it so"
        ))
    })
}

/// A new one; none where the system has no random numbers.
pub(crate) fn drawn() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes).max(1)))
}

/// Whether `text` is one, as W3C Trace Context has them.
#[must_use]
pub fn is_trace_id(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 32 && text.bytes().all(hex) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_a_trace_id_and_another_each_time() {
        let (one, other) = (drawn().unwrap(), drawn().unwrap());
        assert!(is_trace_id(&one) && is_trace_id(&other) && one != other);
        let zeros = "0".repeat(32);
        for wrong in
            ["", "abc", &zeros, &one.to_uppercase().replace(char::is_numeric, "A"), &format!("{one}0")]
        {
            assert!(!is_trace_id(wrong), "{wrong}");
        }
    }
}
