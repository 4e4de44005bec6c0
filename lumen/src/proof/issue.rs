//! Certificates and lists of revoked ones, issued by a root of one's own.

use std::str::FromStr;
use std::time::Duration;

use resonetics_runs::Error;
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder, CrlBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::asn1::{BitString, Uint};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, EncodePem};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, CrlReason, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::chain::{CODE_SIGNING, is_list_of, key};
use super::key::{Public, Secret, drawn};

/// How the root is called.
const ROOT: &str = "CN=Lumen Root CA,O=Lumen System C";
/// How a signer is called.
const SIGNER: &str = "CN=Lumen Artifact Signer,OU=Pipeline";
/// Days that a root is valid.
pub const ROOT_DAYS: u64 = 3_650;
/// Days that a signer is valid.
pub const SIGNER_DAYS: u64 = 180;
/// Days after which a list of revoked certificates says nothing any more.
pub const LIST_DAYS: u64 = 30;

/// Why a certificate may be revoked.
pub const REASONS: [&str; 4] = ["unspecified", "key-compromise", "superseded", "cessation"];

/// What a certificate is for.
struct Of {
    issuer: Name,
    subject: Name,
    ca: bool,
}

impl BuilderProfile for Of {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let name = tbs.subject();
        let constraints = BasicConstraints { ca: self.ca, path_len_constraint: self.ca.then_some(1) };
        let usage = if self.ca {
            KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)
        } else {
            KeyUsage(KeyUsages::DigitalSignature.into())
        };
        let own = SubjectKeyIdentifier::try_from(key)?;
        let of = SubjectKeyIdentifier::try_from(issuer)?;
        let of = AuthorityKeyIdentifier { key_identifier: Some(of.0), ..AuthorityKeyIdentifier::default() };
        let mut all = vec![
            (true, &constraints).to_extension(name, &[])?,
            (true, &usage).to_extension(name, &[])?,
            (false, &own).to_extension(name, &[])?,
            (false, &of).to_extension(name, &[])?,
        ];
        if !self.ca {
            all.push((false, &ExtendedKeyUsage(vec![CODE_SIGNING])).to_extension(name, &[])?);
        }
        Ok(all)
    }
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Failed(format!("cannot write a certificate: {error}; please report this"))
}

/// Puts a signature under what was built.
fn built<B: Builder>(mut builder: B, key: &Secret) -> Result<B::Output, Error> {
    let bytes = builder.finalize(key.signing()).map_err(|error| failed(&error))?;
    let signature = BitString::from_bytes(&key.sign(&bytes)).map_err(|error| failed(&error))?;
    builder.assemble(signature, key.signing()).map_err(|error| failed(&error))
}

fn moment(seconds: u64) -> Result<Time, Error> {
    let at = x509_cert::der::DateTime::from_unix_duration(Duration::from_secs(seconds));
    at.map(Time::from).map_err(|error| failed(&error))
}

fn issued(of: Of, subject: &Public, key: &Secret, from: u64, days: u64) -> Result<Certificate, Error> {
    let mut serial = drawn()?;
    // A positive number without zeros before it.
    serial[0] = serial[0] & 0x3f | 0x40;
    let serial = SerialNumber::new(&serial[..16]).map_err(|error| failed(&error))?;
    let validity = Validity::new(moment(from)?, moment(from + days * 86_400)?);
    let subject = SubjectPublicKeyInfo::from_der(&subject.der()).map_err(|error| failed(&error))?;
    let builder = CertificateBuilder::new(of, serial, validity, subject).map_err(|error| failed(&error))?;
    built(builder, key)
}

/// The certificate of a root, signed by itself, valid from `from` on, in seconds since 1970.
///
/// # Errors
/// [`Error::Failed`] if there are no random numbers.
pub fn root(key: &Secret, from: u64, days: u64) -> Result<Certificate, Error> {
    let name = Name::from_str(ROOT).map_err(|error| failed(&error))?;
    let of = Of { issuer: name.clone(), subject: name, ca: true };
    issued(of, &key.public(), key, from, days)
}

/// The certificate of a signer, issued by the root whose certificate and key these are.
///
/// # Errors
/// [`Error::Refused`] if they do not belong together, or the root ends before the signer would.
pub fn signer(
    root: &Certificate,
    root_key: &Secret,
    signer: &Public,
    from: u64,
    days: u64,
) -> Result<Certificate, Error> {
    belong(root, root_key)?;
    if root.tbs_certificate().validity().not_after.to_unix_duration().as_secs() < from + days * 86_400 {
        return Err(Error::Refused(
            "the certificate of the root ends before that of the signer would: give fewer --days, or make another root".to_owned(),
        ));
    }
    let subject = Name::from_str(SIGNER).map_err(|error| failed(&error))?;
    issued(
        Of { issuer: root.tbs_certificate().subject().clone(), subject, ca: false },
        signer,
        root_key,
        from,
        days,
    )
}

fn belong(root: &Certificate, root_key: &Secret) -> Result<(), Error> {
    if key(root) == Some(root_key.public()) {
        return Ok(());
    }
    Err(Error::Refused("the certificate of the root is of another key than the one in --ca".to_owned()))
}

/// The list of revoked certificates behind `before`, with those of the serial numbers `more`, and why.
///
/// # Errors
/// [`Error::Refused`] if certificate and key do not belong together, or the list before is of another
/// root.
pub fn crl(
    root: &Certificate,
    root_key: &Secret,
    before: Option<&CertificateList>,
    more: &[SerialNumber],
    reason: &str,
    now: u64,
    days: u64,
) -> Result<CertificateList, Error> {
    belong(root, root_key)?;
    if before.is_some_and(|list| !is_list_of(list, root, &root_key.public())) {
        return Err(Error::Refused("the list before this one is not signed by this root".to_owned()));
    }
    let earlier = before.map(|list| &list.tbs_cert_list);
    let number = earlier.and_then(|list| {
        let all = list.crl_extensions.as_ref()?;
        let of =
            all.iter().find(|one| one.extn_id == <CrlNumber as x509_cert::der::oid::AssociatedOid>::OID)?;
        let CrlNumber(number) = CrlNumber::from_der(of.extn_value.as_bytes()).ok()?;
        number.as_bytes().iter().try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? + u64::from(*byte)))
    });
    let number = number.unwrap_or(0) + 1;
    let number = CrlNumber(Uint::new(&number.to_be_bytes()).map_err(|error| failed(&error))?);
    let mut revoked: Vec<RevokedCert> =
        earlier.and_then(|list| list.revoked_certificates.clone()).unwrap_or_default();
    let reason = match reason {
        "key-compromise" => CrlReason::KeyCompromise,
        "superseded" => CrlReason::Superseded,
        "cessation" => CrlReason::CessationOfOperation,
        _ => CrlReason::Unspecified,
    };
    let name = root.tbs_certificate().subject();
    for serial in more {
        if revoked.iter().any(|one| one.serial_number == *serial) {
            continue;
        }
        let extension = (false, &reason).to_extension(name, &[]).map_err(|error| failed(&error))?;
        revoked.push(RevokedCert {
            serial_number: serial.clone(),
            revocation_date: moment(now)?,
            crl_entry_extensions: Some(vec![extension]),
        });
    }
    let builder = CrlBuilder::new_with_this_update(root, number, moment(now)?);
    let builder = builder.map_err(|error| failed(&error))?;
    let builder = builder.with_next_update(Some(moment(now + days * 86_400)?));
    // A list of none is one without the field.
    let builder = if revoked.is_empty() { builder } else { builder.with_certificates(revoked.into_iter()) };
    built(builder, root_key)
}

/// In PEM.
///
/// # Errors
/// [`Error::Failed`] if it cannot be encoded.
pub fn pem(one: &impl EncodePem) -> Result<String, Error> {
    one.to_pem(LineEnding::LF).map_err(|error| failed(&error))
}
