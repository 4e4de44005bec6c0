//! `lumen keys root`: who is trusted for what, said by several custodians, each at a machine of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use resonetics_lumen::proof::custody::{EVENTS, Photo, Record, state};
use resonetics_lumen::proof::digest::digest;
use resonetics_lumen::proof::key::{Public, Secret};
use resonetics_lumen::proof::key_change::{self, Log};
use resonetics_lumen::proof::key_event::{KeyEvent, Revoked};
use resonetics_lumen::proof::log;
use resonetics_lumen::proof::request::{Asks, MOST, Part, Request};
use resonetics_lumen::proof::root::{self, Role, Roles, Root, Signed};
use resonetics_runs::Error;
use resonetics_runs::files::{read, write_new};
use resonetics_runs::run_dir::seconds;
use serde_json::json;

use super::passphrase::{asked, folder, public};
use super::since::{Index, Since};
use crate::out::say;

#[derive(Debug, Args)]
pub struct RootArgs {
    #[command(subcommand)]
    pub command: RootCommand,
}

#[derive(Debug, Subcommand)]
pub enum RootCommand {
    /// Ask custodians for the first root metadata: writes a request
    Init(InitArgs),
    /// Ask custodians for something else: writes a request
    Request(RequestArgs),
    /// Sign a request, at a machine that need not be connected to anything: prints what is signed, writes a part
    Sign(SignArgs),
    /// Put the parts of enough custodians together
    Accept(AcceptArgs),
    /// Print root metadata, and what a log says of it: active, sealed, replaced or revoked
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Public key of a custodian; given once for each
    #[arg(long, value_name = "PUB", required = true)]
    pub custodian: Vec<PathBuf>,
    #[command(flatten)]
    pub others: Others,
    /// The request
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What root metadata says beside its custodians.
#[derive(Debug, Args)]
pub struct Others {
    /// Public key of who signs statements; given once for each
    #[arg(long, value_name = "PUB")]
    pub signer: Vec<PathBuf>,
    /// Public key of who signs the heads of logs; given once for each [default: the signers]
    #[arg(long, value_name = "PUB")]
    pub log_key: Vec<PathBuf>,
    /// Public key of who approves; given once for each
    #[arg(long, value_name = "PUB")]
    pub approver: Vec<PathBuf>,
    /// How many custodians have to sign [default: 2]
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    /// Days after which it is to be replaced
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub days: u64,
}

#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The root metadata that is in force
    #[arg(long, value_name = "ROOT")]
    pub root: PathBuf,
    /// The request
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// Root metadata of the next version; who is not named stays as it is
    Root {
        /// Public key of a custodian; given once for each
        #[arg(long, value_name = "PUB")]
        custodian: Vec<PathBuf>,
        #[command(flatten)]
        others: Others,
    },
    /// That another key takes the place of one
    Rotate {
        /// The id of the key
        keyid: String,
        /// Public key of the other one
        #[arg(long, value_name = "PUB")]
        new: PathBuf,
    },
    /// That a key is not to be trusted any more
    Revoke {
        /// The id of the key
        keyid: String,
        #[command(flatten)]
        since: Since,
    },
    /// A record of what was done with the keys of custodians
    Record {
        /// What was done
        #[arg(value_parser = EVENTS)]
        event: String,
        /// Id of the key of somebody who was there; given once for each
        #[arg(long, value_name = "KEYID")]
        participant: Vec<String>,
        /// Number of a seal; given once for each
        #[arg(long, value_name = "SEAL")]
        seal: Vec<String>,
        /// A picture, of which the name and the SHA-256 are recorded; given once for each
        #[arg(long, value_name = "FILE")]
        photo: Vec<PathBuf>,
        /// What else there is to say; everybody can read it in the log
        #[arg(long, value_name = "TEXT", default_value = "")]
        notes: String,
    },
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The request
    pub request: PathBuf,
    /// Folder of the custodian's key [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The part
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// The request
    pub request: PathBuf,
    /// The parts
    #[arg(required = true, value_name = "PART")]
    pub parts: Vec<PathBuf>,
    /// The root metadata that is in force; for all but the first
    #[arg(long, value_name = "ROOT")]
    pub root: Option<PathBuf>,
    /// Where what was signed is written; root metadata needs it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The log that takes it; all but root metadata needs it
    #[arg(long, value_name = "DIR", requires = "log_keys")]
    pub log: Option<PathBuf>,
    /// Folder of the key that signs the heads of the log
    #[arg(long, value_name = "DIR", requires = "log")]
    pub log_keys: Option<PathBuf>,
    /// Public key of the log's heads until now, where the one in --log-keys takes its place
    #[arg(long, value_name = "PUB", requires = "log_keys")]
    pub formerly: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Root metadata
    pub root: PathBuf,
    /// A log that may say something of it
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
}

pub fn run(args: &RootArgs) -> Result<(), Error> {
    match &args.command {
        RootCommand::Init(args) => {
            let root = next(None, &args.custodian, &args.others)?;
            asked_for(&Request::root(&root), &args.out)
        }
        RootCommand::Request(args) => asked_for(&request(args)?, &args.out),
        RootCommand::Sign(args) => sign(args),
        RootCommand::Accept(args) => accept(args),
        RootCommand::Show(args) => show(args),
    }
}

/// Root metadata from a file.
pub fn signed(path: &Path) -> Result<Signed, Error> {
    Signed::parse(&read(path, root::MOST)?)
        .map_err(|why| Error::Refused(format!("{} cannot be trusted: {why}", path.display())))
}

fn asked_for(request: &Request, out: &Path) -> Result<(), Error> {
    // What nobody could accept is not asked for.
    request.asks().map_err(|why| Error::Refused(format!("this cannot be asked for: {why}")))?;
    write_new(out, request.text().as_bytes())?;
    say(format_args!(
        "wrote {}: each custodian signs it with `resonetics lumen keys root sign`",
        out.display()
    ))
}

/// The root metadata behind `old`, or the first.
fn next(old: Option<&Root>, custodians: &[PathBuf], others: &Others) -> Result<Root, Error> {
    let mut keys = BTreeMap::new();
    let mut role = |paths: &[PathBuf], was: Option<&Role>, threshold: u64| -> Result<Role, Error> {
        let given = public(paths)?;
        let (given, threshold) = match (was, old) {
            (Some(was), Some(old)) if given.is_empty() => (old.keys_of(was), threshold),
            _ => (given, threshold),
        };
        keys.extend(given.iter().map(|key| (key.id(), key.pem())));
        Ok(Role { keyids: given.iter().map(Public::id).collect(), threshold })
    };
    let was = old.map(|old| &old.roles);
    let threshold = others.threshold.or(was.map(|was| was.root.threshold)).unwrap_or(2);
    let log_key = if others.log_key.is_empty() && old.is_none() { &others.signer } else { &others.log_key };
    let one = |role: Option<&Role>| role.map_or(1, |role| role.threshold);
    let roles = Roles {
        root: role(custodians, was.map(|was| &was.root), threshold)?,
        signer: role(&others.signer, was.map(|was| &was.signer), one(was.map(|was| &was.signer)))?,
        log: role(log_key, was.map(|was| &was.log), one(was.map(|was| &was.log)))?,
        approver: role(&others.approver, was.map(|was| &was.approver), one(was.map(|was| &was.approver)))?,
    };
    let expires = moment(seconds() as u64 + others.days * 86_400);
    Ok(Root { version: old.map_or(1, |old| old.version + 1), expires, keys, roles })
}

fn moment(seconds: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(at).to_string()
}

fn request(args: &RequestArgs) -> Result<Request, Error> {
    let root = signed(&args.root)?;
    Ok(match &args.what {
        What::Root { custodian, others } => Request::root(&next(Some(&root.root), custodian, others)?),
        What::Rotate { keyid, new } => Request::key(&KeyEvent::rotated(keyid, &Public::read(new)?)),
        What::Revoke { keyid, since } => {
            let (Index(index), reason) = (since.since, since.reason.clone());
            Request::key(&KeyEvent::Revoked(Revoked { keyid: keyid.clone(), reason, since: index }))
        }
        What::Record { event, participant, seal, photo, notes } => {
            let photos = photo.iter().map(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                Ok(Photo { path: name.to_owned(), sha256: digest(path)?.1 })
            });
            Request::custody(&Record {
                ts_utc: moment(seconds() as u64),
                event: event.clone(),
                participants: participant.clone(),
                seal_ids: seal.clone(),
                photos: photos.collect::<Result<_, Error>>()?,
                root_fingerprint: root.fingerprint,
                notes: notes.clone(),
            })
        }
    })
}

fn read_request(path: &Path) -> Result<(Request, Asks), Error> {
    let refused = |why: String| Error::Refused(format!("{} cannot be signed: {why}", path.display()));
    let request = Request::parse(&read(path, MOST)?).map_err(refused)?;
    let asks = request.asks().map_err(refused)?;
    Ok((request, asks))
}

fn sign(args: &SignArgs) -> Result<(), Error> {
    let (request, _) = read_request(&args.request)?;
    let key = Secret::open(&folder(args.dir.as_deref())?, &asked)?;
    let shown = request.shown().map_err(Error::Refused)?;
    say(format_args!("{shown:#}"))?;
    write_new(&args.out, request.signed(&key).text().as_bytes())?;
    say(format_args!("wrote {}, signed by {}", args.out.display(), key.public().id()))
}

fn accept(args: &AcceptArgs) -> Result<(), Error> {
    let (request, asks) = read_request(&args.request)?;
    let refused = |why: String| Error::Failed(format!("{} was not accepted: {why}", args.request.display()));
    let part = |path: &PathBuf| {
        let bytes = read(path, MOST)?;
        Part::parse(&bytes).map_err(|why| Error::Refused(format!("{} is no part: {why}", path.display())))
    };
    let parts = args.parts.iter().map(part).collect::<Result<Vec<_>, Error>>()?;
    let (text, envelope) = request.joined(&parts).map_err(refused)?;
    let old = args.root.as_deref().map(signed).transpose()?;
    let needed = |what: &str| Error::Refused(format!("this needs {what}"));
    let mut since = None;
    if let Asks::Root(root) = &asks {
        if args.out.is_none() {
            return Err(needed("--out: where the root metadata is written"));
        }
        let new = Signed::of(envelope).map_err(refused)?;
        match &old {
            Some(old) => old.followed_by(&new).map_err(refused)?,
            None if root.version == 1 => {}
            None => return Err(needed("--root: the version that this one follows")),
        }
        if root.expires_at().is_none_or(|expires| expires <= seconds() as u64) {
            return Err(refused(format!("it expired at {}", root.expires)));
        }
    } else {
        let old = old.as_ref().ok_or_else(|| needed("--root: the custodians"))?;
        if args.log.is_none() {
            return Err(needed("--log and --log-keys: the log that takes it"));
        }
        let (is, threshold) = (old.root.custodians(&envelope), old.root.roles.root.threshold);
        if is < threshold {
            return Err(refused(format!("{is} of the custodians signed it, and it takes {threshold}")));
        }
        match &asks {
            Asks::Custody(record) if record.root_fingerprint != old.fingerprint => {
                return Err(refused("it is about another root".to_owned()));
            }
            Asks::Key(KeyEvent::Revoked(revoked)) => since = revoked.since,
            _ => {}
        }
    }
    let revoked = match &asks {
        Asks::Key(KeyEvent::Revoked(revoked)) => Some(&revoked.keyid),
        _ => None,
    };
    taken(args, &text, since, revoked)
}

/// Writes what was accepted, and appends it to the log.
fn taken(args: &AcceptArgs, text: &str, since: Option<u64>, revoked: Option<&String>) -> Result<(), Error> {
    if let Some(out) = &args.out {
        resonetics_runs::files::check_new(out)?;
    }
    if let (Some(dir), Some(keys)) = (&args.log, &args.log_keys) {
        log::read_note(dir)?;
        let key = Secret::open(keys, &asked)?;
        let formerly = args.formerly.as_deref().map(Public::read).transpose()?;
        if revoked == Some(&key.public().id()) {
            return Err(Error::Refused(
                "the key in --log-keys is the one that is revoked, and nobody believes a head by a revoked key: let custodians name another one first (`keys root request ... rotate`)".to_owned(),
            ));
        }
        let log = Log { dir, key: &key, formerly: formerly.as_ref() };
        let (index, head) = key_change::say(&log, text, since)?;
        say(format_args!("{}", json!({ "index": index, "size": head.size })))?;
    }
    let Some(out) = &args.out else { return Ok(()) };
    write_new(out, text.as_bytes())?;
    say(format_args!("wrote {}", out.display()))
}

fn show(args: &ShowArgs) -> Result<(), Error> {
    let signed = signed(&args.root)?;
    let state = match &args.log {
        Some(dir) => state(&signed, &log::Log::open(dir, &[])?)?,
        None => None,
    };
    let root = &signed.root;
    let shown = json!({
        "version": root.version,
        "expires": root.expires,
        "expired": root.expires_at().is_none_or(|expires| expires <= seconds() as u64),
        "fingerprint": signed.fingerprint,
        "roles": root.roles,
        "state": state.map(resonetics_lumen::proof::custody::State::name),
    });
    say(format_args!("{shown}"))
}
