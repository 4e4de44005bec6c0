//! The program in a fresh directory, as a user runs it, and what it leaves there.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod browser;
pub mod pty;
pub mod served;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A garden that takes microseconds a generation.
pub const TINY: &str =
    "--set grid_size=8 --set init_agents=4 --set min_population=3 --set max_population=8 --set view_size=5";

/// Poor gardeners and a nervous risk: births, deaths, emergencies and all verdicts.
pub const EVENTFUL: &str = "gardener --generations 400 --seed 5 --agent random --out out --set dirt_growth=0.1 \
    --set clean_reward=1 --set birth_energy=3 --set move_cost=0.4 --set reproduce_threshold=6 --set reproduce_cost=4 \
    --set risk.entropy_grad_scale=0.1 --set risk.ema_alpha=0.6";

/// Gardens that are lost soon, most of them.
pub const DIRTY: &str = "--set dirt_growth=0.08 --set lost.dirt_share=0.6 --set lost.generations=4";

/// A fresh directory that the program is run in.
pub struct Place {
    dir: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `arguments` are separated by spaces.
    pub fn command(&self, arguments: &str) -> Command {
        self.command_of(&words(arguments))
    }

    /// Runs the program under a limit of the shell's `ulimit`: with `-f 64` as on a disk with room for 32 or
    /// 64 KiB, which of the two being up to the shell.
    pub fn limited(&self, limit: &str, arguments: &str) -> Ran {
        let mut limited = Command::new("sh");
        let script = format!("ulimit {limit} && exec \"$@\"");
        limited.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_resonetics")]);
        limited.args(words(arguments)).current_dir(self.path(""));
        Ran::of(limited.output().unwrap(), arguments)
    }

    pub fn command_of(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resonetics"));
        command.current_dir(self.dir.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs the program to its end. Whatever it does, it must neither panic nor colour a pipe.
    pub fn run(&self, arguments: &str) -> Ran {
        self.run_of(&words(arguments))
    }

    pub fn run_of(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command_of(arguments).output().unwrap(), &arguments.join(" "))
    }

    /// Runs the program, which must succeed and say nothing on standard error.
    pub fn ok(&self, arguments: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments}: {ran:?}");
        ran
    }

    /// Runs the program, which must refuse: exit 2, silent standard output, nothing created.
    /// Yields what it said.
    pub fn refused(&self, arguments: &str) -> String {
        self.refused_of(&words(arguments))
    }

    pub fn refused_of(&self, arguments: &[&str]) -> String {
        let before = self.names("");
        let ran = self.run_of(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{arguments:?}: {ran:?}");
        assert_eq!(self.names(""), before, "{arguments:?} created something");
        ran.stderr
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub fn csv(&self, name: &str) -> Csv {
        Csv::parse(&self.text(name))
    }

    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&self.bytes(name)).unwrap()
    }

    /// What a directory holds, sorted.
    pub fn names(&self, dir: &str) -> Vec<String> {
        names(&self.path(dir))
    }

    /// Starts the program and comes back when `file` has grown beyond `bytes`.
    pub fn under_way(&self, arguments: &str, file: &str, bytes: u64) -> Child {
        let child = self.command(arguments).spawn().unwrap();
        let path = self.path(file);
        wait_until(|| fs::metadata(&path).is_ok_and(|file| file.len() >= bytes));
        child
    }

    /// All CSV files below `dir`, with their bytes, sorted by name.
    pub fn csv_files(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        let found = self.csv_files_if_any(dir);
        assert!(!found.is_empty(), "{dir} holds no CSV file");
        found
    }

    /// The same where there may be none: a run killed at its start has only made its folder.
    fn csv_files_if_any(&self, dir: &str) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        for name in self.names(dir) {
            let path = format!("{dir}/{name}");
            if self.path(&path).is_dir() {
                let below = self.csv_files_if_any(&path).into_iter();
                found.extend(below.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            } else if self.path(&name).extension().is_some_and(|extension| extension == "csv") {
                found.push((name, self.bytes(&path)));
            }
        }
        found
    }
}

/// What was said beside `[12 s] 40 of 390 updates`, which comes on a busy machine only.
pub fn without_progress(said: &str) -> String {
    let progress = |line: &str| {
        let seconds = line.strip_prefix('[').and_then(|rest| rest.split_once(" s] "));
        seconds.is_some_and(|(seconds, _)| seconds.parse::<u64>().is_ok())
    };
    said.split_inclusive('\n').filter(|line| !progress(line)).collect()
}

impl Ran {
    pub fn of(output: Output, what: &str) -> Ran {
        let stderr = String::from_utf8(output.stderr).unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: without_progress(&stderr),
        };
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains("panicked"), "{what}: {text}");
            assert!(!text.contains('\u{1b}'), "{what} colours a pipe: {text:?}");
        }
        ran
    }

    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// The last line as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.last_line()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A CSV file without quotes: whole rows of one width, each ended by a line feed.
#[derive(Debug)]
pub struct Csv {
    pub header: String,
    pub rows: Vec<Vec<String>>,
}

impl Csv {
    pub fn parse(text: &str) -> Csv {
        assert!(text.ends_with('\n'), "the last line has no end: {text:?}");
        Csv::parse_started(text)
    }

    /// The same of a file whose last line may have been cut by a kill; that line is no row.
    pub fn parse_started(text: &str) -> Csv {
        assert!(!text.contains('\r'), "line ends are LF");
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines();
        let header = lines.next().expect("a header").to_owned();
        let width = header.split(',').count();
        let rows: Vec<Vec<String>> = lines.map(|line| line.split(',').map(str::to_owned).collect()).collect();
        for row in &rows {
            assert_eq!(row.len(), width, "{row:?} is no whole row of {header}");
        }
        Csv { header, rows }
    }

    pub fn column(&self, name: &str) -> Vec<&str> {
        let position = self.header.split(',').position(|column| column == name);
        let position = position.unwrap_or_else(|| panic!("no column {name} in {}", self.header));
        self.rows.iter().map(|row| row[position].as_str()).collect()
    }

    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).into_iter().map(number).collect()
    }

    /// The rows with `value` in column `name`.
    pub fn only(&self, name: &str, value: &str) -> Csv {
        let keep = self.column(name);
        let rows = self.rows.iter().zip(keep).filter(|(_, found)| *found == value);
        let rows: Vec<_> = rows.map(|(row, _)| row.clone()).collect();
        assert!(!rows.is_empty(), "no row with {name} {value}");
        Csv { header: self.header.clone(), rows }
    }
}

/// Waits for a child that should end by itself, but not for ever.
pub fn end(mut child: Child, what: &str) -> Ran {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{what} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ran::of(child.wait_with_output().unwrap(), what)
}

pub fn words(arguments: &str) -> Vec<&str> {
    arguments.split_whitespace().collect()
}

pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// Whether whoever started the tests ignores SIGHUP, as nohup does: then so does every program that they start.
pub fn hangups_are_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

pub fn wait_until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing happens");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The form of a line: digits before a point become one `#`, each digit behind it a `#`.
pub fn form(line: &str) -> String {
    let mut form = String::new();
    let (mut behind_point, mut in_number) = (false, false);
    for letter in line.chars() {
        if letter.is_ascii_digit() {
            if !in_number || behind_point {
                form.push('#');
            }
            in_number = true;
        } else {
            behind_point = letter == '.' && in_number;
            in_number = behind_point;
            form.push(letter);
        }
    }
    form
}

/// Sizes of a training whose updates take a millisecond or two; nobody watches it.
pub const SMALL: &str = "--set train.num_envs=4 --set train.horizon=32 --set train.minibatch=64 --set train.epochs=2 \
    --set train.checkpoint_every=3 --set train.eval_episodes=4 --no-monitor";

/// Steps in an update of a [`SMALL`] training.
pub const STEPS: u64 = 4 * 32;

impl Place {
    /// All files below a directory, by their path in it, with their bytes.
    pub fn files(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for name in self.names(dir) {
            let path = format!("{dir}/{name}");
            if self.path(&path).is_dir() {
                let below = self.files(&path).into_iter();
                found.extend(below.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            } else {
                found.insert(name, self.bytes(&path));
            }
        }
        found
    }

    /// What a training leaves that must not depend on when it ran: names of all files, bytes of all but
    /// run.json and those that tell the time; not the rows that were kept of a start before its first
    /// checkpoint.
    pub fn trained(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files(dir);
        files.retain(|name, _| !name.contains(".before-"));
        for name in ["run.json", "timing.jsonl"] {
            files.insert(name.to_owned(), Vec::new()).unwrap_or_else(|| panic!("no {name}"));
        }
        files
    }

    /// All files below a directory with their bytes and when they were last written.
    pub fn untouched(&self, dir: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
        let with_time = |(name, bytes): (String, Vec<u8>)| {
            let written = fs::metadata(self.path(dir).join(&name)).unwrap().modified().unwrap();
            (name, (bytes, written))
        };
        self.files(dir).into_iter().map(with_time).collect()
    }

    /// Copies a directory with all that is in it.
    pub fn copy(&self, from: &str, to: &str) {
        for (name, bytes) in self.files(from) {
            let path = self.path(to).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    /// The program with `arguments` must refuse and leave `dir` as it is; yields what it said.
    pub fn refused_in(&self, dir: &str, arguments: &str) -> String {
        let before = self.untouched(dir);
        let said = self.refused(arguments);
        assert!(self.untouched(dir) == before, "{arguments} changed something in {dir}");
        said
    }
}

/// The same names with the same bytes.
pub fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>, what: &str) {
    assert!(found.keys().eq(expected.keys()), "{what}: {:?}, not {:?}", found.keys(), expected.keys());
    for (name, bytes) in found {
        assert!(*bytes == expected[name], "{what}: {name} differs");
    }
}

/// Sends a signal to a child.
pub fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}
