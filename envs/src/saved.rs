//! The form of a saved environment: what it is of, the form's version, the state, a checksum.

use crc::{CRC_32_ISCSI, Crc};
use serde::{Deserialize, Serialize};

/// Grows with each change of any saved state.
const VERSION: u32 = 1;
/// Finds damage that leaves every value in its range.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Why an environment was not saved or restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// The environment does not implement it.
    #[error("this environment cannot be saved")]
    Unsupported,
    /// The bytes are not those that were saved.
    #[error("the saved state is damaged: {0}")]
    Damaged(String),
    /// The bytes are of another world, or of one with settings that the state does not fit.
    #[error("the saved state does not fit: {0}")]
    Foreign(String),
}

/// What a saved state is of. Its numbers are in files: new kinds come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Cluster,
    Garden,
    Vector,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Cluster => "a cluster",
            Kind::Garden => "a garden",
            Kind::Vector => "a vector of environments",
        }
    }
}

/// The bytes of a state.
pub(crate) fn seal<T: Serialize>(kind: Kind, state: &T) -> Result<Vec<u8>, SaveError> {
    let mut bytes = postcard::to_stdvec(&(kind, VERSION, state)).map_err(damaged)?;
    bytes.extend(CHECKSUM.checksum(&bytes).to_le_bytes());
    Ok(bytes)
}

/// The state in `bytes`, which is a `kind`; whether its values are possible is the caller's to check.
pub(crate) fn open<'a, T: Deserialize<'a>>(kind: Kind, bytes: &'a [u8]) -> Result<T, SaveError> {
    let (body, sum) = bytes.split_last_chunk().ok_or_else(|| damaged("it is too short"))?;
    if CHECKSUM.checksum(body).to_le_bytes() != *sum {
        return Err(damaged("its checksum is wrong"));
    }
    let ((found, version), state) = postcard::take_from_bytes::<(Kind, u32)>(body).map_err(damaged)?;
    if found != kind {
        return Err(SaveError::Foreign(format!("it is of {}, not of {}", found.name(), kind.name())));
    }
    if version != VERSION {
        return Err(SaveError::Foreign(format!("its form is {version}, this program reads {VERSION}")));
    }
    let (state, rest) = postcard::take_from_bytes(state).map_err(damaged)?;
    if rest.is_empty() { Ok(state) } else { Err(damaged("it is too long")) }
}

fn damaged(why: impl ToString) -> SaveError {
    SaveError::Damaged(why.to_string())
}

/// An error unless `holds`, for the checks of a state that was read.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), SaveError> {
    if holds { Ok(()) } else { Err(SaveError::Foreign(why())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_to_the_same_bits_and_nothing_else_does() {
        let state = (f64::from_bits(0x3ff0_0000_0000_0001), -0.0_f32, vec![1_u8, 2, 3]);
        let bytes = seal(Kind::Garden, &state).unwrap();
        let back: (f64, f32, Vec<u8>) = open(Kind::Garden, &bytes).unwrap();
        assert_eq!(
            (back.0.to_bits(), back.1.to_bits(), back.2),
            (state.0.to_bits(), state.1.to_bits(), state.2)
        );
        let foreign = open::<(f64, f32, Vec<u8>)>(Kind::Cluster, &bytes).unwrap_err();
        assert_eq!(foreign.to_string(), "the saved state does not fit: it is of a garden, not of a cluster");
        for at in 0..bytes.len() {
            let refused = |bytes: &[u8]| open::<(f64, f32, Vec<u8>)>(Kind::Garden, bytes).is_err();
            assert!(refused(&bytes[..at]), "{at} bytes");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(refused(&flipped), "byte {at}");
        }
    }

    #[test]
    fn a_state_with_something_behind_it_or_of_another_version_is_refused() {
        let sealed = |body: Vec<u8>| {
            let sum = CHECKSUM.checksum(&body).to_le_bytes();
            open::<u32>(Kind::Garden, &[body, sum.to_vec()].concat())
        };
        let body = |version: u32| postcard::to_stdvec(&(Kind::Garden, version, 7_u32)).unwrap();
        assert_eq!(sealed(body(VERSION)), Ok(7));
        assert!(matches!(sealed([body(VERSION), vec![0]].concat()), Err(SaveError::Damaged(_))));
        assert!(matches!(sealed(body(VERSION + 1)), Err(SaveError::Foreign(_))));
    }
}
