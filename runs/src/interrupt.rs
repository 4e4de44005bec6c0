//! SIGINT, SIGTERM, SIGQUIT and SIGHUP as a question the work asks now and then, and the wish of who called it.

use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::low_level::pipe;

use crate::error::Error;

/// How long after the first signal another one is somebody's impatience. Within it the same wish may arrive
/// more than once: `timeout` sends to the process and then to its group, a wrapper passes on what the
/// terminal has sent already.
const MOMENT: Duration = Duration::from_secs(1);

static INSTALLED: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static TERMINATED: AtomicBool = AtomicBool::new(false);
static QUIT: AtomicBool = AtomicBool::new(false);
static HUNG_UP: AtomicBool = AtomicBool::new(false);
static FILE_TOO_LARGE: AtomicBool = AtomicBool::new(false);
/// Whether the next signal ends the process at once.
static IMPATIENT: AtomicBool = AtomicBool::new(false);

/// From now on the first SIGINT, SIGTERM or SIGQUIT is noted for [`check`], and one that arrives a
/// second or more after it, of whichever kind, ends the process at once. SIGHUP is noted too, but under
/// nohup, which ignores it. A file that reaches the size limit becomes an I/O error.
///
/// # Errors
/// [`Error::Failed`] if the system refuses.
pub fn install() -> Result<(), Error> {
    // Registered twice, each signal would be noted twice.
    if INSTALLED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let failed = |signal| move |error| Error::Failed(format!("cannot watch for signal {signal}: {error}"));
    let unwatched = |error: io::Error| Error::Failed(format!("cannot watch for signals: {error}"));
    let (mut first, arrives) = io::pipe().map_err(unwatched)?;
    for (signal, arrived) in [(SIGINT, &INTERRUPTED), (SIGTERM, &TERMINATED), (SIGQUIT, &QUIT)] {
        register_conditional_shutdown(signal, 128 + signal, &IMPATIENT)
            .and_then(|_| register(signal, arrived))
            .and_then(|_| pipe::register(signal, arrives.try_clone()?))
            .map_err(failed(signal))?;
    }
    // A handler cannot ask for the time. A small stack: it counts where address space is limited.
    std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            let _ = first.read_exact(&mut [0]);
            std::thread::sleep(MOMENT);
            IMPATIENT.store(true, Ordering::SeqCst);
        })
        .map_err(unwatched)?;
    if !ignored(SIGHUP) {
        // A terminal that is closed may send it twice: the second one ends nothing.
        register(SIGHUP, &HUNG_UP).map_err(failed(SIGHUP))?;
    }
    // Nobody asks for this one: with a handler the write itself fails instead of the process.
    register(SIGXFSZ, &FILE_TOO_LARGE).map(|_| ()).map_err(failed(SIGXFSZ))
}

/// Whether the process was started with `signal` ignored. Where the system does not say it, it counts as
/// ignored: what nohup has started must not be ended.
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .is_none_or(|set| set >> (signal - 1) & 1 == 1)
}

thread_local! {
    /// What stops the work that this thread belongs to; none where only signals do.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// What stops the work of this thread, for other threads that do a part of it.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<AtomicBool>>);

impl Stop {
    /// Once `stop` is set, in work that is done by [`Stop::on_threads`], [`check`] fails as it does after SIGINT, and in no other: for
    /// a program that watches for signals itself, and may do several things at a time.
    pub fn by(stop: &Arc<AtomicBool>) -> Stop {
        Stop(Some(Arc::clone(stop)))
    }

    /// That of the present thread.
    pub fn here() -> Stop {
        Stop(STOP.with(|stop| stop.borrow().clone()))
    }

    /// Does `work` on `threads` threads of its own.
    ///
    /// # Errors
    /// [`Error::Failed`] if the system gives no threads.
    pub fn on_threads<R: Send>(&self, threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
        let stop = self.0.clone();
        let begin = move |_| STOP.with(|own| own.borrow_mut().clone_from(&stop));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(begin).build();
        let pool = pool.map_err(|error| Error::Failed(format!("cannot start {threads} threads: {error}")))?;
        Ok(pool.install(work))
    }
}

/// Whether to go on.
///
/// # Errors
/// [`Error::Interrupted`] once one of the signals has arrived, and ever after; where there is a [`Stop`] also once that
/// is set.
pub fn check() -> Result<(), Error> {
    if STOP.with(|stop| stop.borrow().as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))) {
        return Err(Error::Interrupted(SIGINT));
    }
    let noted = [(SIGINT, &INTERRUPTED), (SIGTERM, &TERMINATED), (SIGQUIT, &QUIT), (SIGHUP, &HUNG_UP)];
    for (signal, arrived) in noted {
        if arrived.load(Ordering::Relaxed) {
            return Err(Error::Interrupted(signal));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asked_for_it_is_stopped_and_nobody_else() {
        let [wanted, unwanted] = [true, false].map(|stop| Stop::by(&Arc::new(AtomicBool::new(stop))));
        let failed = || check().is_err();
        let inside = |stop: &Stop| {
            stop.on_threads(2, || {
                let inherited = Stop::here();
                let other = std::thread::scope(|scope| {
                    let part = scope.spawn(|| inherited.on_threads(1, failed).unwrap());
                    part.join().unwrap()
                });
                [failed(), rayon::join(failed, || ()).0, other]
            })
        };
        assert_eq!(inside(&wanted).unwrap(), [true; 3]);
        assert_eq!(inside(&unwanted).unwrap(), [false; 3]);
        assert!(check().is_ok());
    }
}
