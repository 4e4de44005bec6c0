//! Long work: on threads of its own, while the thread that called shows how far it is and listens for Ctrl-C.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{
    PyFileNotFoundError, PyKeyboardInterrupt, PyOSError, PyPermissionError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use resonetics_analysis::read::ReadError;
use resonetics_envs::config::ConfigError;
use resonetics_runs::Error;
use resonetics_runs::interrupt::Stop;
use resonetics_runs::progress::Progress;

/// Between two looks at the work.
const LOOK: Duration = Duration::from_millis(50);

/// What the work tells of itself. It is written by its threads and read by the one that called.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Notes>);

#[derive(Default)]
struct Notes {
    total: AtomicU64,
    done: AtomicU64,
    message: Mutex<String>,
    remarks: Mutex<Vec<String>>,
    /// What a function of Python raised in the midst of it.
    raised: Mutex<Option<PyErr>>,
    stop: Arc<AtomicBool>,
}

impl Told {
    /// There are `total` in all.
    pub(crate) fn of(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
        self.0.done.store(0, Ordering::Relaxed);
    }

    /// Says what the user has to know.
    pub(crate) fn remark(&self, line: &str) {
        self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// As [`Told::remark`], for those who ask whether it could be told.
    #[allow(clippy::unnecessary_wraps)] // as `Tell` has it
    pub(crate) fn told(&self, line: &str) -> Result<(), Error> {
        self.remark(line);
        Ok(())
    }

    /// Stops the work, for `raised` was raised in it.
    pub(crate) fn fail(&self, raised: PyErr) {
        self.0.raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(raised);
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it is to stop.
    pub(crate) fn stops(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Hands on what is new to `show`, a `resonetics.progress.Remarks`.
    fn hand_on(&self, py: Python<'_>, show: &Bound<'_, PyAny>) -> PyResult<()> {
        py.check_signals()?;
        let remarks = std::mem::take(&mut *self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner));
        for remark in remarks {
            show.call_method1("remark", (remark,))?;
        }
        let message = self.0.message.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [done, total] = [&self.0.done, &self.0.total].map(|count| count.load(Ordering::Relaxed));
        show.call_method1("show", (done, total, message)).map(drop)
    }
}

impl Progress for Told {
    fn begin_at(&self, count: u64) {
        self.0.done.store(count, Ordering::Relaxed);
    }

    fn inc(&self, count: u64) {
        self.0.done.fetch_add(count, Ordering::Relaxed);
    }

    fn tick(&self) {}

    fn message(&self, text: &str) {
        text.clone_into(&mut self.0.message.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn finish(&self) {}
}

/// Does `work` on `threads` threads. `KeyboardInterrupt`, or what `show` raises, stops it as Ctrl-C stops the program: its run
/// says so, and goes on later.
pub(crate) fn at_work<R: Send>(
    py: Python<'_>,
    threads: usize,
    show: &Bound<'_, PyAny>,
    work: impl FnOnce(&Told) -> Result<R, Error> + Send,
) -> PyResult<R> {
    let told = Told::default();
    let (ended, end) = mpsc::channel::<()>();
    let shown = show.clone().unbind();
    let noted = &told;
    let outcome = py.detach(move || {
        thread::scope(|scope| {
            let told = noted;
            let worker = scope.spawn(move || {
                let outcome = Stop::by(&told.0.stop).on_threads(threads, || work(told));
                drop(ended);
                outcome
            });
            let look = || {
                if !told.stops()
                    && let Err(raised) = Python::attach(|py| told.hand_on(py, shown.bind(py)))
                {
                    told.fail(raised);
                }
            };
            while end.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                look();
            }
            look();
            worker.join()
        })
    });
    if let Some(raised) = told.0.raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(raised);
    }
    match outcome {
        Ok(outcome) => outcome.and_then(|done| done).map_err(error),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// An error as Python has it, with the words of the command line; its options are keywords here.
pub(crate) fn error(error: Error) -> PyErr {
    let text = match &error {
        Error::Setting(setting) if setting.place == "--set" => {
            ConfigError { place: "settings".to_owned(), ..setting.clone() }.to_string()
        }
        error => as_keywords(&error.to_string()),
    };
    let source = match &error {
        Error::File(file) => Some(&file.source),
        Error::Read(ReadError::Io { source, .. }) => Some(source),
        _ => None,
    };
    match (source.map(std::io::Error::kind), &error) {
        (Some(std::io::ErrorKind::NotFound), _) => PyFileNotFoundError::new_err(text),
        (Some(std::io::ErrorKind::PermissionDenied), _) => PyPermissionError::new_err(text),
        (Some(_), _) => PyOSError::new_err(text),
        (None, Error::Interrupted(_)) => PyKeyboardInterrupt::new_err(text),
        (None, error) if error.is_refusal() => PyValueError::new_err(text),
        (None, _) => PyRuntimeError::new_err(text),
    }
}

/// Options of the command line, and the keywords that they are in Python.
const KEYWORDS: [(&str, &str); 11] = [
    ("--obs-noise", "obs_noise"),
    ("--drift-scale", "drift_scale"),
    ("--baseline", "baseline"),
    ("--episodes", "episodes"),
    ("--sample", "sample=True"),
    ("--cells", "cells"),
    ("--steps", "steps"),
    ("--life", "life"),
    ("--seed", "seed"),
    ("--set ", ""),
    ("--out", "out"),
];

fn as_keywords(text: &str) -> String {
    KEYWORDS.iter().fold(text.to_owned(), |text, (option, keyword)| text.replace(option, keyword))
}
