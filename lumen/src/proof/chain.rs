//! A chain of certificates (RFC 5280): one of a signer, one of the root that issued it, and the list of those that were
//! revoked. The root is known by its fingerprint, which is pinned; `openssl verify -crl_check` says the same.
//!
//! Certificates know no order of entries, only dates. Held against them is the moment at which the run ended by its own
//! statement: the word of its signer, for a log's head has no time. One who has the key of an expired certificate can lie
//! about it, so a certificate whose key may be in other hands has to be revoked, which ends all trust in it.

use resonetics_runs::files::sha256;
pub use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, DecodePem, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::spki::ObjectIdentifier;
use x509_cert::time::Time;

use super::key::Public;
use super::verdict::Weight;

/// id-kp-codeSigning.
pub const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
/// id-Ed25519.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// The most bytes of a file with certificates or a list.
pub const MOST: u64 = 1 << 20;

/// A chain as it was given.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The certificate of the signer and then that of the root, in PEM.
    pub certificates: String,
    /// The list of revoked ones, in PEM.
    pub crl: Option<String>,
}

/// What a chain came to.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The key of the signer and the fingerprint of the root, where the chain holds.
    pub signer: Option<(Public, String)>,
    /// What speaks against it.
    pub reasons: Vec<(Weight, &'static str)>,
}

impl Chain {
    /// Holds the chain against the fingerprint of the root, the moment `at` of the signature and the present, both in
    /// seconds since 1970.
    #[must_use]
    pub fn held(&self, pinned: &str, at: u64, now: u64) -> Held {
        let mut held = Held::default();
        let found = self.certificates_of();
        let Some((signer, root, signer_key, root_key)) = found else {
            held.wrong("the chain is not a certificate of a signer and one of a root");
            return held;
        };
        let fingerprint = fingerprint(&root);
        if fingerprint != pinned {
            held.wrong("the root of the chain is another one than the pinned one");
        }
        let holds = is_root(&root, &root_key) && is_signer(&signer, &root, &root_key);
        if !holds {
            held.wrong("the certificates of the chain do not hold");
        }
        let within = |certificate: &Certificate| {
            let validity = certificate.tbs_certificate().validity();
            (seconds(validity.not_before)..=seconds(validity.not_after)).contains(&at)
        };
        if !within(&signer) || !within(&root) {
            held.wrong("a certificate of the chain was not valid when it is said that it signed");
        }
        // A list counts by a root that does.
        if holds {
            held.list(self.revoked(&signer, &root, &root_key, now));
        }
        if held.reasons.is_empty() {
            held.signer = Some((signer_key, fingerprint));
        }
        held
    }

    fn certificates_of(&self) -> Option<(Certificate, Certificate, Public, Public)> {
        let both = certificates(&self.certificates)?;
        let [signer, root] = <[Certificate; 2]>::try_from(both).ok()?;
        let (signer_key, root_key) = (key(&signer)?, key(&root)?);
        Some((signer, root, signer_key, root_key))
    }

    /// Whether the list says that the signer was revoked; none where there is no list that counts.
    fn revoked(&self, signer: &Certificate, root: &Certificate, key: &Public, now: u64) -> Option<bool> {
        let list = list(self.crl.as_deref()?)?;
        let tbs = &list.tbs_cert_list;
        let whole = is_list_of(&list, root, key);
        let fresh = seconds(tbs.this_update) <= now && now < seconds(tbs.next_update?);
        let serial = signer.tbs_certificate().serial_number();
        let mut revoked = tbs.revoked_certificates.iter().flatten();
        (whole && fresh).then(|| revoked.any(|one| one.serial_number == *serial))
    }
}

impl Held {
    fn list(&mut self, revoked: Option<bool>) {
        match revoked {
            Some(false) => {}
            Some(true) => self.wrong("the certificate of the signer was revoked"),
            None => self.reasons.push((
                Weight::Unknown,
                "the list of revoked certificates is missing, out of date or not of this root",
            )),
        }
    }

    fn wrong(&mut self, reason: &'static str) {
        self.reasons.push((Weight::Wrong, reason));
    }
}

/// SHA-256 of a certificate, in hex, as `openssl x509 -fingerprint -sha256` prints it, without the colons.
#[must_use]
pub fn fingerprint(certificate: &Certificate) -> String {
    sha256(&certificate.to_der().unwrap_or_default())
}

/// The certificates in PEM, one behind the other; none if it is not that.
#[must_use]
pub fn certificates(pem: &str) -> Option<Vec<Certificate>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let parts = pem.split_inclusive("-----END CERTIFICATE-----");
    let parts = parts.filter(|part| !part.trim().is_empty());
    parts.map(|part| Certificate::from_pem(&part[part.find(BEGIN)?..]).ok()).collect()
}

/// The list of revoked certificates in PEM.
#[must_use]
pub fn list(pem: &str) -> Option<CertificateList> {
    CertificateList::from_pem(pem.trim()).ok()
}

/// Whether the root, with this key, signed this list, and nothing in it is beyond what is looked at.
#[must_use]
pub fn is_list_of(list: &CertificateList, root: &Certificate, key: &Public) -> bool {
    let tbs = &list.tbs_cert_list;
    let signed = tbs.to_der().ok().zip(list.signature.as_bytes());
    tbs.issuer == *root.tbs_certificate().subject()
        && knows_all(tbs.crl_extensions.as_ref(), &[])
        && list.signature_algorithm.oid == ED25519
        && signed.is_some_and(|(bytes, signature)| key.verified(&bytes, signature))
}

/// The key that a certificate is of; none if it is not one of Ed25519.
#[must_use]
pub fn key(certificate: &Certificate) -> Option<Public> {
    Public::of_der(&certificate.tbs_certificate().subject_public_key_info().to_der().ok()?)
}

fn seconds(time: Time) -> u64 {
    time.to_unix_duration().as_secs()
}

fn signed_by(certificate: &Certificate, key: &Public) -> bool {
    let bytes = certificate.tbs_certificate().to_der().ok();
    let algorithm = certificate.signature_algorithm();
    let same = algorithm == certificate.tbs_certificate().signature() && algorithm.oid == ED25519;
    let signature = certificate.signature().as_bytes();
    same && bytes.zip(signature).is_some_and(|(bytes, signature)| key.verified(&bytes, signature))
}

/// Whether nothing that is critical is beyond what is looked at.
fn knows_all(extensions: Option<&Extensions>, known: &[ObjectIdentifier]) -> bool {
    extensions.into_iter().flatten().all(|one| !one.critical || known.contains(&one.extn_id))
}

/// An extension that is there once, and whether it is critical.
fn extension<T: AssociatedOid + for<'a> Decode<'a>>(certificate: &Certificate) -> Option<(bool, T)> {
    let all = certificate.tbs_certificate().extensions()?;
    let mut of = all.iter().filter(|one: &&Extension| one.extn_id == T::OID);
    let one = of.next().filter(|_| of.next().is_none())?;
    Some((one.critical, T::from_der(one.extn_value.as_bytes()).ok()?))
}

fn is_whole(certificate: &Certificate) -> bool {
    let known = [BasicConstraints::OID, KeyUsage::OID, ExtendedKeyUsage::OID];
    knows_all(certificate.tbs_certificate().extensions(), &known)
}

fn is_root(root: &Certificate, key: &Public) -> bool {
    let tbs = root.tbs_certificate();
    let ca = extension::<BasicConstraints>(root).is_some_and(|(critical, it)| critical && it.ca);
    let signs = extension::<KeyUsage>(root).is_some_and(|(_, it)| it.key_cert_sign() && it.crl_sign());
    ca && signs && is_whole(root) && tbs.issuer() == tbs.subject() && signed_by(root, key)
}

/// Whether a certificate is one of a signer that this root issued.
#[must_use]
pub fn is_of(signer: &Certificate, root: &Certificate) -> bool {
    key(root).is_some_and(|key| is_signer(signer, root, &key))
}

fn is_signer(signer: &Certificate, root: &Certificate, root_key: &Public) -> bool {
    let no_ca = extension::<BasicConstraints>(signer).is_some_and(|(critical, it)| critical && !it.ca);
    let signs = extension::<KeyUsage>(signer).is_none_or(|(_, it)| it.digital_signature());
    let code = extension::<ExtendedKeyUsage>(signer).is_some_and(|(_, it)| it.0.contains(&CODE_SIGNING));
    let issued = signer.tbs_certificate().issuer() == root.tbs_certificate().subject();
    no_ca && signs && code && issued && is_whole(signer) && signed_by(signer, root_key)
}
