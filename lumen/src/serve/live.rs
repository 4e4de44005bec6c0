//! Runs at work, and how fast their updates come.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::Path;

use resonetics_runs::run_dir::{held, read_record, status};
use serde::Deserialize;

use super::known::Live;
use crate::ledger::{Outcome, Row};
use crate::resonance::timing;
use crate::source::run_name;

/// Bytes of the end of a run's timings that are read: some hundred updates.
pub(crate) const TAIL: u64 = 16 << 10;

/// The runs of a ledger that are at work, those first that began last. Of several with one name the last one counts:
/// events and labels know runs by that alone.
pub(super) fn live(rows: &[Row]) -> Vec<Live> {
    let mut running: Vec<&Row> = rows.iter().filter(|row| row.outcome == Outcome::Running).collect();
    running.sort_by_key(|row| Reverse((&row.started, &row.run_id)));
    let mut live: Vec<Live> = Vec::new();
    for row in running {
        let path = Path::new(&row.path);
        let name = run_name(path);
        if live.iter().all(|other| other.name != name) {
            let monitor = monitor(path, "metrics");
            let started = timing::seconds_of(&row.started);
            let path = path.to_path_buf();
            live.push(Live { name, path, started, monitor, timed: None, interval: None });
        }
    }
    live
}

/// Leaves the runs out that have ended since, and looks at the timings of the first `most`.
pub(super) fn refresh(live: &mut Vec<Live>, most: usize) {
    live.retain(|run| {
        // Killed ones hold nothing; where a file system has no locks the record has to do.
        held(&run.path) != Some(false)
            && status(&run.path).is_ok_and(|status| status.as_deref() == Some("running"))
    });
    for run in live.iter_mut().take(most) {
        let path = run.path.join(timing::FILE);
        let written = timing::written(&path).ok();
        if written != run.timed || run.interval.is_none() {
            run.interval = tail(&path, TAIL).ok().and_then(|text| interval(&text));
            run.timed = written;
        }
    }
}

/// Where the monitor of the run in `path` shows its `metrics` or its `health`, as its record says.
pub(crate) fn monitor(path: &Path, what: &str) -> Option<SocketAddr> {
    let record = read_record(path).ok()?;
    let address = record.get("monitor")?.get(what)?.as_str()?.strip_prefix("http://")?;
    let mut address: SocketAddr = address.parse().ok()?;
    // One that listens everywhere is found here.
    if address.ip().is_unspecified() {
        let here =
            if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        address.set_ip(here);
    }
    Some(address)
}

/// The last `most` bytes of a file.
pub(crate) fn tail(path: &Path, most: u64) -> io::Result<String> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(most);
    let mut bytes = vec![0; (length - from) as usize];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], from + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

#[derive(Deserialize)]
struct Line {
    update: u64,
    steps: u64,
    steps_per_second: f64,
}

/// Median time in seconds of the updates whose whole lines are in `text`; of two at least.
pub(crate) fn interval(text: &str) -> Option<f64> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    // All updates of a training make as many steps.
    let known = lines.filter(|line| line.update > 0 && line.steps_per_second > 0.0);
    let seconds = known.map(|line| line.steps as f64 / line.update as f64 / line.steps_per_second).collect();
    median(seconds)
}

/// The median of two values or more that are all finite.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 | 1 => None,
        even if even.is_multiple_of(2) => Some(f64::midpoint(values[half - 1], values[half])),
        _ => Some(values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_median_of_whole_lines() {
        let line = |update: u64, rate: f64| {
            format!("{{\"update\": {update}, \"steps\": {}, \"steps_per_second\": {rate}}}\n", update * 100)
        };
        let text = format!("ps_per_second\": 3}}\n{}{}{}", line(3, 200.0), line(4, 100.0), line(5, 400.0));
        assert_eq!(interval(&text), Some(0.5));
        assert_eq!(interval(&format!("{text}{{\"update\": 6")), Some(0.5));
        assert_eq!(interval(&line(3, 200.0)), None);
        assert_eq!(interval(&format!("{}{}", line(1, 0.0), line(2, 50.0))), None);
        assert_eq!(median(vec![1.0, f64::NAN, 2.0]), Some(1.5));
    }

    #[test]
    fn only_the_end_of_a_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("timing.jsonl");
        std::fs::write(&path, [vec![b'a'; 100_000], b"end".to_vec()].concat()).unwrap();
        let text = tail(&path, TAIL).unwrap();
        assert!(text.len() == TAIL as usize && text.ends_with("aend"));
        std::fs::write(&path, "short").unwrap();
        assert_eq!(tail(&path, TAIL).unwrap(), "short");
        assert!(tail(dir.path(), TAIL).is_err());
    }

    #[test]
    fn a_monitor_is_where_the_record_says() {
        let dir = tempfile::tempdir().unwrap();
        let says = |address: &str| {
            let record = format!("{{\"monitor\": {{\"metrics\": \"{address}\", \"health\": \"x\"}}}}");
            std::fs::write(dir.path().join("run.json"), record).unwrap();
            monitor(dir.path(), "metrics").map(|address| address.to_string())
        };
        assert_eq!(says("http://127.0.0.1:8000").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(says("http://0.0.0.0:8000").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(says("http://[::]:8000").as_deref(), Some("[::1]:8000"));
        assert_eq!(says("http://somewhere:8000"), None);
        assert_eq!(says("127.0.0.1:8000"), None);
    }
}
