//! Prometheus, Alertmanager and their tools: the machine's, or Debian's packages unpacked below target/ops.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian;
use crate::workspace::root;

/// The path of each, or why there is none.
pub(super) struct Tools {
    pub(super) promtool: Result<PathBuf, String>,
    pub(super) prometheus: Result<PathBuf, String>,
    pub(super) amtool: Result<PathBuf, String>,
    pub(super) alertmanager: Result<PathBuf, String>,
    pub(super) pushgateway: Result<PathBuf, String>,
}

/// Where Debian's Alertmanager looks for the templates that come with it, and a path of the same length below the folder
/// in which it is started. Unpacked elsewhere it would not start, for want of `default.tmpl`.
const TEMPLATES: [&[u8; 34]; 2] =
    [b"/usr/share/prometheus/alertmanager", b"share/prometheus/alertmanager/././"];

/// Finds them on the path. Where one is missing, apt-get downloads Debian's packages, which needs no root, and they
/// are unpacked below target/ops; nothing is installed and no service is started.
pub(super) fn provide() -> Tools {
    let own = root().join("target/ops");
    let alertmanager = ["prometheus-alertmanager", "alertmanager"];
    let pushgateway = ["prometheus-pushgateway", "pushgateway"];
    let missing = [&["promtool"][..], &["prometheus"], &["amtool"], &alertmanager, &pushgateway]
        .iter()
        .any(|names| on_path(names).is_none());
    let unpacked = if missing { unpack(&own) } else { Ok(()) };
    let find = |names: &[&str], unpacked_as: &str| {
        on_path(names)
            .map_or_else(|| unpacked.clone().and_then(|()| works(own.join("bin").join(unpacked_as))), Ok)
    };
    Tools {
        promtool: find(&["promtool"], "promtool"),
        prometheus: find(&["prometheus"], "prometheus"),
        amtool: find(&["amtool"], "amtool"),
        alertmanager: find(&alertmanager, "prometheus-alertmanager"),
        pushgateway: find(&pushgateway, "prometheus-pushgateway"),
    }
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    names.iter().find_map(|name| works(PathBuf::from(name)).ok())
}

/// Yields the program if it says its version.
fn works(program: PathBuf) -> Result<PathBuf, String> {
    let mut command = Command::new(&program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let runs = command.status().is_ok_and(|status| status.success());
    if runs { Ok(program) } else { Err(format!("{} does not start", program.display())) }
}

fn unpack(own: &Path) -> Result<(), String> {
    let bin = own.join("bin");
    if ["prometheus-alertmanager", "prometheus-pushgateway"].iter().all(|name| bin.join(name).exists()) {
        return Ok(());
    }
    println!("   apt-get download prometheus, its Alertmanager and Pushgateway (40 MB, below target/ops)");
    let failed = |error: std::io::Error| format!("cannot write below {}: {error}", own.display());
    debian::unpack(own, &["prometheus", "prometheus-alertmanager", "prometheus-pushgateway"])?;
    fs::create_dir_all(&bin).map_err(failed)?;
    for name in ["promtool", "prometheus", "amtool", "prometheus-pushgateway"] {
        fs::copy(own.join("usr/bin").join(name), bin.join(name)).map_err(failed)?;
    }
    let alertmanager = fs::read(own.join("usr/bin/prometheus-alertmanager")).map_err(failed)?;
    let here = own.join("usr/bin/alertmanager-here");
    fs::copy(own.join("usr/bin/prometheus-alertmanager"), &here).map_err(failed)?; // for its permissions
    fs::write(&here, with_templates_here(alertmanager)).map_err(failed)?;
    let folder = fs::canonicalize(own.join("usr")).map_err(failed)?;
    let start = format!("#!/bin/sh\ncd '{}' && exec bin/alertmanager-here \"$@\"\n", folder.display());
    // A copy of something that may be started, with other content.
    let script = bin.join("prometheus-alertmanager");
    fs::copy(&here, &script).map_err(failed)?;
    fs::write(&script, start).map_err(failed)
}

fn with_templates_here(mut program: Vec<u8>) -> Vec<u8> {
    let [there, here] = TEMPLATES;
    let mut from = 0;
    while let Some(at) = program[from..].windows(there.len()).position(|bytes| bytes == there) {
        program[from + at..][..there.len()].copy_from_slice(here);
        from += at + there.len();
    }
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_templates_becomes_one_below_the_folder() {
        let program =
            b"ab/usr/share/prometheus/alertmanagercd/usr/share/prometheus/alertmanager/ui/".to_vec();
        let changed = with_templates_here(program);
        let expected = b"abshare/prometheus/alertmanager/././cdshare/prometheus/alertmanager/.//./ui/";
        assert_eq!(changed.len(), expected.len());
        assert!(changed.starts_with(b"abshare/prometheus/alertmanager/././cd"));
        assert!(!changed.windows(5).any(|bytes| bytes == b"/usr/"));
    }

    #[test]
    fn what_does_not_start_is_not_had() {
        assert!(works(PathBuf::from("no-such-program")).is_err());
    }
}
