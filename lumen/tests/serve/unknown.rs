//! What is missing, unreadable or old has no sample; nothing reads as 0, and nothing as good.

use std::fs;

use super::support::{Runs, Served, now, window, windows};

const OF_STORE: [&str; 5] = [
    "rmb_events_total{",
    "rmb_residual_entropy_last{",
    "lumen_level{",
    "lumen_dropped_total{",
    "lumen_run_last",
];

fn has(served: &Served, what: &str) -> bool {
    served.metrics().lines().any(|line| line.starts_with(what))
}

fn reasons(served: &Served) -> String {
    let answered = served.get("/readyz");
    assert_eq!(answered.status == 200, answered.body.contains("\"ready\":true"));
    answered.body
}

/// A server with a run whose samples are there.
fn watching() -> (Runs, Served) {
    let mut runs = Runs::new();
    runs.begin("run", 5);
    runs.ended("done", 9, "finished");
    runs.log("run", &windows("run", 25, 0.5));
    let served = runs.serve();
    served.until_events("run", 25.0);
    for what in OF_STORE {
        assert!(has(&served, what), "{what}");
    }
    (runs, served)
}

#[test]
fn a_store_that_is_not_there_has_no_samples_and_no_answers() {
    let (runs, served) = watching();
    // The folder goes too, so that no new one is made.
    let (there, away) = (runs.path(""), runs.dir.path().with_extension("away"));
    fs::rename(&there, &away).unwrap();
    for what in OF_STORE {
        assert!(!has(&served, what), "{what}");
    }
    for path in ["/api/rmb:last", "/api/rmb", "/api/ure", "/api/levels", "/api/fleet", "/api/lumen/metrics"] {
        let answered = served.get(path);
        assert_eq!(answered.status, 503, "{path}: {}", answered.body);
    }
    assert!(reasons(&served).contains("store"), "{}", reasons(&served));
    served.until("missing runs are told", |served| reasons(served).contains("runs: a folder is not there"));
    fs::rename(&away, &there).unwrap();
    served.until("all is well again", |served| served.get("/readyz").status == 200);
    served.until("samples again", |served| has(served, "rmb_residual_entropy_last{"));
}

#[test]
fn a_store_that_cannot_be_read_has_no_samples_and_no_answers() {
    let (runs, served) = watching();
    // With these SQLite would make the old store from it again.
    for beside in ["lumen.db-wal", "lumen.db-shm"] {
        let _ = fs::remove_file(runs.path(beside));
    }
    let junk = runs.path("junk");
    fs::write(&junk, vec![7; 100_000]).unwrap();
    fs::rename(&junk, runs.path("lumen.db")).unwrap();
    for what in OF_STORE {
        assert!(!has(&served, what), "{what}");
    }
    let answered = served.get("/api/rmb");
    assert_eq!(answered.status, 503, "{}", answered.body);
    assert!(!answered.body.contains("lumen.db"));
    served.until("it is told", |served| reasons(served).contains("store: it cannot be read or written"));
    // What does not come from it is there.
    assert!(has(&served, "lumen_runs_total{"));
    fs::remove_file(runs.path("lumen.db")).unwrap();
    served.until_events("run", 25.0);
}

#[test]
fn old_windows_have_no_samples_and_their_run_has() {
    let mut runs = Runs::new();
    runs.begin("old", 900);
    runs.begin("new", 5);
    runs.begin("ahead", 3);
    let old: Vec<_> = (1..=30).map(|clock| window("old/training", clock, now() - 301_000, 0.5)).collect();
    runs.log("old", &old);
    runs.log("new", &windows("new", 2, 0.5));
    runs.log("ahead", &[window("ahead/training", 1, now() + 3_600_000, 0.5)]);
    let served = runs.serve();
    served.until_events("old", 30.0);
    served.until_events("new", 2.0);
    served.until_events("ahead", 1.0);
    for name in ["rmb_residual_entropy_last", "ure_harmony_index", "lumen_creative_band"] {
        assert!(has(&served, &format!("{name}{{run=\"new\"}}")), "{name}");
        assert!(!has(&served, &format!("{name}{{run=\"old\"}}")), "{name}");
        assert!(!has(&served, &format!("{name}{{run=\"ahead\"}}")), "{name}");
    }
    assert!(!has(&served, "lumen_level{run=\"old\""));
    // That it says nothing any more is seen by these.
    let age = served.sample("lumen_source_age_seconds{source=\"run:old\"}").unwrap();
    assert!((301.0..330.0).contains(&age), "{age}");
    assert!(has(&served, "lumen_run_last_update_timestamp_seconds{run=\"old\"}"));
}

#[test]
fn a_ledger_that_cannot_be_read_counts_no_runs() {
    let mut runs = Runs::new();
    runs.ended("done", 9, "finished");
    fs::write(runs.path("runs.jsonl"), "{\"run_id\": 1}\n").unwrap();
    let served = runs.serve();
    served.until("it is told", |served| reasons(served).contains("ledger: it cannot be read or written"));
    assert_eq!(served.get("/api/runs").status, 503);
    for what in
        ["lumen_runs_total", "lumen_region", "lumen_source_age_seconds{source=\"ledger\"}", "resonance_"]
    {
        assert!(!has(&served, what), "{what}");
    }
    fs::remove_file(runs.path("runs.jsonl")).unwrap();
    served.until("runs are counted", |served| has(served, "lumen_runs_total{"));
}

#[test]
fn the_interval_comes_from_the_timings_where_there_are_some() {
    let (runs, served) = watching();
    let line = |update: u32| {
        format!("{{\"update\": {update}, \"steps\": {}, \"steps_per_second\": 400}}\n", update * 100)
    };
    let lines = (1..=9).map(line).collect::<Vec<_>>().concat();
    fs::write(runs.run("run").join("timing.jsonl"), lines).unwrap();
    served.until("a quarter of a second", |served| {
        served.sample("lumen_run_update_interval_seconds{run=\"run\"}") == Some(0.25)
    });
}

#[test]
fn what_is_no_store_is_refused_and_so_is_a_port_that_is_taken() {
    let runs = Runs::new();
    fs::write(runs.path("lumen.db"), "no database, but a text that is long enough to be seen as one")
        .unwrap();
    let refused = |settings| resonetics_lumen::serve::Server::new(settings).err().unwrap();
    assert!(refused(runs.settings()).is_refusal());
    fs::remove_file(runs.path("lumen.db")).unwrap();
    let served = runs.serve();
    let settings = resonetics_lumen::serve::Settings { port: Some(served.address.port()), ..runs.settings() };
    let error = refused(settings);
    assert!(error.is_refusal() && error.to_string().contains("--port"), "{error}");
}
