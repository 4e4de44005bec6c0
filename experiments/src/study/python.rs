//! Scripts that a study runs with Python: those of benches/peers, which the program carries along.

use std::path::Path;
use std::process::{Command, Stdio};

use resonetics_runs::Error;
use resonetics_runs::error::io;
use resonetics_runs::files::write_atomic;

/// What is run unless another Python is named.
pub const USUAL: &str = "python3";

/// Where the scripts are in the folder of a study.
pub const FOLDER: &str = "peers";

/// What a script writes into its folder, whole, when all is done.
pub const RESULT: &str = "peer.json";

/// Its version is that of xtask/src/bench/python.rs; pip installs gymnasium, numpy and torch along with it.
const NEEDED: &str = "stable-baselines3==2.9.2";

/// What the scripts import; tomllib came with Python 3.11.
const IMPORTS: &str = "import tomllib, stable_baselines3";

const SCRIPTS: [(&str, &str); 3] = [
    ("sb3_k8s.py", include_str!("peers/sb3_k8s.py")),
    ("gymnasium_k8s.py", include_str!("peers/gymnasium_k8s.py")),
    ("sb3_train.py", include_str!("peers/sb3_train.py")),
];

/// Whether `python` can run the scripts.
///
/// # Errors
/// Why it cannot, and what to do.
pub fn ready(python: &Path) -> Result<(), String> {
    let name = python.display();
    let tried = Command::new(python).args(["-c", IMPORTS]).stdin(Stdio::null()).output();
    let problem = match tried {
        Ok(tried) if tried.status.success() => return Ok(()),
        Ok(tried) => {
            let said = String::from_utf8_lossy(&tried.stderr).into_owned();
            said.lines().last().map_or_else(|| tried.status.to_string(), str::to_owned)
        }
        Err(error) => error.to_string(),
    };
    Err(format!(
        "`{name}` cannot run Stable-Baselines3 ({problem}): install it there (pip install {NEEDED}, Python 3.11 or newer), or name a Python that has it with --python, and run this again"
    ))
}

/// Writes the scripts into the study in `dir`.
///
/// # Errors
/// Any I/O error, naming the file.
pub fn provide(dir: &Path) -> Result<(), Error> {
    let folder = dir.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(io("make", &folder))?;
    SCRIPTS.iter().try_for_each(|(name, text)| write_atomic(&folder.join(name), text.as_bytes()))
}
