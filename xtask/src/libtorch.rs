//! Provides libtorch: finds one or fetches one, and points `.libtorch` in the workspace at it.
//!
//! `.cargo/config.toml` hands `.libtorch` to the builds as LIBTORCH, and `kernel/build.rs` to what
//! they link. pip is the downloader, so that the user's own mirrors, proxies and certificates hold;
//! no address is written here. What is fetched lies in a cache that all clones share.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::root;

/// The version that tch 0.24.0 builds against, and no other.
const VERSION: &str = "2.11.0";
const PINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/libtorch-cpu.txt");
const CUDA_PINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/libtorch-cuda.txt");
const UNPACK: &str = include_str!("../unpack_wheels.py");
/// One and the same torch wheel for every python3; `libtorch-*.txt` has its checksum.
const WHEELS: [&str; 17] = [
    "--only-binary=:all:",
    "--implementation",
    "cp",
    "--python-version",
    "311",
    "--abi",
    "cp311",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_27_x86_64",
    "--platform",
    "manylinux_2_25_x86_64",
    "--platform",
    "manylinux_2_18_x86_64",
    "--platform",
    "manylinux2014_x86_64",
];
const OR_YOUR_OWN: &str =
    "or set LIBTORCH to the folder of a libtorch 2.11.0, or make PyTorch 2.11.0 importable by python3";

/// Leaves a libtorch behind `.libtorch`, with its CUDA part if `cuda`, and says which and where from.
pub(crate) fn provide(cuda: bool) -> Result<(), String> {
    println!("\n== libtorch {VERSION}{}", if cuda { " with CUDA" } else { "" });
    let link = root_link()?;
    // cargo sets LIBTORCH to .libtorch for what it runs, us included, unless the user has set it.
    if let Some(own) = std::env::var_os("LIBTORCH").map(PathBuf::from).filter(|own| *own != link) {
        let own = fs::canonicalize(&own)
            .map_err(|error| format!("LIBTORCH={}: {error}; unset it or correct it", own.display()))?;
        usable(&own, cuda).map_err(|problem| format!("LIBTORCH: {problem}; unset it or correct it"))?;
        println!("   LIBTORCH is set: {}", own.display());
        return point(&link, &own);
    }
    let cache = cache()?;
    if let Ok(folder) = fs::canonicalize(&link)
        && usable(&folder, cuda).is_ok()
        && (!folder.starts_with(&cache) || intact(&folder))
    {
        println!("   is there: {}", folder.display());
        return Ok(());
    }
    if let Some(folder) = of_python(cuda) {
        println!("   python3 imports PyTorch {VERSION}: {}", folder.display());
        return point(&link, &folder);
    }
    let folder = cached(&cache, cuda)?;
    println!("   in the cache: {}", folder.display());
    point(&link, &folder)
}

/// Whether `provide` will find one without fetching it.
pub(crate) fn is_there() -> bool {
    let link = root_link().ok();
    let own = std::env::var_os("LIBTORCH").map(PathBuf::from).filter(|own| Some(own) != link.as_ref());
    let cached = || Some(cache().ok()?.join(format!("libtorch-{VERSION}-cpu/torch")));
    let usable = |folder: Option<PathBuf>| folder.is_some_and(|folder| usable(&folder, false).is_ok());
    own.is_some() || usable(link) || of_python(false).is_some() || usable(cached())
}

/// `.libtorch` as cargo writes it into LIBTORCH.
fn root_link() -> Result<PathBuf, String> {
    let root = fs::canonicalize(root()).map_err(|error| format!("cannot find the workspace: {error}"))?;
    Ok(root.join(".libtorch"))
}

/// Whether this is the folder of a libtorch that tch builds against.
fn usable(folder: &Path, cuda: bool) -> Result<(), String> {
    let lib = |name: &str| {
        ["so", "dylib"].iter().any(|ending| folder.join(format!("lib/lib{name}.{ending}")).exists())
    };
    let place = folder.display();
    if !lib("torch_cpu") || !folder.join("include/torch").exists() {
        return Err(format!("{place} has no lib/libtorch_cpu and include/torch"));
    }
    // A libtorch says its version in build-version, the torch of Python in version.py.
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let found = read("build-version").trim().to_owned();
    let found = if found.is_empty() { version_of_python(&read("version.py")) } else { found };
    if found.split('+').next() != Some(VERSION) {
        return Err(format!("{place} is version `{found}`, tch needs {VERSION}"));
    }
    if cuda && !lib("torch_cuda") {
        return Err(format!("{place} has no lib/libtorch_cuda"));
    }
    Ok(())
}

/// The value in `__version__ = '2.11.0+cu130'`.
fn version_of_python(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("__version__")).unwrap_or_default();
    line.split(['\'', '"']).nth(1).unwrap_or_default().to_owned()
}

/// The folder of a PyTorch that `python3` finds and that serves. Nothing of it is executed.
fn of_python(cuda: bool) -> Option<PathBuf> {
    let find = "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s else '')";
    let output = Command::new("python3").args(["-c", find]).output().ok()?;
    let origin = String::from_utf8(output.stdout).ok()?;
    let folder = fs::canonicalize(Path::new(origin.trim()).parent()?).ok()?;
    usable(&folder, cuda).ok().map(|()| folder)
}

/// The user's cache folder of this project.
fn cache() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("resonetics"))
        .ok_or_else(|| {
            "neither XDG_CACHE_HOME nor HOME says where the cache is: set one to a full path".to_owned()
        })
}

/// A libtorch in the cache: there already, or fetched now. A folder under its final name is complete.
fn cached(cache: &Path, cuda: bool) -> Result<PathBuf, String> {
    let kind = if cuda { "cuda" } else { "cpu" };
    let name = format!("libtorch-{VERSION}-{kind}");
    let done = cache.join(&name);
    let place = done.display();
    let cannot = |what: String| move |error: io::Error| format!("cannot {what}: {error}");
    fs::create_dir_all(cache).map_err(cannot(format!("create {}", cache.display())))?;
    // Clones that ask at the same time wait for one another. The lock ends with the process.
    let lock = File::create(cache.join(format!("{name}.lock")))
        .and_then(|file| file.lock().map(|()| file))
        .map_err(cannot(format!("lock {place}")))?;
    if done.exists() {
        if usable(&done.join("torch"), cuda).is_ok() && intact(&done.join("torch")) {
            return Ok(done.join("torch"));
        }
        println!("   {place} is damaged: fetching it anew");
        fs::remove_dir_all(&done).map_err(cannot(format!("remove {place}")))?;
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        println!("   an earlier attempt did not end: starting anew");
        fs::remove_dir_all(&partial).map_err(cannot(format!("remove {}", partial.display())))?;
    }
    let fetched = fetch(&partial, cuda)
        .and_then(|()| fs::rename(&partial, &done).map_err(cannot(format!("rename {}", partial.display()))));
    if fetched.is_err() {
        let _ = fs::remove_dir_all(&partial); // the next attempt would, and says so if it cannot
    }
    drop(lock);
    fetched.map(|()| done.join("torch"))
}

/// Fetches the wheels and unpacks into `folder` what is needed of them.
fn fetch(folder: &Path, cuda: bool) -> Result<(), String> {
    if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
        return Err(format!(
            "libtorch is fetched for Linux on x86-64 only. Install PyTorch {VERSION} (pip install torch=={VERSION}), \
             {OR_YOUR_OWN}"
        ));
    }
    let python = Command::new("python3").args(["-m", "pip", "--version"]).output();
    match python {
        Err(error) => {
            return Err(format!(
                "python3, whose pip fetches libtorch, does not start ({error}). Install Python 3 with pip \
                 (Debian: apt install python3-pip), {OR_YOUR_OWN}"
            ));
        }
        Ok(output) if !output.status.success() => {
            return Err(format!(
                "python3 has no pip, which fetches libtorch. Install it (python3 -m ensurepip, or Debian: \
                 apt install python3-pip), {OR_YOUR_OWN}"
            ));
        }
        Ok(_) => {}
    }
    let (size, room) = if cuda { ("2.5 GB", "8 GB") } else { ("545 MB", "1.2 GB") };
    println!("   fetching {size} with pip (room for {room} is needed meanwhile)");
    let wheels = folder.join("wheels");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--require-hashes"]).args(WHEELS);
    pip.arg("--requirement").arg(PINS);
    if cuda {
        pip.arg("--requirement").arg(CUDA_PINS);
    }
    run(pip.arg("--dest").arg(&wheels)).map_err(|problem| {
        format!(
            "pip could not fetch libtorch ({problem}; its own words are above). Check the network and pip's \
             index (python3 -m pip config list) and run this again, {OR_YOUR_OWN}"
        )
    })?;
    println!("   unpacking");
    let mut unpack = Command::new("python3");
    unpack.args(["-c", UNPACK]).arg(&wheels).arg(folder).arg(if cuda { "cuda" } else { "cpu" });
    run(&mut unpack).map_err(|problem| format!("cannot unpack into {} ({problem})", folder.display()))?;
    fs::remove_dir_all(&wheels).map_err(|error| format!("cannot remove {}: {error}", wheels.display()))?;
    usable(&folder.join("torch"), cuda)
}

/// Runs a command with its output on the terminal.
fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Whether the libraries beside `torch` in the cache are those that were fetched.
fn intact(torch: &Path) -> bool {
    let folder = torch.join("..");
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "--status", "SHA256SUMS"]).current_dir(folder);
    run(&mut check).is_ok()
}

/// Makes `.libtorch` a link to `folder`.
fn point(link: &Path, folder: &Path) -> Result<(), String> {
    if fs::canonicalize(link).is_ok_and(|there| there == folder) {
        return Ok(());
    }
    let beside = link.with_extension("new");
    let _ = fs::remove_file(&beside); // left by a killed attempt, if at all
    std::os::unix::fs::symlink(folder, &beside)
        .and_then(|()| fs::rename(&beside, link))
        .map_err(|error| format!("cannot point {} at {}: {error}", link.display(), folder.display()))?;
    println!("   .libtorch points at it");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a libtorch.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        place
    }

    const PARTS: [(&str, &str); 2] = [("lib/libtorch_cpu.so", ""), ("include/torch/script.h", "")];

    #[test]
    fn only_the_version_of_tch_is_usable() {
        let of_python = "from typing import Optional\n\n__version__ = '2.11.0+cu130'\ndebug = False\n";
        for (file, text) in [("build-version", "2.11.0+cpu\n"), ("version.py", of_python)] {
            let place = folder(&[&PARTS[..], &[(file, text)]].concat());
            usable(place.path(), false).unwrap();
            assert!(usable(place.path(), true).unwrap_err().ends_with("has no lib/libtorch_cuda"));
            fs::write(place.path().join("lib/libtorch_cuda.so"), "").unwrap();
            usable(place.path(), true).unwrap();
            fs::write(place.path().join(file), text.replace("2.11.0", "2.11.1")).unwrap();
            let problem = usable(place.path(), false).unwrap_err();
            assert!(problem.contains("is version `2.11.1+c") && problem.ends_with("tch needs 2.11.0"));
        }
        assert!(usable(folder(&PARTS).path(), false).unwrap_err().contains("version ``"));
        let incomplete = folder(&[PARTS[0], ("build-version", "2.11.0")]);
        assert!(usable(incomplete.path(), false).unwrap_err().contains("include/torch"));
    }

    #[test]
    #[cfg(target_os = "linux")] // nothing is fetched elsewhere
    fn a_library_that_has_changed_is_not_intact() {
        let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; // of "hello"
        let sums = format!("{sum}  torch/lib/libtorch_cpu.so\n");
        let place = folder(&[("torch/lib/libtorch_cpu.so", "hello"), ("SHA256SUMS", &sums)]);
        let torch = place.path().join("torch");
        assert!(intact(&torch));
        fs::write(torch.join("lib/libtorch_cpu.so"), "hallo").unwrap();
        assert!(!intact(&torch));
        fs::remove_file(place.path().join("SHA256SUMS")).unwrap();
        assert!(!intact(&torch));
    }

    #[test]
    fn the_link_is_replaced_whole() {
        let place = folder(&[("one/file", ""), ("two/file", ""), ("taken/file", "")]);
        let at = |name: &str| fs::canonicalize(place.path().join(name)).unwrap();
        let link = place.path().join(".libtorch");
        for target in ["one", "two", "two"] {
            point(&link, &at(target)).unwrap();
            assert_eq!(fs::canonicalize(&link).unwrap(), at(target));
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 4, "nothing is left beside");
        let problem = point(&at("taken"), &at("one")).unwrap_err();
        assert!(problem.contains("cannot point"), "{problem}");
    }
}
