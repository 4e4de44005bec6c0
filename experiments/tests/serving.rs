//! The page: over real sockets, and in Chromium where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::io::{BufRead, BufReader};

use common::browser::{Browser, CONTRAST};
use common::served::{self, Served};
use common::{end, send, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

fn steps(scenes: &[Value]) -> Vec<u64> {
    scenes.iter().map(|scene| scene["step"].as_u64().unwrap()).collect()
}

/// The files that a run is said to have.
fn files(served: &Served, run: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(&served.get(&format!("/run?run={run}")).1).unwrap();
    let files = told["runs"][0]["files"].as_array().unwrap();
    files.iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_listens_until_it_is_told_to_end() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut served = Served::start();
        assert_eq!(served.get("/").0, 200);
        let child = served.child.take().unwrap();
        send(&child, signal);
        let ran = end(child, "serve");
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    }
}

#[test]
fn a_port_that_is_taken_and_a_file_for_a_directory_are_refused() {
    let served = Served::start();
    let port = served.address.split(':').nth(1).unwrap();
    let said = served.place.refused(&format!("serve --port {port}"));
    assert!(said.contains(&served.address) && said.contains("--port"), "{said}");
    assert!(served.place.refused("serve --dir runs/trace/run.json").contains("not a directory"));
    assert!(served.place.refused("serve --port 0 --dir nowhere").contains("there is no nowhere"));
}

#[test]
fn every_answer_says_what_the_page_may_do_and_only_this_host_is_answered() {
    let served = Served::start();
    let port = served.address.split(':').nth(1).unwrap();
    for path in [
        "/",
        "/page.css",
        "/page.js",
        "/list.js",
        "/icon.svg",
        "/colours.css",
        "/worlds",
        "/runs",
        "/nothing",
    ] {
        let (status, head, _) = served.get_for(&served.address, path);
        assert_eq!(status, if path == "/nothing" { 404 } else { 200 }, "{path}");
        assert!(head.contains("\r\ncontent-security-policy: default-src 'self'; "), "{path}: {head}");
        assert!(!head.contains("unsafe") && !head.contains("access-control"), "{path}: {head}");
        assert!(head.contains("\r\nx-content-type-options: nosniff"), "{path}: {head}");
        for host in ["evil.example", &format!("evil.example:{port}"), "127.0.0.1", "localhost:1", ""] {
            let (status, _, body) = served.get_for(host, path);
            assert!(status == 421 && !body.contains("resonetics"), "{host} {path}: {status} {body}");
        }
    }
    assert_eq!(served.get_for(&format!("localhost:{port}"), "/").0, 200);
    assert!(served.get("/nothing").1.contains("no such page"));
    let page = served.get("/").1;
    assert!(!page.contains("<script>") && !page.contains("style="), "nothing inline");
}

#[test]
fn runs_are_listed_and_only_their_files_are_given() {
    let served = Served::start();
    let list: Value = serde_json::from_str(&served.get("/runs").1).unwrap();
    let names: Vec<_> =
        list["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["many/garden", "trace"]);
    let garden = &list["runs"][0];
    let worlds = (&garden["worlds"], &garden["agents"], &garden["steps"], &garden["result"]);
    let none = "not lost in 20 generations";
    assert_eq!(worlds, (&json!(["gardener"]), &json!(["evolved"]), &20.into(), &none.into()));
    assert_eq!(
        (&garden["command"], &garden["seed"], &garden["status"]),
        (&"gardener".into(), &"1".into(), &"finished".into())
    );
    assert_eq!(files(&served, "many/garden"), served.place.names("runs/many/garden"));
    let (status, body) = served.get("/file?run=many%2Fgarden&name=resonetics_data.csv");
    assert!(status == 200 && body.as_bytes() == served.place.bytes("runs/many/garden/resonetics_data.csv"));
    let (_, head, _) = served.get_for(&served.address, "/file?run=many%2Fgarden&name=dirt.svg");
    assert!(head.contains("content-type: image/svg+xml"), "{head}");

    served.place.write("secret.txt", "secret");
    served.place.write("runs/trace/other.bin", "secret");
    std::os::unix::fs::symlink(served.place.path("secret.txt"), served.place.path("runs/trace/link.txt"))
        .unwrap();
    std::os::unix::fs::symlink(served.place.path("."), served.place.path("runs/up")).unwrap();
    for asked in [
        "run=trace&name=..%2F..%2Fsecret.txt",
        "run=..&name=secret.txt",
        "run=&name=secret.txt",
        "run=up&name=secret.txt",
        "run=many%2F..%2Ftrace&name=run.json",
        "run=trace&name=link.txt",
        "run=trace&name=other.bin",
        "run=trace&name=",
        "run=many&name=garden",
    ] {
        let (status, body) = served.get(&format!("/file?{asked}"));
        assert!(status == 404 && !body.contains("secret"), "{asked}: {status} {body}");
    }
    assert_eq!(served.get("/file?run=trace").0, 400);
    assert_eq!(served.get("/runs/../../secret.txt").0, 404);
}

#[test]
fn files_one_folder_below_a_run_are_listed_and_given() {
    let served = Served::start();
    let place = &served.place;
    for folder in ["run-0001", "run-0001/deeper", "inner"] {
        std::fs::create_dir(place.path(&format!("runs/many/garden/{folder}"))).unwrap();
    }
    for file in [
        "lock",
        "run-0001/data.csv",
        "run-0001/.tmp1",
        "run-0001/lock",
        "run-0001/deeper/secret.txt",
        "inner/run.json",
    ] {
        place.write(&format!("runs/many/garden/{file}"), format!("in {file}"));
    }
    place.write("runs/secret.txt", "secret");
    std::os::unix::fs::symlink(place.path("runs"), place.path("runs/many/garden/up")).unwrap();
    let list: Value = serde_json::from_str(&served.get("/runs").1).unwrap();
    let runs = list["runs"].as_array().unwrap();
    assert_eq!(
        runs.iter().map(|run| &run["name"]).collect::<Vec<_>>(),
        ["many/garden", "many/garden/inner", "trace"]
    );
    let names = files(&served, "many/garden");
    let own = place.names("runs/many/garden").into_iter().filter(|name| name.contains('.'));
    let expected: Vec<_> = own.chain(["run-0001/data.csv".to_owned()]).collect();
    assert_eq!(names, expected);
    let (status, body) = served.get("/file?run=many%2Fgarden&name=run-0001%2Fdata.csv");
    assert_eq!((status, body.as_str()), (200, "in run-0001/data.csv"));
    for name in [
        "lock",
        "run-0001%2Flock",
        "run-0001%2F..%2Frun.json",
        "run-0001%2F..%2F..%2F..%2Fsecret.txt",
        "run-0001%2Fdeeper%2Fsecret.txt",
        "run-0001%2F%2Fdata.csv",
        "inner%2Frun.json",
        "up%2Fsecret.txt",
        "%2Fetc%2Fpasswd",
    ] {
        let (status, body) = served.get(&format!("/file?run=many%2Fgarden&name={name}"));
        assert!(status == 404 && !body.contains("secret"), "{name}: {status} {body}");
    }
}

/// What somebody else wrote there, and what stands in the list for it.
const STRANGE: [(&str, &str, &str); 7] = [
    ("a", r#"{"started_at":5,"status":"finished"}"#, "finished"),
    ("b", r#"{"command":{"a":1},"seed":"x","status":["y"]}"#, ""),
    ("c", "{", "run.json cannot be read"),
    ("d", "1e400", "run.json cannot be read"),
    ("e", "[]", "run.json cannot be read"),
    ("f", "", "run.json cannot be read"),
    ("g", r#"{"seed":9223372036854775807}"#, ""),
];

fn strange() -> Served {
    let served = Served::start();
    for (name, text, _) in STRANGE {
        std::fs::create_dir(served.place.path(&format!("runs/{name}"))).unwrap();
        served.place.write(&format!("runs/{name}/run.json"), text);
    }
    served
}

#[test]
fn strange_records_are_listed_as_text_or_nothing() {
    let served = strange();
    let list: Value = serde_json::from_str(&served.get("/runs").1).unwrap();
    for (run, (name, _, status)) in list["runs"].as_array().unwrap().iter().zip(STRANGE) {
        assert_eq!((&run["name"], run["status"].as_str().unwrap_or_default()), (&name.into(), status));
        for key in ["command", "seed", "started_at", "status"] {
            assert!(run[key].is_null() || run[key].is_string(), "{run}");
        }
    }
    assert_eq!(list["runs"][6]["seed"], "9223372036854775807");
    // The page can be opened on one.
    let mut child = served.place.command("serve --port 0 --quiet runs/c").spawn().unwrap();
    assert!(served::first_line(&mut child).ends_with("?run=c"));
    send(&child, Signal::INT);
    end(child, "serve");
}

#[test]
fn a_run_that_was_killed_does_not_run_for_ever() {
    let served = Served::start();
    let status = || {
        let list: Value = serde_json::from_str(&served.get("/runs").1).unwrap();
        let runs = list["runs"].as_array().unwrap().clone();
        runs.iter().find(|run| run["name"] == "now").unwrap()["status"].as_str().unwrap().to_owned()
    };
    let arguments = "gardener --seed 1 --generations 1000000000 --threads 1 --out runs/now";
    let mut child = served.place.under_way(arguments, "runs/now/config.toml", 1);
    wait_until(|| status() == "running");
    let host = format!("Host: {}\r\n", served.address);
    let mut lines = BufReader::new(served.request("/changes?run=now", &host)).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("data: ")));
    send(&child, Signal::KILL);
    child.wait().unwrap();
    assert_eq!(status(), "killed");
    // Who looks at it is told, though no file has changed.
    assert!(lines.any(|line| line.starts_with("data: ")));
    assert_eq!(served.place.json("runs/now/run.json")["status"], "running");
}

#[test]
fn the_control_layer_is_switched() {
    let served = Served::start();
    let scene = |asked: &str| served.scenes(&format!("/live/{asked}"), "", 1).remove(0);
    let shows = |scene: &Value, name: &str| scene["readings"].to_string().contains(&format!("[\"{name}\","));
    let on = scene("k8s?control=true");
    assert!(shows(&on, "damping alpha") && on["trends"][2][0] == "risk", "{on}");
    for asked in ["k8s?control=false", "k8s"] {
        assert!(shows(&scene(asked), "control") && !shows(&scene(asked), "damping alpha"));
    }
    let worlds: Value = serde_json::from_str(&served.get("/worlds").1).unwrap();
    for world in worlds["worlds"].as_array().unwrap() {
        assert_eq!(world["control"], world["name"] == "gardener", "{world}");
    }
}

#[test]
fn a_stream_shows_the_episode_of_its_seed_from_any_step() {
    let served = Served::start();
    let whole = served.scenes("/live/gardener?seed=4&agent=heuristic&rate=20", "", 8);
    assert_eq!(steps(&whole), [0, 1, 2, 3, 4, 5, 6, 7]);
    let resumed = served.scenes("/live/gardener?seed=4&agent=heuristic&rate=20&from=5", "", 3);
    assert!(resumed == whole[5..], "it goes on as it would have");
    let again = "Last-Event-ID: 6\r\n";
    let lost = served.scenes("/live/gardener?seed=4&agent=heuristic&rate=20&from=5", again, 2);
    assert!(lost == whole[6..], "behind the last one seen");
    assert_eq!(steps(&served.scenes("/live/gardener?rate=1000&seed=4", "", 3)), [0, 50, 100]);
    let other = served.scenes("/live/gardener?seed=5&agent=heuristic&rate=20", "", 2);
    assert!(other[1] != whole[1]);
    // The end is the last of a stream.
    let storm = served.scenes("/live/k8s?preset=storm&agent=random&seed=1&rate=1000", "", usize::MAX);
    let ended: Vec<_> = storm.iter().map(|scene| !scene["ending"].is_null()).collect();
    assert!(ended[ended.len() - 1] && !ended[..ended.len() - 1].contains(&true), "{ended:?}");
}

#[test]
fn what_cannot_be_shown_is_refused_in_words() {
    let served = Served::start();
    for (asked, expected) in [
        ("nowhere", "unknown environment `nowhere`"),
        ("k8s?agent=evolved", "unknown agent `evolved`"),
        ("k8s?agent=prophet:runs%2Ftrace", "unknown agent `prophet:runs/trace`"),
        ("k8s?preset=wild", "unknown preset `wild`"),
        ("k8s?rate=0", "`rate = 0`"),
        ("k8s?rate=7", "allowed are [1, 2"),
        ("k8s?seed=-1", "`seed = -1`: allowed are whole numbers from 0 to "),
        ("k8s?seed=1e3", "`seed = 1e3`: allowed are"),
        ("k8s?seed=", "`seed = `: allowed are"),
        ("k8s?seed=12345678901234567890", "`seed = 12345678901234567890`: allowed are"),
        ("k8s?seed=9223372036854775808", "`seed = 9223372036854775808`"),
        ("k8s?speed=3", "speed"),
    ] {
        let (status, body) = served.get(&format!("/live/{asked}"));
        assert!(status == 400 && body.contains(expected), "{asked}: {status} {body}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_ends_when_the_browser_goes() {
    let served = Served::start();
    served.get("/");
    wait_until(|| served.sockets() == 1);
    let streams: Vec<_> = (0..5)
        .map(|_| {
            let stream = served.request("/live/gardener?rate=20", &format!("Host: {}\r\n", served.address));
            let mut lines = BufReader::new(stream).lines();
            assert!(lines.any(|line| line.unwrap().starts_with("data: ")));
            lines
        })
        .collect();
    assert_eq!(served.sockets(), 6);
    drop(streams);
    wait_until(|| served.sockets() == 1);
}

/// The generation that the page shows.
const GENERATION: &str = "Number(document.querySelector('#readings dd')?.textContent ?? -1)";

#[test]
fn the_page_shows_a_garden_that_moves_and_the_keyboard_reaches_all_of_it() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until(&format!("{GENERATION} > 1"));
    browser.value("window.before = document.getElementById('grid').toDataURL()");
    let generation = browser.value(GENERATION);
    browser.wait_until(&format!("{GENERATION} > {generation} + 2"));
    assert_eq!(browser.value("window.before !== document.getElementById('grid').toDataURL()"), true);
    assert_eq!(browser.value("document.querySelectorAll('#list tr').length"), 2);
    assert!(browser.value("document.querySelector('#list').textContent").to_string().contains("many/garden"));

    let name = "(({activeElement: at}) => at.name || at.id || at.textContent)(document)";
    let mut reached: Vec<String> = Vec::new();
    while reached.last().is_none_or(|last| last != "pause") {
        browser.press("Tab", 9, "");
        reached.push(browser.value(name).as_str().unwrap().to_owned());
        assert!(reached.len() < 20, "{reached:?}");
    }
    assert_eq!(
        reached,
        ["Live", "Runs", "env", "preset", "agent", "seed", "rate", "control", "Start", "pause"]
    );
    let outlined = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outlined), "solid", "the focus is seen");
    browser.press("Enter", 13, "\r");
    browser.wait_until("document.getElementById('state').textContent.startsWith('paused after ')");
    let paused = browser.value(GENERATION);
    browser.press("Enter", 13, "\r");
    browser.wait_until(&format!("{GENERATION} > {paused}"));
    let mut reached: Vec<String> = Vec::new();
    while reached.last().is_none_or(|last| last != "refresh") {
        browser.press("Tab", 9, "");
        reached.push(browser.value(name).as_str().unwrap().to_owned());
        assert!(reached.len() < 20, "{reached:?}");
    }
    assert_eq!(reached, ["find", "command", "world", "agent", "status", "refresh"]);

    browser.value("document.querySelector('[name=env]').value = 'k8s'; document.querySelector('[name=env]').dispatchEvent(new Event('change')); document.querySelector('[name=rate]').value = 1000; document.getElementById('choice').requestSubmit()");
    browser.wait_until("document.getElementById('state').textContent.startsWith('after 500 steps: ')");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn texts_stand_out_by_day_and_by_night_and_nothing_moves_unasked() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    for (scheme, ground) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 31)")] {
        browser.wish("prefers-color-scheme", scheme);
        browser.open(&format!("http://{}/", served.address));
        browser.wait_until(&format!("{GENERATION} > 1"));
        assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), ground);
        let contrast = browser.value(CONTRAST).as_f64().unwrap();
        assert!(contrast >= 4.5, "{scheme}: {contrast}");
    }
    browser.wish("prefers-reduced-motion", "reduce");
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until("document.getElementById('state').textContent.startsWith('Press Start')");
    assert_eq!(browser.value("document.querySelectorAll('#readings dd').length"), 0);
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

/// Of the run page too, with the widths of small phones.
#[test]
fn nothing_runs_over_the_edge_of_a_phone_and_figures_can_be_read() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    for width in [320, 375, 700] {
        let device = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 400});
        browser.call("Emulation.setDeviceMetricsOverride", &device);
        for (path, ready) in [
            ("", format!("{GENERATION} > 1")),
            ("?run=many/garden", "document.querySelectorAll('#parts figure').length > 0".to_owned()),
        ] {
            browser.open(&format!("http://{}/{path}", served.address));
            browser.wait_until(&ready);
            browser.wait_until("document.querySelectorAll('#list tr').length === 2");
            let over = "[...document.querySelectorAll('body *')].filter((at) => !at.closest('.scroll') && at.getBoundingClientRect().right > innerWidth + 0.5).map((at) => at.outerHTML.slice(0, 60)).join()";
            assert_eq!(browser.value(over), "", "{width} {path}");
            assert_eq!(browser.value("innerWidth"), width, "{width} {path}");
            assert_eq!(
                browser.value("document.documentElement.scrollWidth <= innerWidth"),
                true,
                "{width} {path}"
            );
            if width < 400 {
                let status = "[...document.querySelectorAll('#list td, #list th')].every((at) => at.getBoundingClientRect().right <= innerWidth)";
                assert_eq!(browser.value(status), true, "{width}: the list hides something");
            }
        }
        // The smallest text of the first figure, in pixels of the screen.
        let size = "(() => { const svg = [...document.querySelectorAll('#parts svg')].find((svg) => svg.checkVisibility()); const sizes = [...svg.querySelectorAll('text')].map((text) => parseFloat(getComputedStyle(text).fontSize)); return Math.min(...sizes) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; })()";
        let size = browser.value(size).as_f64().unwrap();
        // With a margin at both sides it would be 7 on the smallest.
        assert!(size >= 8.0, "{width}: {size}");
    }
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn strange_records_do_not_stop_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    let served = strange();
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until(&format!("{GENERATION} > 1"));
    assert_eq!(browser.value("document.querySelectorAll('#list tr').length"), 2 + STRANGE.len());
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn a_seed_is_checked_in_words_and_control_is_a_box() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until(&format!("{GENERATION} > 1"));
    let asked = |name: &str| format!("document.querySelector('[name={name}]')");
    for (seed, valid) in
        [("1e3", false), ("-1", false), ("", false), ("12345678901234567890", false), ("7", true)]
    {
        browser.value(&format!("{}.value = '{seed}'", asked("seed")));
        assert_eq!(browser.value(&format!("{}.checkValidity()", asked("seed"))), valid, "{seed}");
    }
    assert_eq!(browser.value(&format!("{}.checked", asked("control"))), true);
    browser.value(&format!("{0}.value = 'k8s'; {0}.dispatchEvent(new Event('change'))", asked("env")));
    assert_eq!(browser.value(&format!("{}.checked", asked("control"))), false);
    browser
        .value(&format!("{}.click(); document.getElementById('choice').requestSubmit()", asked("control")));
    browser.wait_until("document.getElementById('readings').textContent.includes('damping alpha')");
    browser.wait_until("document.getElementById('state').textContent.endsWith('seed 7, control on')");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn a_server_that_goes_and_comes_back_is_told_of() {
    let Some(mut browser) = Browser::start() else { return };
    let mut served = Served::start();
    let port = served.address.split(':').nth(1).unwrap().to_owned();
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until(&format!("{GENERATION} > 1"));
    let live = "document.getElementById('state').textContent";
    let before = browser.value(live);
    let child = served.child.take().unwrap();
    send(&child, Signal::KILL);
    end(child, "serve");
    browser.wait_until(&format!("{live}.includes('the connection is gone')"));
    browser.value("document.getElementById('refresh').click()");
    browser.wait_until("document.getElementById('runs-state').textContent.includes('does not answer')");
    served.child = Some(served.place.command(&format!("serve --port {port} --quiet")).spawn().unwrap());
    browser.wait_until(&format!("{live} === {before}"));
    // Chromium itself reports each refused connection.
    browser.complaints.retain(|complaint| complaint["method"] != "Log.entryAdded");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
#[ignore = "writes docs/guide/src/images/page.png"]
fn screenshot() {
    let mut browser = Browser::start().unwrap();
    let served = Served::start();
    browser.open(&format!("http://{}/", served.address));
    let start = "Object.assign(document.querySelector('[name=rate]'), {value: 100}); Object.assign(document.querySelector('[name=agent]'), {value: 'heuristic'}); document.getElementById('choice').requestSubmit()";
    browser.wait_until("document.querySelector('[name=agent]').length > 0");
    browser.value(start);
    browser.wait_until(&format!("{GENERATION} >= 250"));
    browser.value("document.getElementById('pause').click()");
    std::fs::write(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/src/images/page.png"),
        browser.picture(),
    )
    .unwrap();
}

/// Opening a pipe waits for its writer: a page waits for nobody.
#[test]
fn a_pipe_among_the_files_of_a_run_is_not_waited_for() {
    let served = Served::start();
    for name in ["config.toml", "run.json", "more.csv"] {
        let path = served.place.path(&format!("runs/trace/{name}"));
        let _ = std::fs::remove_file(&path);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (status, body) = served.get("/runs");
        assert!(status == 200 && body.contains("many/garden"), "{name}: {body}");
        assert_ne!(served.get("/run?run=trace").0, 0);
    }
    assert!(served.get("/run?run=many/garden").1.contains("\"parts\":[{"));
}
