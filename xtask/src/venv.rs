//! Virtual environments for Python with packages in given versions.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::answer;

/// Prints what of its arguments, `name==version` each, is not installed. A build such as `2.11.0+cpu`
/// is of version 2.11.0.
const MISSING: &str = "
import sys
from importlib.metadata import PackageNotFoundError, version
for pin in sys.argv[1:]:
    name, wanted = pin.split('==')
    try:
        found = version(name.split('[')[0]).split('+')[0]
    except PackageNotFoundError:
        found = None
    if found != wanted:
        print(pin)
";

/// Leaves a virtual environment in `folder` that has `packages` in these very versions, and yields its Python.
pub(crate) fn provide(folder: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    if !python.exists() {
        println!("   making a virtual environment for Python");
        answer(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).map_err(|problem| {
            format!("{problem}\nInstall Python 3 with venv and pip (Debian: apt install python3-venv)")
        })?;
    }
    let missing = answer(Command::new(&python).args(["-c", MISSING]).args(packages))
        .map_err(|problem| format!("{problem}\nRemove {} and run this again", folder.display()))?;
    let missing: Vec<&str> = missing.lines().collect();
    if !missing.is_empty() {
        println!("   installing {} with pip", missing.join(", "));
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(&missing);
        answer(&mut pip).map_err(|problem| {
            format!(
                "{problem}\nCheck the network and pip's index, or install {} into {} by other means",
                missing.join(" "),
                folder.display()
            )
        })?;
    }
    Ok(python)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_not_installed_in_its_version_is_named() {
        if Command::new("python3").arg("--version").output().is_err() {
            return; // the rest does without Python
        }
        let place = tempfile::tempdir().unwrap();
        for (name, version) in [("one_peer", "1.2"), ("two_peer", "2.11.0+cpu"), ("three_peer", "3.0")] {
            let folder = place.path().join(format!("{name}-{version}.dist-info"));
            fs::create_dir(&folder).unwrap();
            let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
            fs::write(folder.join("METADATA"), text).unwrap();
        }
        let pins = ["one_peer==1.2", "two_peer[cpu]==2.11.0", "three_peer==3.1", "four_peer==1.0"];
        let mut command = Command::new("python3");
        command.args(["-c", MISSING]).args(pins).env("PYTHONPATH", place.path());
        assert_eq!(answer(&mut command).unwrap(), "three_peer==3.1\nfour_peer==1.0\n");
    }
}
