//! The page: over real sockets, and in Chromium where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/served.rs"]
mod served;

use std::io::{BufRead, BufReader};

use browser::{Browser, CONTRAST};
use common::{end, send, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use served::Served;

fn steps(scenes: &[Value]) -> Vec<u64> {
    scenes.iter().map(|scene| scene["step"].as_u64().unwrap()).collect()
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
    assert!(served.place.refused("serve --dir runs/trace/run.json").contains("no directory"));
}

#[test]
fn every_answer_says_what_the_page_may_do_and_only_this_host_is_answered() {
    let served = Served::start();
    let port = served.address.split(':').nth(1).unwrap();
    for path in ["/", "/page.css", "/page.js", "/icon.svg", "/colours.css", "/worlds", "/runs", "/nothing"] {
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
    assert_eq!(
        (&garden["command"], &garden["seed"], &garden["status"]),
        (&"gardener".into(), &1.into(), &"finished".into())
    );
    let files: Vec<_> =
        garden["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(files, served.place.names("runs/many/garden"));
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
        ("k8s?seed=-1", "seed"),
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
    assert_eq!(reached, ["Live", "Runs", "env", "preset", "agent", "seed", "rate", "Start", "pause"]);
    let outlined = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outlined), "solid", "the focus is seen");
    browser.press("Enter", 13, "\r");
    browser.wait_until("document.getElementById('state').textContent.startsWith('paused after ')");
    let paused = browser.value(GENERATION);
    browser.press("Enter", 13, "\r");
    browser.wait_until(&format!("{GENERATION} > {paused}"));
    browser.press("Tab", 9, "");
    assert_eq!(browser.value(name), "refresh");

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

#[test]
#[ignore = "writes docs/page.png"]
fn screenshot() {
    let mut browser = Browser::start().unwrap();
    let served = Served::start();
    browser.open(&format!("http://{}/", served.address));
    let start = "Object.assign(document.querySelector('[name=rate]'), {value: 100}); Object.assign(document.querySelector('[name=agent]'), {value: 'heuristic'}); document.getElementById('choice').requestSubmit()";
    browser.wait_until("document.querySelector('[name=agent]').length > 0");
    browser.value(start);
    browser.wait_until(&format!("{GENERATION} >= 250"));
    browser.value("document.getElementById('pause').click()");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/page.png"), browser.picture()).unwrap();
}
