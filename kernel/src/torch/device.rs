//! Which device to compute on, and what of libtorch there is.
//!
//! One binary serves both kinds of machine: it is linked to the CPU part of libtorch, and loads the CUDA
//! part, where there is one, before it first asks for a device. (The linker drops a library that no
//! symbol is taken from, and libtorch then says that CUDA is not available.)

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
pub use tch::{Device, get_num_threads as threads, set_num_threads as set_threads};

const CUDA_PART: &str = "libtorch_cuda.so";

/// The device that `auto`, `cpu`, `cuda` or `cuda:N` names. `auto` is the first CUDA device if there is
/// one, else the CPU.
///
/// # Errors
/// If the word is none of these, or the CUDA device is not there; says why.
pub fn choose(wanted: &str) -> Result<Device, String> {
    let index = match wanted {
        "cpu" => return Ok(Device::Cpu),
        "auto" => return Ok(if cuda().is_ok() { Device::Cuda(0) } else { Device::Cpu }),
        "cuda" => Some(0),
        _ => wanted.strip_prefix("cuda:").and_then(|index| index.parse::<usize>().ok()),
    };
    let index = index.ok_or_else(|| {
        format!("device `{wanted}`: expected auto, cpu, cuda or cuda:N (N = 0 for the first)")
    })?;
    let there = cuda().map_err(|why| format!("device `{wanted}`: {why}"))?;
    if index < there {
        Ok(Device::Cuda(index))
    } else {
        Err(format!("device `{wanted}`: there are {there} CUDA devices, cuda:0 to cuda:{}", there - 1))
    }
}

/// Number of CUDA devices, at least 1.
///
/// # Errors
/// Why there are none.
pub fn cuda() -> Result<usize, String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(load_cuda_part).clone()?;
    match tch::Cuda::device_count() {
        count if count > 0 && tch::Cuda::is_available() => Ok(count as usize),
        _ => Err(format!(
            "{CUDA_PART} is loaded, but it sees no device: does `nvidia-smi` list one, is the driver recent \
             enough for CUDA 13, does CUDA_VISIBLE_DEVICES hide it?"
        )),
    }
}

/// The folder of the libtorch that this process has loaded: the one with `lib/`. Linux only.
pub fn folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let library = maps.lines().find_map(|line| {
        let path = Path::new(line.get(line.find('/')?..)?);
        (path.file_name()? == "libtorch_cpu.so").then_some(path)
    })?;
    library.parent()?.parent().map(Path::to_owned)
}

/// The version of the libtorch in a folder, such as `2.11.0+cpu`.
pub fn version(folder: &Path) -> Option<String> {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    let python = || {
        let text = read("version.py")?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        line.split(['\'', '"']).nth(1).map(str::to_owned)
    };
    read("build-version").map(|text| text.trim().to_owned()).or_else(python)
}

/// Loads the CUDA part for the rest of the process.
fn load_cuda_part() -> Result<(), String> {
    let in_lib = |folder: PathBuf| folder.join("lib").join(CUDA_PART);
    // By its name alone: LD_LIBRARY_PATH, then the folders that the binary was linked for.
    let mut places = vec![PathBuf::from(CUDA_PART)];
    places.extend(folder().map(in_lib));
    places.extend(std::env::var_os("LIBTORCH").map(PathBuf::from).map(in_lib));
    let mut problem = None;
    for place in places {
        match open_for_ever(&place) {
            Ok(()) => return Ok(()),
            // A library that is there and does not load says more than one that is not there.
            Err(error) if place.exists() || error.contains("undefined symbol") => problem = Some(error),
            Err(_) => {}
        }
    }
    Err(problem.map_or_else(
        || {
            format!(
                "no {CUDA_PART} beside libtorch, on LD_LIBRARY_PATH or in LIBTORCH: \
                 `cargo xtask libtorch --cuda` provides it"
            )
        },
        |error| format!("{CUDA_PART} does not load: {error}"),
    ))
}

/// Loads a library with its symbols visible to all others, and never unloads it.
#[allow(unsafe_code)]
fn open_for_ever(path: &Path) -> Result<(), String> {
    // SAFETY: loading runs the library's initialisers. This is libtorch's own CUDA part, which libtorch's
    // Python package loads in the same way; it registers itself with the libtorch that is loaded already.
    // It is leaked, so no termination routine runs early and no symbol taken from it dangles.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) };
    library.map(std::mem::forget).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert_eq!(choose("cpu"), Ok(Device::Cpu));
        for wrong in ["gpu", "cuda:", "cuda:-1", "cuda:x", ""] {
            let problem = choose(wrong).unwrap_err();
            assert!(problem.contains("expected auto, cpu, cuda or cuda:N"), "{wrong}: {problem}");
        }
        match cuda() {
            Ok(count) => {
                assert_eq!(choose("auto"), Ok(Device::Cuda(0)));
                assert_eq!(choose("cuda"), Ok(Device::Cuda(0)));
                assert!(choose(&format!("cuda:{count}")).is_err());
            }
            Err(why) => {
                assert_eq!(choose("auto"), Ok(Device::Cpu));
                assert!(choose("cuda:0").unwrap_err().ends_with(&why));
            }
        }
    }

    /// The build needs this version and no other, and rpath is what finds it.
    #[test]
    fn libtorch_is_found_without_a_variable() {
        assert!(tch::Tensor::from_slice(&[1.0_f32]).double_value(&[0]) == 1.0);
        let folder = folder().expect("libtorch_cpu.so is mapped");
        assert!(version(&folder).expect("a version").starts_with("2.11.0"));
    }
}
