//! The exit status that says how a command ended.

use resonetics_runs::Error;

/// 2 for what was asked for and cannot be done, 1 for work that failed, 3 for what is not there or not known, 128 and its
/// number for a signal.
pub fn status(error: &Error) -> u8 {
    match error {
        Error::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        Error::Unknown(_) => 3,
        error if error.is_refusal() => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_end_has_its_status() {
        assert_eq!(status(&Error::Refused(String::new())), 2);
        assert_eq!(status(&Error::Failed(String::new())), 1);
        assert_eq!(status(&Error::Unknown(String::new())), 3);
        assert_eq!(status(&Error::Interrupted(2)), 130);
        assert_eq!(status(&Error::Interrupted(15)), 143);
    }
}
