//! Single files that are decrypted: those of age, and those of the seeds, which are read and never written.
//!
//! A file of the seeds is `LUMENENC`, the byte 1, a salt of 16 bytes, a nonce of 12, and AES-256-GCM's ciphertext with its
//! tag. The key is 32 bytes in base64, or HKDF-SHA256 of a passphrase. One pass of a hash over a passphrase is soon
//! guessed, and nothing says which of the two a text is: both are tried.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hkdf::Hkdf;
use resonetics_runs::files::{self, check_new};
use resonetics_runs::{Error, error, interrupt};
use sha2::Sha256;
use tempfile::NamedTempFile;

use super::sealed::{Key, NotOpened, opened};

/// What a file of the seeds begins with.
const MAGIC: &[u8; 9] = b"LUMENENC\x01";
/// Bytes of its salt.
const SALT: usize = 16;
/// Bytes of its nonce.
const NONCE: usize = 12;
/// The most bytes of one: it is decrypted in memory.
const MOST: u64 = 1 << 30;
/// Names that keys were derived for: as the document has it, and as HKDF counts its first block.
const NAMES: [&[u8]; 2] = [b"key\x01", b"key"];

/// Decrypts the file of age at `path` into the new file `out`, wholly or not at all; yields its bytes.
///
/// # Errors
/// [`Error::Refused`] if there is a file `out`, or the key does not open it; [`Error::Failed`] if it is damaged; any I/O
/// error.
pub fn decrypt_age(path: &Path, key: &Key, out: &Path) -> Result<u64, Error> {
    check_new(out)?;
    let shown = path.display();
    let damaged = |why: String| Error::Failed(format!("{shown} is damaged: {why}; nothing was written"));
    let mut reader = match opened(path, key)? {
        Ok(reader) => reader,
        Err(NotOpened::NotOurs(why)) => return Err(Error::Refused(format!("{shown}: {why}"))),
        Err(NotOpened::Damaged(why)) => return Err(damaged(why)),
        Err(NotOpened::Unread(failure)) => return Err(error::io("read", path)(failure)),
    };
    let mut file = staged(out)?;
    let (mut part, mut written) = (vec![0; 1 << 18], 0);
    loop {
        interrupt::check()?;
        match reader.read(&mut part) {
            Ok(0) => break,
            Ok(count) => {
                file.write_all(&part[..count]).map_err(error::io("write", out))?;
                written += count as u64;
            }
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
            Err(failure) if failure.raw_os_error().is_some() => return Err(error::io("read", path)(failure)),
            Err(failure) => return Err(damaged(failure.to_string())),
        }
    }
    kept(file, out)?;
    Ok(written)
}

/// Decrypts the file of the seeds at `path` with `secret`, a passphrase or a key in base64, into the new file `out`; yields
/// its bytes.
///
/// # Errors
/// [`Error::Refused`] if there is a file `out`, for a file that is none or too long, and where the secret does not open it;
/// any I/O error.
pub fn decrypt_lumenenc(path: &Path, secret: &str, out: &Path) -> Result<u64, Error> {
    check_new(out)?;
    let bytes = files::read(path, MOST)?;
    let shown = path.display();
    let plain = plain(&bytes, secret).map_err(|why| Error::Refused(format!("{shown}: {why}")))?;
    let mut file = staged(out)?;
    file.write_all(&plain).map_err(error::io("write", out))?;
    kept(file, out)?;
    Ok(plain.len() as u64)
}

fn plain(bytes: &[u8], secret: &str) -> Result<Vec<u8>, &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as a file of the seeds does (LUMENENC)")?;
    let split =
        rest.split_at_checked(SALT).and_then(|(salt, rest)| Some((salt, rest.split_at_checked(NONCE)?)));
    let (salt, (nonce, ciphertext)) = split.ok_or("it is truncated")?;
    let nonce = Nonce::try_from(nonce).map_err(|_| "it is truncated")?;
    let given = [STANDARD, URL_SAFE].iter().find_map(|base| base.decode(secret.trim()).ok());
    let derived = NAMES.iter().filter_map(|name| {
        let mut key = vec![0; 32];
        Hkdf::<Sha256>::new(Some(salt), secret.as_bytes()).expand(name, &mut key).ok()?;
        Some(key)
    });
    let mut keys = given.into_iter().chain(derived);
    let plain = keys.find_map(|key| Aes256Gcm::new_from_slice(&key).ok()?.decrypt(&nonce, ciphertext).ok());
    plain.ok_or("the passphrase or key does not open it, or it is damaged")
}

/// A file beside `out` that becomes it.
fn staged(out: &Path) -> Result<NamedTempFile, Error> {
    let parent = out.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".tmp")
        // What was encrypted is not for everybody.
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(parent)
        .map_err(error::io("write in", parent))
}

fn kept(file: NamedTempFile, out: &Path) -> Result<(), Error> {
    file.as_file().sync_all().map_err(error::io("write", out))?;
    file.persist_noclobber(out).map(drop).map_err(|failure| error::io("create", out)(failure.error))
}
