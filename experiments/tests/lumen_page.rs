//! The signals of a watched run on the page of `serve`: what its events say, no more and no less.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use common::browser::{Browser, CONTRAST};
use common::served::Served;
use common::{SMALL, STEPS, TINY, end, send};
use rustix::process::Signal;
use serde_json::{Value, json};

fn train(updates: u64, out: &str) -> String {
    format!("train --env k8s --seed 1 --steps {} {SMALL} --lumen --out {out}", updates * STEPS)
}

fn signals(served: &Served, asked: &str) -> Value {
    let (status, body) = served.get(&format!("/signals?run={asked}"));
    assert_eq!(status, 200, "{asked}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn events(served: &Served, run: &str) -> Vec<Value> {
    let text = served.place.text(&format!("runs/{run}/events.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn notes(told: &Value) -> String {
    let notes: Vec<_> = told["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    notes.join("\n")
}

/// The polylines of a figure with this stroke, each as points in pixels.
fn paths(svg: &str, stroke: &str, width: u32) -> Vec<Vec<(f64, f64)>> {
    let lines = svg.split("<polyline ").skip(1).map(|line| line.split("/>").next().unwrap());
    let ours =
        lines.filter(|line| line.contains(stroke) && line.contains(&format!("stroke-width=\"{width}\"")));
    let points = ours.map(|line| {
        let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let pair = |pair: &str| {
            let (x, y) = pair.split_once(',').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        };
        points.split_whitespace().map(pair).collect()
    });
    points.collect()
}

/// The curves of a figure: of `stroke`, with the heights that its lines at 0.55 and 0.22 give them.
fn heights(svg: &str, stroke: &str) -> Vec<Vec<(f64, f64)>> {
    let level = |stroke: &str| paths(svg, stroke, 1).iter().map(|path| path[0].1).fold(0.0, f64::max);
    let (tense, creative) = (level("--curve-1"), level("--curve-2"));
    assert!(creative > tense && tense > 0.0, "{tense} {creative}");
    let height = |y: f64| 0.22 + (y - creative) * (0.55 - 0.22) / (tense - creative);
    let each = paths(svg, stroke, 2).into_iter();
    let curves = each.map(|path| path.into_iter().map(|(x, y)| (x, height(y))).collect::<Vec<_>>());
    // What lies above the plane is a sample in the key.
    curves.filter(|curve| curve.iter().any(|(_, height)| *height < 1.01)).collect()
}

/// What holds after these levels of windows: what two in a row have said.
fn steady(levels: &[Value]) -> Value {
    let mut pairs = levels.windows(2).rev().filter(|pair| pair[0] == pair[1]);
    pairs.next().map_or(Value::Null, |pair| pair[1].clone())
}

#[test]
fn a_training_shows_what_its_events_say() {
    let served = Served::start();
    served.place.ok(&train(90, "runs/t"));
    let (told, events) = (signals(&served, "t"), events(&served, "t"));
    let windows: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "observe").collect();
    assert!(windows.len() >= 10, "{}", windows.len());
    let last = windows.last().unwrap();
    assert_eq!(told["of"], "t/training");
    assert_eq!(told["unit"], "update");
    for (name, key) in [
        ("residual", "residual"),
        ("creative band", "creative_band"),
        ("risk band", "risk_band"),
        ("entropy rate", "entropy_rate"),
    ] {
        let shown = told["last"].as_array().unwrap().iter().find(|pair| pair[0] == name).unwrap();
        let expected = last["signals"][key].as_f64().map(|value| format!("{value:.3}"));
        assert_eq!(shown[1], json!(expected), "{name}");
    }
    let levels: Vec<Value> = windows.iter().map(|window| window["levels"]["final"].clone()).collect();
    assert_eq!(told["level"], steady(&levels));
    assert!(told["level"].is_string());

    // Each window is a point of the curve, at its clock.
    for size in ["wide", "narrow"] {
        let svg = told["figures"][0][size].as_str().unwrap();
        for (stroke, key) in
            [("--curve-1", "residual"), ("--curve-2", "creative_band"), ("--curve-3", "risk_band")]
        {
            let known: Vec<(f64, f64)> = windows
                .iter()
                .filter_map(|event| {
                    Some((event["trace"]["clock"].as_f64().unwrap(), event["signals"][key].as_f64()?))
                })
                .collect();
            let curves = heights(svg, stroke);
            assert_eq!(curves.len(), usize::from(!known.is_empty()), "{size} {key}: {curves:?}");
            // Nothing predicts the risk of this training.
            if known.is_empty() {
                assert_eq!(key, "risk_band");
                continue;
            }
            assert_eq!(curves[0].len(), known.len(), "{size} {key}");
            let (from, to) = (curves[0][0].0, curves[0].last().unwrap().0);
            let clocks = (known[0].0, known.last().unwrap().0);
            for (&(x, y), (clock, value)) in curves[0].iter().zip(known) {
                assert!((y - value).abs() < 0.015, "{size} {key} at {clock}: {y}, not {value}");
                let place = from + (clock - clocks.0) / (clocks.1 - clocks.0) * (to - from);
                assert!((x - place).abs() < 1.5, "{size} {key}: {clock} at {x}, not {place}");
            }
        }
        for text in ["TENSE above 0.55", "ALERT above 0.85", "creative_min 0.22", "risk_max 0.35", "update"] {
            assert!(svg.contains(&format!("\n{text}\n")), "{size}: no {text}");
        }
    }
    // What happened, with its reason.
    let happened = events.iter().filter(|event| {
        ["decide", "rollback"].contains(&event["event_type"].as_str().unwrap())
            || event["memory_bridge"]["key"] == "best"
    });
    let expected: Vec<(u64, Value)> =
        happened.map(|event| (event["trace"]["clock"].as_u64().unwrap(), event["reason"].clone())).collect();
    let shown = told["moments"].as_array().unwrap();
    assert!(!shown.is_empty() && shown.len() <= expected.len());
    for moment in shown {
        let (clock, reason) = &expected[moment["number"].as_u64().unwrap() as usize - 1];
        assert_eq!(moment["clock"], *clock);
        if reason.is_string() {
            assert_eq!(moment["reason"], *reason);
        }
    }
    assert!(shown.iter().any(|moment| moment["kind"] == "best checkpoint"), "{shown:?}");
}

/// A line as `lumen` writes it.
fn line(entity: &str, kind: &str, clock: u64, more: &Value) -> String {
    let mut event = json!({
        "ts": "2026-01-01T00:00:00.000Z", "entity_id": entity, "group": "build_core", "event_type": kind,
        "resonance_v3": {"phase_diff": 0.0, "residual_entropy": 0.5, "creative_band": "MID", "risk_band": "SAFE"},
        "memory_bridge": {"slot_id": "rmb/v17/slot-1", "op": "UPSERT", "key": "k", "value_hash": "0123456789abcdef"},
        "trace": {"loop_id": "gardener.gardener", "iter": clock / 25, "host": "h", "clock": clock},
        "phase_valid": false,
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    format!("{event}\n")
}

/// A window in which the residual is known, and else what `more` says.
fn window(entity: &str, clock: u64, residual: f64, level: &str, more: &Value) -> String {
    let mut signals = json!({"residual": residual, "phase_diff": null, "entropy_rate": null, "creative_band": null, "risk_band": null, "harmony_index": null, "coherence_level": null});
    for (key, value) in more.as_object().unwrap() {
        signals[key] = value.clone();
    }
    let levels = json!({"residual": level, "rollback_ratio": null, "final": level});
    line(entity, "observe", clock, &json!({"signals": signals, "levels": levels}))
}

/// A run made by hand with this log.
fn made(served: &Served, name: &str, config: &str, log: &str) {
    let folder = served.place.path(&format!("runs/{name}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("run.json"), "{\"command\":\"gardener\",\"status\":\"finished\"}").unwrap();
    fs::write(folder.join("config.toml"), config).unwrap();
    fs::write(folder.join("events.jsonl"), log).unwrap();
}

fn append(served: &Served, run: &str, text: &str) {
    let path = served.place.path(&format!("runs/{run}/events.jsonl"));
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn what_is_not_known_is_a_gap_and_never_zero() {
    let served = Served::start();
    let mut log = String::new();
    for number in 2..12 {
        let known = number != 6;
        let more = json!({"risk_band": known.then_some(0.7), "creative_band": 0.9, "phase_diff": known.then_some(1.5)});
        // The tenth has no line.
        if number != 10 {
            log += &window("g/garden", number * 25, 0.4, "CALM", &more);
        }
    }
    made(&served, "g", "", &log);
    let told = signals(&served, "g");
    let svg = told["figures"][0]["wide"].as_str().unwrap();
    // The risk is cut twice, the residual where there is no window; one window alone is a dot.
    let risk = heights(svg, "--curve-3");
    assert_eq!(risk.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3], "{risk:?}");
    assert!(risk.iter().flatten().all(|(_, height)| (height - 0.7).abs() < 0.015), "{risk:?}");
    assert_eq!(svg.matches("<circle ").count(), 3, "the eleventh window of three signals");
    assert_eq!(heights(svg, "--curve-1").iter().map(Vec::len).collect::<Vec<_>>(), [8]);
    let phase = paths(told["figures"][1]["wide"].as_str().unwrap(), "--curve-1", 2);
    assert_eq!(phase.iter().map(Vec::len).collect::<Vec<_>>(), [4, 3]);
    // No curve of what is never known, and its name where that is said.
    assert_eq!(heights(svg, "--curve-4").len(), 0);
    assert!(
        told["figures"][0]["caption"].as_str().unwrap().ends_with("Not known in any window: entropy rate.")
    );
    let last: Vec<_> = told["last"].as_array().unwrap().iter().map(|pair| pair[1].clone()).collect();
    assert_eq!(last, [json!("0.400"), json!("0.900"), json!("0.700"), Value::Null, json!("+1.500 rad")]);

    // Of one window a level is not known, and nothing swings.
    made(&served, "one", "", &window("one/garden", 50, 0.9, "ALERT", &json!({})));
    let told = signals(&served, "one");
    assert_eq!(told["level"], Value::Null);
    assert!(told["told"].as_str().unwrap().starts_with("Its level is not known"), "{told}");
    assert_eq!(told["figures"].as_array().unwrap().len(), 1);
    assert!(notes(&told).contains("The phase is not known in any window."));
    // Nor of a log without any.
    made(&served, "none", "", "");
    let told = signals(&served, "none");
    assert_eq!((&told["level"], &told["last"], &told["figures"]), (&Value::Null, &Value::Null, &json!([])));
}

#[test]
fn only_what_has_grown_is_read_and_what_is_no_event_is_counted() {
    let served = Served::start();
    let garden = |clock, level| window("g/garden", clock, 0.4, level, &json!({}));
    let log = format!("{}nonsense\n{}{{}}\n", garden(50, "CALM"), garden(75, "CALM"));
    made(&served, "g", "", &log);
    let told = signals(&served, "g");
    assert_eq!(told["level"], "CALM");
    assert!(
        notes(&told)
            .contains("2 lines of events.jsonl are no events and were left out; the first is line 2: "),
        "{}",
        notes(&told)
    );
    // A line without end is not read, whatever it holds; one too long is no event.
    let next = garden(100, "TENSE");
    append(&served, "g", &next[..next.len() - 9]);
    assert_eq!(signals(&served, "g"), told);
    append(&served, "g", &next[next.len() - 9..]);
    append(&served, "g", &(garden(125, "TENSE") + &"x".repeat(200_000) + "\n" + &garden(150, "TENSE")));
    let grown = signals(&served, "g");
    assert_eq!(grown["level"], "TENSE");
    assert!(grown["told"].as_str().unwrap().contains("since generation 125. 5 windows"), "{}", grown["told"]);
    assert!(notes(&grown).starts_with("3 lines"), "{}", notes(&grown));
    // What was read is not read again: the same length, with other bytes at its beginning.
    let path = served.place.path("runs/g/events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replacen("nonsense", "nonsens3", 1).replacen("\"residual\":0.4", "\"residual\":9.9", 1),
    )
    .unwrap();
    assert_eq!(signals(&served, "g"), grown);
    // A log that was cut back, and has grown beyond where it was, is read anew.
    fs::write(&path, garden(50, "CALM") + &garden(75, "ALERT").repeat(400)).unwrap();
    let anew = signals(&served, "g");
    assert_eq!(anew["level"], "ALERT");
    assert!(
        anew["told"].as_str().unwrap().contains("401 windows") && !notes(&anew).contains("no event"),
        "{anew}"
    );
    fs::write(&path, garden(50, "CALM")).unwrap();
    assert!(signals(&served, "g")["told"].as_str().unwrap().contains("1 window so far"));
}

#[test]
fn happenings_lanes_and_thresholds_are_those_of_the_run() {
    let served = Served::start();
    let mut log = String::new();
    for lane in (0..100).rev() {
        log += &window(&format!("b/agent/{lane}"), 50, 0.9, "ALERT", &json!({}));
    }
    for clock in (50..2_000).step_by(25) {
        log += &window("b/agent", clock, 0.2, "CALM", &json!({}));
        log += &window("b/agent/7", clock + 25, 0.9, "ALERT", &json!({}));
        log += &line("b/agent", "decide", clock, &json!({"reason": format!("verdict {clock}")}));
    }
    log += &line("b/agent", "rollback", 1_975, &json!({"reason": "nonfinite"}));
    log += &window("b/agent", 100, 0.2, "CALM", &json!({}));
    made(&served, "b", "[lumen]\nenabled = true\nresidual_tense = 0.5\nresidual_alert = 0.75\n", &log);
    let told = signals(&served, "b");
    assert_eq!((&told["of"], &told["level"]), (&json!("b/agent"), &json!("CALM")));
    assert_eq!(told["names"].as_array().unwrap().len(), 64);
    assert_eq!(told["names"][0], "b/agent");
    assert!(
        notes(&told).contains("There are more sources and lanes; 64 can be chosen here."),
        "{}",
        notes(&told)
    );
    let svg = told["figures"][0]["wide"].as_str().unwrap();
    assert!(svg.contains("\nTENSE above 0.5\n") && svg.contains("\nALERT above 0.75\n"));
    // The last of each kind.
    let moments = told["moments"].as_array().unwrap();
    assert_eq!(moments.len(), 17);
    assert_eq!(moments[16], json!({"number": 79, "clock": 1975, "kind": "rollback", "reason": "nonfinite"}));
    assert_eq!(moments[15], json!({"number": 78, "clock": 1975, "kind": "decide", "reason": "verdict 1975"}));
    assert!(
        notes(&told).contains("79 things happened; the last 16 of each kind are shown."),
        "{}",
        notes(&told)
    );
    for text in ["decide", "rollback", "79"] {
        assert!(svg.contains(&format!("\n{text}\n")), "no {text}");
    }
    assert!(!svg.contains("\nbest checkpoint\n"));
    // Behind the return the curve begins anew.
    assert!(
        paths(svg, "--curve-1", 2)[1..].iter().all(|path| path.windows(2).all(|two| two[0].0 <= two[1].0))
    );
    // A lane.
    let lane = signals(&served, "b&of=b/agent/7");
    assert_eq!(
        (&lane["of"], &lane["level"], &lane["moments"]),
        (&json!("b/agent/7"), &json!("ALERT"), &json!([]))
    );
    assert_eq!(lane["last"][0], json!(["residual", "0.900"]));
    assert_eq!(signals(&served, "b&of=nobody")["last"], Value::Null);
}

#[test]
fn each_garden_of_several_can_be_chosen() {
    let served = Served::start();
    served.place.ok(&format!("gardener --seed 3 --generations 120 --runs 3 --lumen --out runs/three {TINY}"));
    let first = signals(&served, "three");
    assert_eq!(
        (&first["of"], &first["names"]),
        (&json!("run-0001"), &json!(["run-0001", "run-0002", "run-0003"]))
    );
    let third = signals(&served, "three&of=run-0003");
    assert_eq!(third["of"], "run-0003");
    let log = served.place.text("runs/three/run-0003/events.jsonl");
    let windows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = windows.iter().rfind(|event: &&Value| event["event_type"] == "observe").unwrap();
    let residual = last["signals"]["residual"].as_f64().unwrap();
    assert_eq!(third["last"][0][1], format!("{residual:.3}"));
    assert_eq!(third["unit"], "generation");
}

#[test]
fn a_run_that_nothing_watched_has_none() {
    let served = Served::start();
    assert_eq!(signals(&served, "many/garden"), Value::Null);
    let (_, run) = served.get("/run?run=many/garden");
    let run: Value = serde_json::from_str(&run).unwrap();
    let mut keys: Vec<&String> = run.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["differences", "notes", "parts", "problem", "runs"]);
    // A log that a link has put there is nobody's.
    served.place.write("secret", window("g/secret", 50, 0.4, "CALM", &json!({})));
    std::os::unix::fs::symlink(served.place.path("secret"), served.place.path("runs/trace/events.jsonl"))
        .unwrap();
    assert_eq!(signals(&served, "trace"), Value::Null);
    for (asked, expected) in
        [("?run=no", 404), ("?run=..", 404), ("", 400), ("?run=trace&run=a", 400), ("?run=trace&x=1", 400)]
    {
        assert_eq!(served.get(&format!("/signals{asked}")).0, expected, "{asked}");
    }
    assert_eq!(served.get_for("evil.example", "/signals?run=trace").0, 421);
}

/// Long logs stay quick and their figures small.
#[test]
fn twenty_thousand_lines_are_shown_at_once() {
    let served = Served::start();
    let mut log = String::new();
    for number in 2..20_002_u64 {
        let share = |of: u64| (number * of % 997) as f64 / 997.0;
        let more = json!({"risk_band": share(31), "creative_band": share(57), "entropy_rate": share(7), "phase_diff": share(3)});
        log += &window("g/garden", number * 25, share(13), "CALM", &more);
        if number % 10 == 0 {
            log += &line("g/garden", "decide", number * 25, &json!({"reason": "damped"}));
        }
    }
    made(&served, "g", "", &log);
    let start = Instant::now();
    let (status, body) = served.get("/signals?run=g");
    let first = start.elapsed();
    assert!(status == 200 && body.contains("20000 windows"), "{status}");
    assert!(body.len() < 2_000_000, "{} bytes", body.len());
    assert!(first < Duration::from_secs(10), "{first:?}");
    append(&served, "g", &window("g/garden", 20_002 * 25, 0.4, "CALM", &json!({})));
    let start = Instant::now();
    assert!(served.get("/signals?run=g").1.contains("20001 windows"));
    let again = start.elapsed();
    assert!(again < first.max(Duration::from_secs(2)), "{again:?} after {first:?}");
}

const TOLD: &str = "document.getElementById('signals-told').textContent";
const LEVEL: &str = "document.getElementById('signals-level').textContent";
const SHOWN: &str = "document.getElementById('signals').checkVisibility()";

#[test]
fn the_page_follows_a_training_that_runs() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    let training = served.place.under_way(&train(100_000, "runs/now"), "runs/now/events.jsonl", 4_000);
    browser.open(&format!("http://{}/?run=now", served.address));
    browser.wait_until(SHOWN);
    let windows = "Number(document.getElementById('signals-told').textContent.match(/(\\d+) windows/)?.[1])";
    let before = browser.value(windows).as_u64().unwrap();
    let start = Instant::now();
    browser.wait_until(&format!("{windows} > {before}"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // The list of other sources stays closed where there is one.
    assert_eq!(browser.value("document.getElementById('signals-of').checkVisibility()"), false);
    send(&training, Signal::INT);
    end(training, "train");
    browser.wait_until("document.getElementById('run-state').textContent.endsWith(', interrupted')");
    let events = events(&served, "now");
    let of: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "observe").collect();
    browser.wait_until(&format!("{windows} === {}", of.len()));
    let residual = of.last().unwrap()["signals"]["residual"].as_f64().unwrap();
    let shown = browser.value("document.querySelector('#signals-last dd').textContent");
    assert_eq!(shown, format!("{residual:.3}"));
    let levels: Vec<Value> = of.iter().map(|window| window["levels"]["final"].clone()).collect();
    assert_eq!(browser.value(LEVEL), steady(&levels));
    // Another run takes them away.
    browser.value("[...document.querySelectorAll('#list th a')].find((link) => link.textContent === 'many/garden').click()");
    browser.wait_until("document.querySelector('#parts h3')?.textContent.includes('garden')");
    assert_eq!(browser.value(SHOWN), false);
    let asked =
        "performance.getEntriesByType('resource').some((entry) => entry.name.includes('/signals?run=many'))";
    assert_eq!(browser.value(asked), false);
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn a_level_is_a_word_and_a_colour_and_nothing_runs_over_the_edge_of_a_phone() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    for (name, level) in [("calm", "CALM"), ("tense", "TENSE"), ("alert", "ALERT"), ("unknown", "CALM")] {
        let mut log = String::new();
        let windows = if name == "unknown" { 2..3 } else { 2..60 };
        for number in windows {
            let more = json!({"risk_band": 0.3, "phase_diff": (number % 9) as f64 / 3.0});
            log += &window(&format!("{name}/garden"), number * 25, 0.4, level, &more);
            log +=
                &line(&format!("{name}/garden"), "decide", number * 25, &json!({"reason": "r".repeat(100)}));
        }
        log += &window(&format!("{name}/garden/{}", "lane".repeat(40)), 50, 0.4, level, &json!({}));
        made(&served, name, "", &(log + "no event\n"));
    }
    let mut colours = Vec::new();
    for (name, word) in [("calm", "CALM"), ("tense", "TENSE"), ("alert", "ALERT"), ("unknown", "unknown")] {
        browser.open(&format!("http://{}/?run={name}", served.address));
        browser.wait_until(SHOWN);
        assert_eq!(browser.value(LEVEL), word);
        let colour = "getComputedStyle(document.getElementById('signals-level')).borderLeftColor";
        let shape = "getComputedStyle(document.getElementById('signals-level'), '::before').content";
        colours.extend([browser.value(colour), browser.value(shape)]);
    }
    let mut each: Vec<String> = colours.iter().map(Value::to_string).collect();
    each.sort();
    each.dedup();
    assert_eq!(each.len(), 8, "{colours:?}");
    for scheme in ["light", "dark"] {
        browser.wish("prefers-color-scheme", scheme);
        let contrast = browser.value(CONTRAST).as_f64().unwrap();
        assert!(contrast >= 4.5, "{scheme}: {contrast}");
    }
    for width in [320, 375, 700] {
        let device = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 400});
        browser.call("Emulation.setDeviceMetricsOverride", &device);
        browser.open(&format!("http://{}/?run=alert", served.address));
        browser.wait_until(SHOWN);
        let over = "[...document.querySelectorAll('#run *')].filter((at) => !at.closest('.scroll') && at.getBoundingClientRect().right > innerWidth + 0.5).map((at) => at.outerHTML.slice(0, 60)).join()";
        assert_eq!(browser.value(over), "", "{width}");
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "{width}");
        let size = "(() => { const svg = [...document.querySelectorAll('#signals svg')].find((svg) => svg.checkVisibility()); const sizes = [...svg.querySelectorAll('text')].map((text) => parseFloat(getComputedStyle(text).fontSize)); return Math.min(...sizes) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; })()";
        assert!(browser.value(size).as_f64().unwrap() >= 8.0, "{width}");
    }
    // A lane, chosen.
    browser.value("(() => { const of = document.getElementById('signals-of'); of.selectedIndex = 1; of.dispatchEvent(new Event('change')); })()");
    browser.wait_until(&format!("({TOLD}).includes('1 window ')"));
    assert_eq!(browser.value("document.getElementById('signals-notes').textContent.includes('1 line of events.jsonl is no event')"), true);
    assert_eq!(browser.complaints, Vec::<Value>::new());
}
