//! Whether what was asked for fits into memory.

use crate::failure::Failure;

/// Refuses `what`, such as `--num-envs 5000`, if it needs more memory than there is.
///
/// # Errors
/// [`Failure::Usage`] with both figures. Where the system does not tell (not Linux), none.
pub fn fits(what: &str, bytes: usize) -> Result<(), Failure> {
    let Some(available) = available() else { return Ok(()) };
    if bytes <= available {
        return Ok(());
    }
    let gib = |bytes: usize| bytes as f64 / f64::from(1 << 30);
    Err(Failure::Usage(format!(
        "{what}: this needs about {:.1} GiB of memory, allowed is what is free: {:.1} GiB",
        gib(bytes),
        gib(available)
    )))
}

fn available() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused_by_name() {
        if available().is_some() {
            let refused = fits("--num-envs 9", usize::MAX).unwrap_err().to_string();
            assert!(refused.starts_with("--num-envs 9: this needs about 17179869184.0 GiB"), "{refused}");
        }
        assert!(fits("nothing", 0).is_ok());
    }
}
