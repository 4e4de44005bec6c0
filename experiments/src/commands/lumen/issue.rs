//! `lumen keys issue`, `lumen keys crl`: certificates, and the list of those that were revoked.

use std::path::{Path, PathBuf};

use clap::Args;
use resonetics_lumen::proof::chain::{self, certificates, fingerprint, list};
use resonetics_lumen::proof::issue::{self, LIST_DAYS, REASONS, ROOT_DAYS, SIGNER_DAYS, pem};
use resonetics_lumen::proof::key::{Public, Secret};
use resonetics_runs::Error;
use resonetics_runs::files::{text_within, write_new};
use resonetics_runs::run_dir::seconds;
use serde_json::json;

use super::passphrase::asked;
use crate::out::say;

/// The most days that anything is issued for.
const MOST_DAYS: u64 = 36_500;

#[derive(Debug, Args)]
pub struct IssueArgs {
    /// Folder of the root's key
    #[arg(long, value_name = "DIR")]
    pub ca: PathBuf,
    /// Certificate of the root; without it and --key one is made
    #[arg(long, value_name = "CERT", requires = "key")]
    pub root: Option<PathBuf>,
    /// Public key of the signer that the certificate is for
    #[arg(long, value_name = "PUB", requires = "root")]
    pub key: Option<PathBuf>,
    /// Days that it is valid [default: 3650 for a root, 180 for a signer]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MOST_DAYS))]
    pub days: Option<u64>,
    /// The certificate; that of a signer with the root's behind it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct CrlArgs {
    /// Folder of the root's key
    #[arg(long, value_name = "DIR")]
    pub ca: PathBuf,
    /// Certificate of the root
    #[arg(long, value_name = "CERT")]
    pub root: PathBuf,
    /// The list before this one, whose certificates stay revoked
    #[arg(long, value_name = "CRL")]
    pub after: Option<PathBuf>,
    /// A certificate that is revoked; may be given several times
    #[arg(long, value_name = "CERT")]
    pub revoke: Vec<PathBuf>,
    /// Why
    #[arg(long, value_parser = REASONS, default_value = "unspecified")]
    pub reason: String,
    /// Days after which the list says nothing any more
    #[arg(long, value_name = "DAYS", default_value_t = LIST_DAYS, value_parser = clap::value_parser!(u64).range(1..=MOST_DAYS))]
    pub days: u64,
    /// The list
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

pub fn issue(args: &IssueArgs) -> Result<(), Error> {
    let key = Secret::open(&args.ca, &asked)?;
    let now = seconds() as u64;
    let (root, text) = if let (Some(root), Some(signer)) = (&args.root, &args.key) {
        let root = first(root)?;
        let days = args.days.unwrap_or(SIGNER_DAYS);
        let signer = issue::signer(&root, &key, &Public::read(signer)?, now, days)?;
        let text = pem(&signer)? + &pem(&root)?;
        (root, text)
    } else {
        let root = issue::root(&key, now, args.days.unwrap_or(ROOT_DAYS))?;
        let text = pem(&root)?;
        (root, text)
    };
    write_new(&args.out, text.as_bytes())?;
    let out = args.out.display().to_string();
    say(format_args!("{}", json!({ "certificate": out, "root": fingerprint(&root) })))
}

pub fn crl(args: &CrlArgs) -> Result<(), Error> {
    let key = Secret::open(&args.ca, &asked)?;
    let root = first(&args.root)?;
    let before = args.after.as_deref().map(|path| {
        let none = || Error::Refused(format!("{} is no list of revoked certificates in PEM", path.display()));
        list(&text_within(path, chain::MOST)?).ok_or_else(none)
    });
    let before = before.transpose()?;
    let more = args.revoke.iter().map(|path| {
        let one = first(path)?;
        if !chain::is_of(&one, &root) {
            return Err(Error::Refused(format!(
                "the certificate in {} was not issued by this root: its own root has to revoke it",
                path.display()
            )));
        }
        Ok(one.tbs_certificate().serial_number().clone())
    });
    let more = more.collect::<Result<Vec<_>, Error>>()?;
    let made = issue::crl(&root, &key, before.as_ref(), &more, &args.reason, seconds() as u64, args.days)?;
    write_new(&args.out, pem(&made)?.as_bytes())?;
    let revoked = made.tbs_cert_list.revoked_certificates.map_or(0, |revoked| revoked.len());
    say(format_args!("wrote {}: {revoked} revoked certificates", args.out.display()))
}

/// The first certificate of a file.
fn first(path: &Path) -> Result<chain::Certificate, Error> {
    let all = certificates(&text_within(path, chain::MOST)?);
    all.and_then(|all| all.into_iter().next())
        .ok_or_else(|| Error::Refused(format!("{} holds no certificate in PEM", path.display())))
}
