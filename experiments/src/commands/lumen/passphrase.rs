//! Where keys are, and what opens them.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use resonetics_lumen::notify::variable;
use resonetics_lumen::proof::chain::{Chain, MOST as MOST_CHAIN, certificates, list};
use resonetics_lumen::proof::issue::pem;
use resonetics_lumen::proof::key::{Public, Secret};
use resonetics_runs::files::text_within;
use resonetics_runs::{Error, error, interrupt};
use rustix::fs::OFlags;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// The variable with the passphrase; with `_FILE` behind it, that of the file that has it.
const VARIABLE: &str = "LUMEN_KEY_PASS";

/// The most bytes that a passphrase may have.
const MOST: usize = 1024;

/// What every command that signs can be told.
#[derive(Debug, Args)]
pub struct Signing {
    /// Folder of the key that signs [default: resonetics/keys in the configuration folder of the user]
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The log; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "log")]
    pub log: PathBuf,
    /// What a new log is called, in each of its heads [default: after its key]
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// Public key of the log's heads until now, where the one that signs takes its place
    #[arg(long, value_name = "PUB")]
    pub formerly: Option<PathBuf>,
}

/// Certificates of who signs.
#[derive(Debug, Args)]
pub struct Certificates {
    /// Certificates of the signer and the root (`lumen keys issue`)
    #[arg(long, value_name = "FILE")]
    pub chain: Option<PathBuf>,
    /// The list of revoked certificates (`lumen keys crl`)
    #[arg(long, value_name = "FILE", requires = "chain")]
    pub crl: Option<PathBuf>,
}

impl Certificates {
    /// What was given of them.
    pub fn read(&self) -> Result<Option<Chain>, Error> {
        let text = |path: &Path| text_within(path, MOST_CHAIN);
        let Some(chain) = &self.chain else { return Ok(None) };
        let none = |path: &Path, what: &str| {
            Error::Refused(format!(
                "{} holds no {what} in PEM, or something else too; check the path",
                path.display()
            ))
        };
        // What else a file may hold, a private key for one, must not get into a proof.
        let read = certificates(&text(chain)?).filter(|all| !all.is_empty());
        let read = read.ok_or_else(|| none(chain, "certificates"))?;
        let spelt = read.iter().map(pem).collect::<Result<String, Error>>()?;
        let of_list = |path: &PathBuf| {
            let read = list(&text(path)?).ok_or_else(|| none(path, "list of revoked certificates"))?;
            pem(&read)
        };
        let crl = self.crl.as_ref().map(of_list).transpose()?;
        Ok(Some(Chain { certificates: spelt, crl }))
    }
}

impl Signing {
    /// The key.
    pub fn key(&self) -> Result<Secret, Error> {
        Secret::open(&folder(self.keys.as_deref())?, &asked)
    }

    /// The key of the log's heads until now.
    pub fn formerly(&self) -> Result<Option<Public>, Error> {
        self.formerly.as_deref().map(Public::read).transpose()
    }
}

/// The folder of keys that was typed, or the usual one.
pub fn folder(typed: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(typed) = typed {
        return Ok(typed.to_path_buf());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    config.map(|config| config.join("resonetics/keys")).ok_or_else(|| {
        Error::Refused("neither XDG_CONFIG_HOME nor HOME is set: say which folder the key is in".to_owned())
    })
}

/// Public keys from files.
pub fn public(paths: &[PathBuf]) -> Result<Vec<Public>, Error> {
    paths.iter().map(|path| Public::read(path)).collect()
}

/// What the variable says of the passphrase, or its file.
pub fn told() -> Result<Option<String>, Error> {
    variable(VARIABLE)
}

/// The passphrase: as the variable says it, or typed.
pub fn asked() -> Result<String, Error> {
    told()?.map_or_else(|| typed("passphrase of the key"), Ok)
}

/// A line typed at the terminal, unseen.
pub fn typed(what: &str) -> Result<String, Error> {
    typed_for(VARIABLE, what)
}

/// The same; where there is no terminal, `variable` is what should have been set.
pub fn typed_for(variable: &str, what: &str) -> Result<String, Error> {
    let path = Path::new("/dev/tty");
    // Without waiting: Ctrl-C has to be heard, and the terminal put back as it was.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut tty = File::options().read(true).write(true).custom_flags(flags).open(path).map_err(|_| {
        Error::Refused(format!(
            "a passphrase is needed and there is no terminal to ask at: set {variable}_FILE or {variable}"
        ))
    })?;
    let failed = |problem: rustix::io::Errno| error::io("use", path)(problem.into());
    let before = tcgetattr(&tty).map_err(failed)?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&tty, OptionalActions::Flush, &unseen).map_err(failed)?;
    let line = write!(tty, "{what}: ").map_err(error::io("write", path)).and_then(|()| line(&mut tty));
    let put_back = tcsetattr(&tty, OptionalActions::Now, &before).map_err(failed);
    let _ = writeln!(tty);
    put_back.and(line)
}

fn line(tty: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let mut one = [0];
    while bytes.len() < MOST {
        interrupt::check()?;
        match tty.read(&mut one) {
            Ok(0) => break,
            Ok(_) if one[0] == b'\n' => break,
            Ok(_) => bytes.push(one[0]),
            Err(problem) if problem.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(20)),
            Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
            Err(problem) => {
                return Err(error::io("read", Path::new("/dev/tty"))(io::Error::from(problem.kind())));
            }
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::Refused("the passphrase is no text; type it again".to_owned()))
}
