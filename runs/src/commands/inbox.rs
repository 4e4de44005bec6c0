//! Where a run at work is asked: a Unix socket of its folder's own name that no file stands for, so that a kill leaves nothing
//! behind; a line of JSON there, a line back. It hears the user that it runs as, and root, alone.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_peercred;
use rustix::process::getuid;
use serde::{Deserialize, Serialize};

use super::record::Request;
use crate::error::{self, Error};
use crate::run_dir::{ended, held};

/// The most bytes of a request, and of an answer.
const MOST: u64 = 1 << 16;
/// Requests that wait; who comes later waits in the system's queue.
const WAITING: usize = 16;
/// How long the end of a run waits for those who are being answered.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long somebody may take to say what he wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a run answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// The number of the command in the record; none of what was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The clock of the run at which it took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<u64>,
    /// In words.
    pub result: String,
}

impl Answer {
    /// That it was not done, and why.
    pub fn refused(why: impl Into<String>) -> Answer {
        Answer { done: false, id: None, clock: None, result: why.into() }
    }
}

/// A request, and who waits for the answer.
pub struct Asked {
    /// The request.
    pub request: Request,
    answer: Option<SyncSender<Answer>>,
}

impl Asked {
    /// Of somebody in this process, who waits for no answer.
    pub fn unanswered(request: Request) -> Asked {
        Asked { request, answer: None }
    }

    /// Of somebody in this process, and where the answer arrives.
    pub fn answered(request: Request) -> (Asked, Receiver<Answer>) {
        let (answer, answered) = sync_channel(1);
        (Asked { request, answer: Some(answer) }, answered)
    }

    /// Answers.
    pub fn answer(self, answer: Answer) {
        if let Some(sender) = self.answer {
            // Who has gone away needs none.
            let _ = sender.send(answer);
        }
    }
}

/// The socket of a run at work, gone when this is dropped or the process is killed.
pub struct Inbox {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    /// Shared with each thread that hears or answers somebody.
    talking: Arc<()>,
    asked: Mutex<Receiver<Asked>>,
}

impl Inbox {
    /// Opens that of the run in `dir`, which this process works at.
    ///
    /// # Errors
    /// That there is such a socket already, or the system has none of the kind.
    pub fn open(dir: &Path) -> Result<Inbox, Error> {
        let failed = || error::io("listen at", dir);
        let address = address(dir).map_err(failed())?;
        let listener = UnixListener::bind_addr(&address).map_err(failed())?;
        let (sender, asked) = sync_channel(WAITING);
        let closed = Arc::new(AtomicBool::new(false));
        let (also, talking) = (Arc::clone(&closed), Arc::new(()));
        let talk = Arc::clone(&talking);
        std::thread::Builder::new()
            .name("control".to_owned())
            .stack_size(256 << 10)
            .spawn(move || listen(&listener, &sender, &also, &talk))
            .map_err(failed())?;
        Ok(Inbox { address, closed, talking, asked: Mutex::new(asked) })
    }

    /// Takes who has asked since; waits up to `wait` for somebody where nobody has.
    pub fn take(&self, wait: Duration) -> Vec<Asked> {
        let Ok(asked) = self.asked.lock() else { return Vec::new() };
        // Asked at each generation of a garden: without the clock where nobody waits.
        if wait.is_zero() {
            return asked.try_iter().collect();
        }
        let Ok(first) = asked.recv_timeout(wait) else { return Vec::new() };
        std::iter::once(first).chain(asked.try_iter()).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes who listens, so that the socket goes.
        let _ = UnixStream::connect_addr(&self.address);
        // Who was answered is to read it before this process ends; who says nothing is not waited for.
        let start = Instant::now();
        while Arc::strong_count(&self.talking) > 1 && start.elapsed() < FAREWELL {
            for asked in self.take(Duration::from_millis(1)) {
                asked.answer(Answer::refused("the run has come to its end"));
            }
        }
    }
}

/// That of the run in `dir`: by the folder's number, whatever path leads there.
#[cfg(target_os = "linux")]
fn address(dir: &Path) -> io::Result<SocketAddr> {
    let folder = fs::metadata(dir)?;
    let name = format!("resonetics/{}/{}", folder.dev(), folder.ino());
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn address(_: &Path) -> io::Result<SocketAddr> {
    Err(ErrorKind::Unsupported.into())
}

/// Whether the other end is of the user of this process, or root.
fn is_trusted(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| peer.uid == getuid() || peer.uid.is_root())
}

/// Takes one request after the other until the run is at its end.
fn listen(listener: &UnixListener, sender: &SyncSender<Asked>, closed: &AtomicBool, talking: &Arc<()>) {
    for stream in listener.incoming() {
        if closed.load(Ordering::Relaxed) {
            return;
        }
        let Some(stream) = stream.ok().filter(is_trusted) else { continue };
        let (sender, talking) = (sender.clone(), Arc::clone(talking));
        // Whoever says nothing keeps nobody else waiting.
        let spawned =
            std::thread::Builder::new().name("asked".to_owned()).stack_size(256 << 10).spawn(move || {
                serve(&stream, &sender);
                drop(talking);
            });
        drop(spawned);
    }
}

/// Hears one request, hands it on and says what came of it.
fn serve(mut stream: &UnixStream, sender: &SyncSender<Asked>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut line = String::new();
    let heard = BufReader::new(stream.take(MOST)).read_line(&mut line);
    let request: Result<Request, String> = match heard {
        Err(error) => Err(error.to_string()),
        Ok(_) if !line.ends_with('\n') => {
            Err(format!("a request is one line of JSON of at most {MOST} bytes"))
        }
        Ok(_) => serde_json::from_str(&line)
            .map_err(|error| format!("a request is a line of JSON: {error}"))
            .and_then(|request| from_outside(&request).map(|()| request)),
    };
    let answer = match request {
        Err(problem) => Answer::refused(problem),
        Ok(request) => {
            let (asked, answered) = Asked::answered(request);
            let sent = sender.send(asked);
            let gone = || Answer::refused("the run has come to its end");
            if sent.is_ok() { answered.recv().unwrap_or_else(|_| gone()) } else { gone() }
        }
    };
    let mut text = serde_json::to_vec(&answer).unwrap_or_default();
    text.push(b'\n');
    let _ = stream.write_all(&text);
}

/// Refuses names that stand for somebody else, and notes that would write to a terminal.
fn from_outside(Request { by, note, .. }: &Request) -> Result<(), String> {
    let plain = |letter: char| letter.is_alphanumeric() || "_-.@".contains(letter);
    let number = by.chars().all(|letter| letter.is_ascii_digit());
    if by.len() > 64 || number || !by.chars().all(plain) || ["gate", "fork"].contains(&by.as_str()) {
        return Err(format!(
            "--by {by:?}: a name has 1 to 64 letters, digits, _, -, . and @, is no number, and neither `gate` nor `fork`"
        ));
    }
    if note.len() > 1000 || note.chars().any(char::is_control) {
        return Err("--note: a note has 1000 bytes at most, and no control characters".to_owned());
    }
    Ok(())
}

/// Asks the run in `dir`, and waits for its answer.
///
/// # Errors
/// [`Error::Refused`] if no process is at work in it, or it listens to nobody; that it went away before it answered.
pub fn ask(dir: &Path, request: &Request) -> Result<Answer, Error> {
    let connected = address(dir).and_then(|address| UnixStream::connect_addr(&address));
    let stream = connected.map_err(|failure| {
        let shown = dir.display();
        let why = match (ended(dir).as_deref(), held(dir)) {
            (None, _) => format!("{shown} is no run"),
            (Some("running"), Some(true)) => {
                format!(
                    "{shown} is at work and listens to nobody ({failure}): it is a run that takes no commands"
                )
            }
            (Some(status), _) => {
                format!("no process is at work in {shown}: it is `{status}`, and takes no commands")
            }
        };
        Error::Refused(why)
    })?;
    if !is_trusted(&stream) {
        return Err(Error::Refused(format!(
            "who answers for {} is another user: nothing was asked",
            dir.display()
        )));
    }
    let mut text = serde_json::to_vec(request)
        .map_err(|error| Error::Failed(format!("cannot encode a request: {error}; please report this")))?;
    text.push(b'\n');
    let gone = |failure: io::Error| {
        Error::Unknown(format!(
            "{} has gone away before it answered ({failure}): whether it was told stands in {}",
            dir.display(),
            super::FILE
        ))
    };
    (&stream).write_all(&text).map_err(gone)?;
    let mut line = String::new();
    BufReader::new((&stream).take(MOST)).read_line(&mut line).map_err(gone)?;
    serde_json::from_str(&line).map_err(|error| gone(io::Error::new(ErrorKind::InvalidData, error)))
}
