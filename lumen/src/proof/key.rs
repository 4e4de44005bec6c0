//! Keys: Ed25519, as files that openssl reads (PKCS#8 and `SubjectPublicKeyInfo`, in PEM).
//!
//! A folder holds one: `signer.pem`, which nobody but its owner may read, and `signer.pub.pem`, which is for everybody.
//! A key is named by the SHA-256 of its public half in DER, as
//! `openssl pkey -pubin -in signer.pub.pem -outform DER | sha256sum` prints it.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use resonetics_runs::files::{sha256, text_within, write_new};
use resonetics_runs::{Error, error};

use super::text::{base64, of_base64};

/// The file with the private key.
pub const SECRET: &str = "signer.pem";
/// The file with the public one.
pub const PUBLIC: &str = "signer.pub.pem";

/// The most bytes of a file with a key.
const MOST: u64 = 1 << 16;
/// `SubjectPublicKeyInfo` of Ed25519 (RFC 8410) before the 32 bytes of the key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// PKCS#8, version 1, of Ed25519 before its 32 bytes. Version 2, with the public half, openssl 3.0 does not read.
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// id-Ed25519.
const OID: &str = "1.3.101.112";
const PLAIN: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
/// The cost of a passphrase: openssl takes no more memory than this needs.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public(VerifyingKey);

impl Public {
    /// Reads a public key in PEM; none if it is not one of Ed25519.
    #[must_use]
    pub fn parse(pem: &str) -> Option<Public> {
        let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
        let body = pem.trim().strip_prefix(begin)?.strip_suffix(end)?;
        let body: String = body.split_ascii_whitespace().collect();
        Public::of_der(&of_base64(&body)?)
    }

    /// Reads the public key in the file at `path`.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that cannot be read or holds none.
    pub fn read(path: &Path) -> Result<Public, Error> {
        let pem = text_within(path, MOST)?;
        Public::parse(&pem).ok_or_else(|| {
            Error::Refused(format!(
                "{} holds no public key of Ed25519 in PEM; give the {PUBLIC} that `resonetics lumen keys init` made",
                path.display()
            ))
        })
    }

    /// As PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&self.der()))
    }

    /// What it is named by.
    #[must_use]
    pub fn id(&self) -> String {
        sha256(&self.der())
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public key of this `SubjectPublicKeyInfo`; none if it is not one of Ed25519.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Public> {
        let bytes: [u8; 32] = der.strip_prefix(&SPKI)?.try_into().ok()?;
        VerifyingKey::from_bytes(&bytes).ok().map(Public)
    }

    /// Its `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        [&SPKI[..], self.bytes()].concat()
    }

    /// Whether `signature` is this key's of `message`.
    #[must_use]
    pub fn verified(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// A private key. It has no text of its own, so that it cannot get into one.
pub struct Secret(SigningKey);

impl Secret {
    /// Makes a key in the folder `dir`, which is made too; with a `passphrase` it can be read with that alone.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is one already, and for a folder that others may look into; any I/O error.
    pub fn create(dir: &Path, passphrase: Option<&str>) -> Result<Public, Error> {
        if passphrase.is_some_and(str::is_empty) {
            return Err(Error::Refused("the passphrase is empty; give one, or leave it out".to_owned()));
        }
        if !dir.exists() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(dir).map_err(error::io("create", dir))?;
        }
        private(dir, 0o700)?;
        let (secret, public) = (dir.join(SECRET), dir.join(PUBLIC));
        for taken in [&secret, &public] {
            if taken.symlink_metadata().is_ok() {
                return Err(Error::Refused(format!(
                    "{} is there already: a key is never overwritten; use it, or choose another --dir",
                    taken.display()
                )));
            }
        }
        let key = Secret(SigningKey::from_bytes(&drawn()?));
        let pem = key.pem(passphrase)?;
        write_secret(&secret, pem.as_bytes())?;
        let public_key = key.public();
        write_new(&public, public_key.pem().as_bytes())?;
        Ok(public_key)
    }

    /// Reads the key in the folder `dir`; `passphrase` is asked only if it needs one.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none; [`Error::Refused`] if others may read it, or it is none, or the passphrase
    /// is another one; those of `passphrase`.
    pub fn open(dir: &Path, passphrase: &dyn Fn() -> Result<String, Error>) -> Result<Secret, Error> {
        let path = dir.join(SECRET);
        if !path.exists() {
            return Err(Error::Unknown(format!(
                "there is no key in {}; make one with `resonetics lumen keys init --dir {0}`",
                dir.display()
            )));
        }
        private(dir, 0o700)?;
        private(&path, 0o600)?;
        let pem = text_within(&path, MOST)?;
        let none = || {
            Error::Refused(format!(
                "{} holds no private key of Ed25519 in PEM (PKCS#8); put it back, or make another one",
                path.display()
            ))
        };
        let (label, document) = SecretDocument::from_pem(&pem).map_err(|_| none())?;
        let document = match label {
            PLAIN => document,
            ENCRYPTED => {
                let encrypted: EncryptedPrivateKeyInfoRef<'_> =
                    document.as_bytes().try_into().map_err(|_| none())?;
                encrypted.decrypt(passphrase()?).map_err(|_| {
                    Error::Refused(format!(
                        "the passphrase does not open {}; give the right one",
                        path.display()
                    ))
                })?
            }
            _ => return Err(none()),
        };
        let info: PrivateKeyInfoRef<'_> = document.as_bytes().try_into().map_err(|_| none())?;
        let bytes = info.private_key.as_bytes().strip_prefix(&[0x04, 0x20]);
        match (info.algorithm.oid.to_string() == OID, bytes.and_then(|bytes| bytes.try_into().ok())) {
            (true, Some(bytes)) => Ok(Secret(SigningKey::from_bytes(bytes))),
            _ => Err(none()),
        }
    }

    /// The key itself, for what builds certificates.
    pub(super) fn signing(&self) -> &SigningKey {
        &self.0
    }

    /// The signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> Public {
        Public(self.0.verifying_key())
    }

    fn pem(&self, passphrase: Option<&str>) -> Result<impl std::ops::Deref<Target = String> + use<>, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::Failed(format!("cannot write the key: {error}; please report this"))
        };
        let der = [&PKCS8[..], self.0.as_bytes()].concat();
        let plain = SecretDocument::try_from(der).map_err(|error| failed(&error))?;
        let Some(passphrase) = passphrase else {
            return plain.to_pem(PLAIN, pkcs8::LineEnding::LF).map_err(|error| failed(&error));
        };
        let (log_n, r, p) = SCRYPT;
        let cost = scrypt::Params::new(log_n, r, p).map_err(|error| failed(&error))?;
        let (random, more) = (drawn()?, drawn()?);
        let (iv, _) = more.split_first_chunk::<16>().ok_or_else(|| failed(&"no bytes"))?;
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &random[..16], *iv)
            .map_err(|error| failed(&error))?;
        let info: PrivateKeyInfoRef<'_> =
            plain.as_bytes().try_into().map_err(|error: pkcs8::Error| failed(&error))?;
        let encrypted = info.encrypt_with_params(parameters, passphrase).map_err(|error| failed(&error))?;
        encrypted.to_pem(ENCRYPTED, pkcs8::LineEnding::LF).map_err(|error| failed(&error))
    }
}

/// Refuses what others than its owner may read, write or look into.
pub(crate) fn private(path: &Path, most: u32) -> Result<(), Error> {
    let mode = fs::metadata(path).map_err(error::io("read", path))?.permissions().mode() & 0o777;
    if mode & !most == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::Refused(format!(
        "{path} is open to others (mode {mode:03o}): a private key there is none; run `chmod {most:03o} {path}`, and make another key if somebody may have read it"
    )))
}

/// Bytes that nobody can foretell.
pub(super) fn drawn() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::Failed(format!("the system draws no random numbers: {error}; no key was made"))
    })?;
    Ok(bytes)
}

fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file: File = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(error::io("create", path))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|problem| {
        // Half a key would be in the way of the next attempt.
        let _ = fs::remove_file(path);
        error::io("write", path)(problem)
    })
}
