//! Whether what was asked for fits into memory: the machine's, the control group's, and what the process may
//! have.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// What glibc reserves of the address space for a thread that allocates.
const ARENA: u64 = 64 << 20;

/// Memory that is left below a limit.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    bytes: u64,
    /// Such as `of the machine's memory`.
    of: String,
}

/// Refuses `what`, such as `--num-envs 5000`, if it needs more memory than there is.
///
/// # Errors
/// [`Error::Refused`] with both figures and the limit that is nearest. Where the system tells none, none.
pub fn fits(what: &str, bytes: usize) -> Result<(), Error> {
    let mut left = below(Path::new("/"));
    left.extend(address_space(rayon::current_num_threads()));
    refused(what, bytes as u64, left)
}

fn refused(what: &str, needed: u64, left: Vec<Left>) -> Result<(), Error> {
    match left.into_iter().min_by_key(|left| left.bytes) {
        Some(Left { bytes, of }) if bytes < needed => Err(Error::Refused(format!(
            "{what}: needs about {} of memory, but only {} {of} is free",
            size(needed),
            size(bytes)
        ))),
        _ => Ok(()),
    }
}

fn size(bytes: u64) -> String {
    let gib = bytes as f64 / f64::from(1 << 30);
    if gib >= 1.0 { format!("{gib:.1} GiB") } else { format!("{:.0} MiB", 1024.0 * gib) }
}

/// What the files below `root` say: of the machine, and of the control groups that this process is in.
fn below(root: &Path) -> Vec<Left> {
    let mut left = Vec::new();
    let machine = field(&root.join("proc/meminfo"), "MemAvailable:");
    left.extend(machine.map(|kib| Left { bytes: kib << 10, of: "of the machine's memory".to_owned() }));
    let mounted = root.join("sys/fs/cgroup");
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    for line in groups.lines() {
        // number:controllers:path; version 2 has no controllers here.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if controllers.is_empty() {
            for folder in folders(&mounted, path) {
                left.extend(group(&folder, &["memory.max", "memory.high"], "memory.current", ""));
            }
        } else if controllers.split(',').any(|controller| controller == "memory") {
            for folder in folders(&mounted.join("memory"), path) {
                let usage = "memory.usage_in_bytes";
                left.extend(group(&folder, &["memory.limit_in_bytes"], usage, "total_"));
            }
        }
    }
    left
}

/// The folder of the group at `path` and those above it: each has limits. In a container the path may be one
/// of the machine outside, and the container's own group is where they are mounted.
fn folders(mounted: &Path, path: &str) -> Vec<PathBuf> {
    let below = Path::new(path.trim_start_matches('/'));
    below.ancestors().map(|path| mounted.join(path)).filter(|folder| folder.is_dir()).collect()
}

/// What is left in the group at `folder`. Pages of files count as free: the system takes them back.
fn group(folder: &Path, limits: &[&str], usage: &str, prefix: &str) -> Vec<Left> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let Some(used) = number(usage) else { return Vec::new() };
    let stat = folder.join("memory.stat");
    let cache = ["inactive_file", "active_file"].map(|name| field(&stat, &format!("{prefix}{name}")));
    let used = used.saturating_sub(cache.into_iter().flatten().sum());
    // No limit is the word max in version 2, a number beyond all memory in version 1.
    let left = |name: &&str| {
        let of = format!("below the limit {}", folder.join(name).display());
        Some(Left { bytes: number(name)?.saturating_sub(used), of })
    };
    limits.iter().filter_map(left).collect()
}

/// What this process may still have: under `ulimit -v` and `ulimit -d`.
fn address_space(threads: usize) -> Vec<Left> {
    let used = |name| field(Path::new("/proc/self/status"), name).map_or(0, |kib| kib << 10);
    let left = |resource, name| Some(getrlimit(resource).current?.saturating_sub(used(name)));
    let space = left(Resource::As, "VmSize:").map(|bytes| {
        // Without room for them threads share one: half of what is left is enough of a reserve.
        let arenas = (threads as u64).saturating_mul(ARENA).min(bytes / 2);
        Left { bytes: bytes - arenas, of: "of address space (ulimit -v)".to_owned() }
    });
    let data = left(Resource::Data, "VmData:")
        .map(|bytes| Left { bytes, of: "of the process's data (ulimit -d)".to_owned() });
    space.into_iter().chain(data).collect()
}

/// The number behind `name` in a file with a line for each.
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let mut words = text
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut words| (words.next()? == name).then_some(words))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A folder with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    /// Bytes that are left, in order.
    fn left(files: &[(&str, &str)]) -> Vec<u64> {
        below(root(files).path()).iter().map(|left| left.bytes).collect()
    }

    const MACHINE: (&str, &str) =
        ("proc/meminfo", "MemTotal:       24683656 kB\nMemFree:  2480624 kB\nMemAvailable:   2097152 kB\n");

    #[test]
    fn what_no_machine_has_is_refused_by_name() {
        if !below(Path::new("/")).is_empty() {
            let refused = fits("--num-envs 9", usize::MAX).unwrap_err().to_string();
            assert!(refused.starts_with("--num-envs 9: needs about 17179869184.0 GiB"), "{refused}");
        }
        assert!(fits("nothing", 0).is_ok());
    }

    #[test]
    fn a_machine_without_groups_has_what_is_available() {
        assert_eq!(left(&[MACHINE]), [2048 * MIB]);
        assert!(left(&[]).is_empty());
    }

    /// As Linux documents cgroup v2 (admin-guide/cgroup-v2): max and high of a group and of all above it.
    #[test]
    fn groups_of_version_2_limit_with_those_above_them() {
        let files = [
            MACHINE,
            ("proc/self/cgroup", "0::/a.slice/b.service\n"),
            ("sys/fs/cgroup/memory.stat", "anon 5\n"),
            ("sys/fs/cgroup/a.slice/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/a.slice/memory.high", "max\n"),
            ("sys/fs/cgroup/a.slice/memory.current", "314572800\n"),
            (
                "sys/fs/cgroup/a.slice/memory.stat",
                "anon 104857600\nfile 209715200\ninactive_file 104857600\nactive_file 52428800\n",
            ),
            ("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n"),
            ("sys/fs/cgroup/a.slice/b.service/memory.high", "524288000\n"),
            ("sys/fs/cgroup/a.slice/b.service/memory.current", "104857600\n"),
        ];
        // 500 - 100 in b, 1024 - (300 - 150) in a.
        assert_eq!(left(&files), [2048 * MIB, 400 * MIB, 874 * MIB]);
        let root = root(&files);
        let said = refused("x", 401 * MIB, below(root.path())).unwrap_err().to_string();
        assert!(said.starts_with("x: needs about 401 MiB of memory, but only 400 MiB"), "{said}");
        assert!(said.ends_with("sys/fs/cgroup/a.slice/b.service/memory.high is free"), "{said}");
        assert!(refused("x", 400 * MIB, below(root.path())).is_ok());
    }

    #[test]
    fn groups_of_version_1_limit_too_also_seen_from_within_a_container() {
        let unlimited = "9223372036854771712\n";
        let files = [
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/ab:cd\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "268435456\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "inactive_file 1\ntotal_inactive_file 104857600\ntotal_active_file 0\n",
            ),
        ];
        // 512 - (256 - 100): the path is one outside.
        assert_eq!(left(&files), [356 * MIB]);
        let below = [
            ("sys/fs/cgroup/memory/docker/ab:cd/memory.limit_in_bytes", unlimited),
            ("sys/fs/cgroup/memory/docker/ab:cd/memory.usage_in_bytes", "0\n"),
        ];
        assert_eq!(left(&[&files[..], &below].concat())[1], 356 * MIB);
        assert!(left(&[&files[..], &below].concat())[0] > 1 << 62);
    }

    #[test]
    fn what_is_used_beyond_a_limit_leaves_nothing() {
        let files = [
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "1000\n"),
            ("sys/fs/cgroup/memory.current", "2000\n"),
        ];
        assert_eq!(left(&files), [0]);
    }
}
