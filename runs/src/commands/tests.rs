use std::cell::RefCell;
use std::fs;

use serde_json::json;

use super::record::Record;
use super::*;
use crate::setup::Setup;

/// A run whose clock is moved by the test.
struct Run {
    commands: Commands,
    clock: u64,
    done: Vec<(u64, Command)>,
}

impl Run {
    fn of(dir: &Path) -> Run {
        let begun = Force::new(None, &Setup::preset("k8s", "storm").unwrap());
        Run { commands: Commands::read(dir, begun).unwrap(), clock: 0, done: Vec::new() }
    }
}

impl Told for Run {
    fn commands(&mut self) -> &mut Commands {
        &mut self.commands
    }

    fn clock(&self) -> u64 {
        self.clock
    }

    fn possible(&self, command: &Command) -> Result<(), String> {
        if *command == Command::Checkpoint { Err("nothing to keep".to_owned()) } else { Ok(()) }
    }

    fn take_effect(&mut self, entry: &Entry) -> Result<String, Error> {
        self.done.push((self.clock, entry.command.clone()));
        Ok("done".to_owned())
    }
}

fn request(cmd: &str, args: serde_json::Value) -> Request {
    let args = args.as_object().unwrap().clone();
    Request { cmd: cmd.to_owned(), args, by: "test".to_owned(), note: String::new(), approval: None }
}

fn knob(value: f64) -> Request {
    request("knob.set", json!({"key": "mem_drift_mu", "value": value}))
}

/// Who asks so once.
fn once(requests: Vec<Request>) -> impl Fn(bool) -> Vec<Asked> {
    let waiting = RefCell::new(requests);
    move |_| waiting.take().into_iter().map(Asked::unanswered).collect()
}

#[test]
fn what_was_told_is_told_again_at_its_moments() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Run::of(dir.path());
    for (clock, value) in [(3, 0.01), (3, 0.02), (7, 0.03)] {
        live.clock = clock;
        live.hear(&once(vec![knob(value)])).unwrap();
    }
    assert_eq!(live.commands.force.value("mem_drift_mu"), Some(0.03.into()));
    let mut again = Run::of(dir.path());
    for clock in 0..9 {
        again.clock = clock;
        // Before all of the record is done nobody else is heard.
        let asked = RefCell::new(0);
        again
            .hear(&|_| {
                *asked.borrow_mut() += 1;
                Vec::new()
            })
            .unwrap();
        assert_eq!(asked.into_inner() > 0, clock >= 7, "{clock}");
    }
    assert_eq!(again.done, live.done);
    assert_eq!(again.commands.force, live.commands.force);
    // What it came to stands there once.
    let lines = fs::read_to_string(dir.path().join(FILE)).unwrap().lines().count();
    assert_eq!(lines, 6);
}

#[test]
fn it_goes_on_behind_what_has_taken_effect() {
    let dir = tempfile::tempdir().unwrap();
    let mut live = Run::of(dir.path());
    live.hear(&once(vec![knob(0.01), knob(0.02), knob(0.03)])).unwrap();
    let mut resumed = Run::of(dir.path());
    resumed.commands.go_on_behind(2).unwrap();
    assert_eq!(resumed.commands.force.value("mem_drift_mu"), Some(0.02.into()));
    resumed.hear(&|_| Vec::new()).unwrap();
    assert_eq!(resumed.done, live.done[2..]);
    let cut = resumed.commands.go_on_behind(4).unwrap_err().to_string();
    assert!(cut.contains("it was cut"), "{cut}");
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::of(dir.path());
    let before = run.commands.force.clone();
    for (refused, why) in [
        (knob(3.0), "allowed"),
        (request("reboot", json!({})), "unknown command"),
        (request("checkpoint.now", json!({})), "nothing to keep"),
        (request("gain.scale", json!({"factor": 0})), "factor"),
    ] {
        let answer = run.heard(&refused).unwrap().unwrap_err();
        assert!(!answer.done && answer.result.contains(why), "{answer:?}");
    }
    assert_eq!((run.commands.force, run.done.len()), (before, 0));
    assert!(!dir.path().join(FILE).exists());
}

#[test]
fn a_record_that_was_touched_is_refused_and_a_torn_line_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::of(dir.path());
    run.hear(&once(vec![knob(0.01), knob(0.02)])).unwrap();
    let path = dir.path().join(FILE);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    for (damaged, line) in [
        (whole.replace("0.01", "0.04"), 2),
        ([lines[0], lines[2], lines[3]].join("\n") + "\n", 2),
        ([lines[1], lines[0], lines[2], lines[3]].join("\n") + "\n", 1),
        (whole.replace("knob.set", "knob.sat"), 2),
        ("{}\n".to_owned() + &whole, 1),
    ] {
        fs::write(&path, &damaged).unwrap();
        let told = Record::read(dir.path()).unwrap_err().to_string();
        assert!(told.contains(&format!("line {line}: ")), "{told}");
    }
    // Killed in the middle of a line: what it tells of has not taken effect.
    for end in whole.len() - lines[3].len()..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let record = Record::read(dir.path()).unwrap();
        assert_eq!((record.entries.len(), &record.entries[1].result), (2, &None), "{end}");
    }
    // It is gone on with as if that had never been.
    let mut resumed = Run::of(dir.path());
    resumed.hear(&|_| Vec::new()).unwrap();
    let record = Record::read(dir.path()).unwrap();
    assert!(record.entries.iter().all(|entry| entry.result.as_deref() == Some("done")));
}

#[test]
fn a_moment_that_has_passed_is_of_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::of(dir.path());
    run.clock = 3;
    run.hear(&once(vec![knob(0.01)])).unwrap();
    let mut other = Run::of(dir.path());
    other.clock = 4;
    let told = other.hear(&|_| Vec::new()).unwrap_err().to_string();
    assert!(told.contains("has passed at 4"), "{told}");
}

#[test]
fn paused_it_waits_for_continue_and_stop_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::of(dir.path());
    let turns = RefCell::new(0);
    run.hear(&|paused| {
        let mut turn = turns.borrow_mut();
        *turn += 1;
        assert_eq!(paused, (2..=5).contains(&*turn));
        let cmd = match *turn {
            1 => "pause",
            5 => "continue",
            _ => return Vec::new(),
        };
        vec![Asked::unanswered(request(cmd, json!({})))]
    })
    .unwrap();
    assert_eq!(turns.into_inner(), 6);
    let stopped = run.hear(&once(vec![request("stop", json!({}))]));
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    // Replayed, neither holds anybody up.
    Run::of(dir.path()).hear(&|_| Vec::new()).unwrap();
}

#[test]
fn a_run_is_asked_through_its_socket() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a-folder-of-a-long-name-".repeat(8));
    fs::create_dir(&deep).unwrap();
    let inbox = Inbox::open(&deep).unwrap();
    let answers = std::thread::scope(|scope| {
        let asking = scope.spawn(|| [knob(0.01), knob(9.0)].map(|request| ask(&deep, &request).unwrap()));
        let mut run = Run::of(dir.path());
        while !asking.is_finished() {
            run.hear(&|_| inbox.take(std::time::Duration::from_millis(5))).unwrap();
        }
        asking.join().unwrap()
    });
    assert_eq!((answers[0].done, answers[0].id, answers[0].clock), (true, Some(1), Some(0)));
    assert!(!answers[1].done && answers[1].result.contains("allowed"), "{:?}", answers[1]);
    // One process a run; and when it is gone nobody listens, and nothing is left.
    assert!(Inbox::open(&deep).is_err());
    drop(inbox);
    let gone = ask(&deep, &knob(0.01)).unwrap_err().to_string();
    assert!(gone.contains("is no run"), "{gone}");
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
    let patience = std::time::Instant::now();
    while Inbox::open(&deep).is_err() {
        assert!(patience.elapsed().as_secs() < 10, "the socket has not gone");
    }
}
