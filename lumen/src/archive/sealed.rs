//! Archives that only some can read: files of age, to recipients or by a passphrase.
//!
//! The bundle and its manifest are encrypted, each by itself. What lies beside them for everybody says when the archive
//! was made and what its id is ([`Manifest::outer`](super::Manifest)), and has the sums of what is encrypted.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::{StreamReader, StreamWriter};
use age::{DecryptError, Decryptor, EncryptError, Encryptor, scrypt, x25519};
use resonetics_runs::files::{self, sha256};
use resonetics_runs::{Error, error};

/// The encrypted bundle.
pub const BUNDLE_AGE: &str = "bundle.tar.zst.age";
/// The encrypted manifest.
pub const MANIFEST_AGE: &str = "manifest.json.age";

/// What the manifest inside says of its encryption.
pub(super) const INSIDE: &str = "age";
/// What the manifest for everybody says of a passphrase.
const BY_PASSPHRASE: &str = "age:passphrase";
/// How much work a passphrase is, as a power of two: that of the `age` command.
const WORK: u8 = 18;
/// The most work that a file may ask for: 1 GiB of memory.
const MOST_WORK: u8 = 20;
/// The most bytes of a file with recipients or identities.
const MOST_KEYS: u64 = 1 << 20;

/// For whom an archive is encrypted.
pub enum Seal {
    /// Whoever has the identity of one of these.
    To(Vec<x25519::Recipient>),
    /// Whoever knows it.
    By(SecretString),
}

impl fmt::Debug for Seal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Seal({})", self.mark())
    }
}

impl Seal {
    /// To these recipients, `age1…` each.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that is none, and where there is none at all.
    pub fn to(recipients: &[String]) -> Result<Seal, Error> {
        let parsed = recipients.iter().map(|text| {
            text.parse::<x25519::Recipient>().map_err(|_| {
                let begins: String =
                    text.chars().take(8).map(|c| if c.is_control() { '?' } else { c }).collect();
                Error::Refused(format!(
                    "`{begins}…` is no recipient of age: give what `age-keygen` calls the public key, age1…"
                ))
            })
        });
        let parsed = parsed.collect::<Result<Vec<_>, Error>>()?;
        if parsed.is_empty() {
            return Err(Error::Refused("no recipient was given: nobody could read it".to_owned()));
        }
        Ok(Seal::To(parsed))
    }

    /// Those in a file, a line each; `#` begins a comment.
    ///
    /// # Errors
    /// As [`Seal::to`], and that it cannot be read.
    pub fn recipients(path: &Path) -> Result<Vec<String>, Error> {
        let text = files::text_within(path, MOST_KEYS)?;
        let lines = text.lines().map(str::trim);
        Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    /// By a passphrase.
    ///
    /// # Errors
    /// [`Error::Refused`] for an empty one.
    pub fn by(passphrase: String) -> Result<Seal, Error> {
        if passphrase.is_empty() {
            return Err(Error::Refused("the passphrase is empty: anybody could read it".to_owned()));
        }
        Ok(Seal::By(passphrase.into()))
    }

    /// What everybody may read of it: archives for the same recipients have the same.
    pub(super) fn mark(&self) -> String {
        let Seal::To(recipients) = self else { return BY_PASSPHRASE.to_owned() };
        let mut names: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        format!("{INSIDE}:{}", &sha256(names.join("\n").as_bytes())[..16])
    }

    /// Whether what is encrypted at `path` can be read by what this was encrypted with; of recipients nobody knows.
    pub(super) fn opens(&self, path: &Path) -> bool {
        let Seal::By(passphrase) = self else { return true };
        let key = Key::Passphrase(passphrase.clone());
        files::open(path).is_ok_and(|file| key.reader(BufReader::new(file)).is_ok())
    }

    /// Encrypts what is written, until it is finished.
    pub(super) fn writer<W: Write>(&self, to: W) -> io::Result<StreamWriter<W>> {
        let failed = |error: EncryptError| io::Error::other(error.to_string());
        let encryptor = match self {
            Seal::To(all) => Encryptor::with_recipients(all.iter().map(|one| one as &dyn age::Recipient)),
            Seal::By(passphrase) => {
                let mut one = scrypt::Recipient::new(passphrase.clone());
                one.set_work_factor(WORK);
                Encryptor::with_recipients(std::iter::once(&one as &dyn age::Recipient))
            }
        };
        encryptor.map_err(failed)?.wrap_output(to)
    }

    /// Encrypts a few bytes.
    pub(super) fn sealed(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut writer = self.writer(Vec::new())?;
        writer.write_all(bytes)?;
        writer.finish()
    }
}

/// Whether a manifest for everybody may call its encryption so.
pub(super) fn is_mark(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = text.strip_prefix(INSIDE).and_then(|rest| rest.strip_prefix(':'));
    text == BY_PASSPHRASE || digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(hex))
}

/// What opens what is encrypted.
pub enum Key {
    /// Identities of age.
    Identities(Vec<Box<dyn age::Identity + Send + Sync>>),
    /// A passphrase.
    Passphrase(SecretString),
}

impl fmt::Debug for Key {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Key::Identities(_) => "Key(identities)",
            Key::Passphrase(_) => "Key(passphrase)",
        })
    }
}

impl Key {
    /// The identities in a file, as `age-keygen` writes it.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file with none, and that it cannot be read.
    pub fn read(path: &Path) -> Result<Key, Error> {
        let bytes = files::read(path, MOST_KEYS)?;
        let none = || {
            // What is in it is not told: it is secret.
            Error::Refused(format!(
                "{} holds no identity of age: give the file that `age-keygen` wrote, not encrypted",
                path.display()
            ))
        };
        let file = age::IdentityFile::from_buffer(&bytes[..]).map_err(|_| none())?;
        let identities = file.into_identities().map_err(|_| none())?;
        if identities.is_empty() { Err(none()) } else { Ok(Key::Identities(identities)) }
    }

    /// A passphrase.
    pub fn passphrase(passphrase: String) -> Key {
        Key::Passphrase(passphrase.into())
    }

    /// Decrypts what is read; each part that it yields is what was encrypted, and at its end nothing is missing.
    pub(super) fn reader<R: BufRead>(&self, from: R) -> Result<StreamReader<R>, DecryptError> {
        let decryptor = Decryptor::new_buffered(from)?;
        match self {
            Key::Identities(all) => {
                decryptor.decrypt(all.iter().map(|one| one.as_ref() as &dyn age::Identity))
            }
            Key::Passphrase(passphrase) => {
                let mut one = scrypt::Identity::new(passphrase.clone());
                one.set_max_work_factor(MOST_WORK);
                decryptor.decrypt(std::iter::once(&one as &dyn age::Identity))
            }
        }
    }
}

/// Why something was not opened.
pub(super) enum NotOpened {
    /// It is for others.
    NotOurs(String),
    /// It is damaged.
    Damaged(String),
    /// It cannot be read.
    Unread(io::Error),
}

impl From<DecryptError> for NotOpened {
    fn from(failure: DecryptError) -> NotOpened {
        match failure {
            DecryptError::NoMatchingKeys
            | DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed => {
                NotOpened::NotOurs("the identity or passphrase does not open it".to_owned())
            }
            DecryptError::ExcessiveWork { required, .. } => NotOpened::NotOurs(format!(
                "its passphrase asks for the work 2^{required}, and no more than 2^{MOST_WORK} is done"
            )),
            DecryptError::Io(failure) if failure.raw_os_error().is_some() => NotOpened::Unread(failure),
            DecryptError::Io(failure) => NotOpened::Damaged(failure.to_string()),
            // No header of age, one that was changed, or one of a later kind.
            _ => NotOpened::Damaged("it does not begin as a file of age".to_owned()),
        }
    }
}

/// Opens the file of age at `path`.
pub(super) fn opened(
    path: &Path,
    key: &Key,
) -> Result<Result<StreamReader<BufReader<std::fs::File>>, NotOpened>, Error> {
    let file = BufReader::with_capacity(1 << 16, files::open(path)?);
    match key.reader(file).map_err(NotOpened::from) {
        Err(NotOpened::Unread(failure)) => Err(error::io("read", path)(failure)),
        other => Ok(other),
    }
}

/// All of the small file of age at `path`, `most` bytes at most; nothing of one that is not whole.
pub(super) fn whole(path: &Path, key: &Key, most: u64) -> Result<Result<Vec<u8>, NotOpened>, Error> {
    let reader = match opened(path, key)? {
        Ok(reader) => reader,
        Err(why) => return Ok(Err(why)),
    };
    let mut bytes = Vec::new();
    match reader.take(most + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > most => {
            Ok(Err(NotOpened::Damaged(format!("it has more than {most} bytes"))))
        }
        Ok(_) => Ok(Ok(bytes)),
        Err(failure) if failure.raw_os_error().is_some() => Err(error::io("read", path)(failure)),
        Err(failure) => Ok(Err(NotOpened::Damaged(failure.to_string()))),
    }
}
