//! SIGINT and SIGTERM as a question the work asks now and then.

use crate::failure::Failure;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_shutdown};
use std::sync::atomic::{AtomicBool, Ordering};

static INSTALLED: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static TERMINATED: AtomicBool = AtomicBool::new(false);
static FILE_TOO_LARGE: AtomicBool = AtomicBool::new(false);

/// From now on the first SIGINT or SIGTERM is noted for [`check`], and a second one of the same
/// kind ends the process at once. A file that reaches the size limit becomes an I/O error.
///
/// # Errors
/// [`Failure::Failed`] if the system refuses.
pub fn install() -> Result<(), Failure> {
    // Registered twice, the first signal would pass for the second.
    if INSTALLED.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    for (signal, arrived) in [(SIGINT, &INTERRUPTED), (SIGTERM, &TERMINATED)] {
        // In this order, or the first signal would already end the process.
        register_conditional_shutdown(signal, 128 + signal, arrived)
            .and_then(|_| register(signal, arrived))
            .map_err(|error| Failure::Failed(format!("cannot watch for signal {signal}: {error}")))?;
    }
    // Nobody asks for this one: with a handler the write itself fails instead of the process.
    register(SIGXFSZ, &FILE_TOO_LARGE)
        .map(|_| ())
        .map_err(|error| Failure::Failed(format!("cannot watch for signal {SIGXFSZ}: {error}")))
}

/// Whether to go on.
///
/// # Errors
/// [`Failure::Interrupted`] once SIGINT or SIGTERM has arrived, and ever after.
pub fn check() -> Result<(), Failure> {
    for (signal, arrived) in [(SIGINT, &INTERRUPTED), (SIGTERM, &TERMINATED)] {
        if arrived.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted(signal));
        }
    }
    Ok(())
}
