//! What the page says of a run, also of one that is still growing: over real sockets, and in Chromium
//! where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "common/browser.rs"]
mod browser;
mod common;
#[path = "common/served.rs"]
mod served;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use browser::{Browser, CONTRAST};
use common::{SMALL, STEPS, end, send};
use rustix::process::Signal;
use serde_json::Value;
use served::{Served, first_line};

fn json(served: &Served, path: &str) -> Value {
    let (status, body) = served.get(path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn train(updates: u64, out: &str) -> String {
    format!("train --env k8s --seed 1 --steps {} {SMALL} --out {out}", updates * STEPS)
}

#[test]
fn a_training_that_grows_is_drawn_again_and_an_event_says_so() {
    let served = Served::start();
    served.place.ok(&train(12, "runs/whole"));
    let text = served.place.text("runs/whole/training.csv");
    let cut = text.match_indices('\n').nth(4).unwrap().0;
    served.place.copy("runs/whole", "runs/growing");
    // Four rows, and a half of the fifth.
    served.place.write("runs/growing/training.csv", &text[..cut + 9]);

    let stream = served.request("/changes?run=growing", &format!("Host: {}\r\n", served.address));
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut events = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let first = events.next().unwrap();
    let early = json(&served, "/run?run=growing");
    let answer = |run: &Value| run["parts"][0]["answer"].as_str().unwrap().to_owned();
    assert_eq!(STEPS, 128, "of an update");
    assert!(answer(&early).contains("in 512 steps"), "{}", answer(&early));
    assert_eq!((&early["run"]["status"], &early["problem"]), (&"finished".into(), &Value::Null));

    let mut file =
        OpenOptions::new().append(true).open(served.place.path("runs/growing/training.csv")).unwrap();
    file.write_all(&text.as_bytes()[cut + 9..]).unwrap();
    let second = events.next().unwrap();
    let growth = second.parse::<usize>().unwrap() - first.parse::<usize>().unwrap();
    assert_eq!(growth, text.len() - cut - 9);
    let late = json(&served, "/run?run=growing");
    assert!(answer(&late).contains("in 1,536 steps"), "{}", answer(&late));
    // What has grown is drawn as what was always whole.
    let whole = json(&served, "/run?run=whole");
    let figures = |run: &Value| run["parts"][0]["figures"].as_array().unwrap().clone();
    assert!(figures(&early) != figures(&whole));
    assert_eq!(figures(&late), figures(&whole));
    assert!(figures(&late).len() > 1, "{late}");
    for size in ["wide", "narrow"] {
        let svg = figures(&late)[0][size].as_str().unwrap().to_owned();
        assert!(svg.starts_with("<svg role=\"img\" aria-label=") && svg.contains("var(--curve-1"), "{svg}");
    }
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let served = Served::start();
    let path = served.place.path("runs/many/garden/resonetics_data.csv");
    let before = json(&served, "/run?run=many/garden");
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let rows = fs::metadata(&path).unwrap().len() as usize;
    let change = |time| {
        fs::write(&path, "x".repeat(rows)).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        json(&served, "/run?run=many/garden")
    };
    assert_eq!(change(written), before);
    let after = change(written + Duration::from_secs(1));
    assert!(after["problem"].as_str().unwrap().contains("resonetics_data.csv, line 1"), "{after}");
    assert_eq!(after["parts"], Value::Array(Vec::new()));
}

#[test]
fn a_report_is_the_one_that_the_command_writes_and_has_rules_of_its_own() {
    let served = Served::start();
    served.place.ok("report runs/many/garden --quiet --out runs/page");
    let written = served.place.text("runs/page/report.html");
    let rules = "\r\ncontent-security-policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; ";
    for (path, expected) in [
        ("/report?run=many%2Fgarden", written.replace(" --quiet --out runs/page", "")),
        ("/file?run=page&name=report.html", written),
    ] {
        let (status, head, body) = served.get_for(&served.address, path);
        assert!(status == 200 && body == expected, "{path}: {status}");
        assert!(head.contains(rules) && head.contains("sandbox allow-scripts"), "{path}: {head}");
        assert!(head.matches("content-security-policy").count() == 1, "{head}");
        assert!(head.contains("content-type: text/html") && head.contains("nosniff"), "{head}");
    }
    assert_eq!(served.get_for("evil.example", "/report?run=many%2Fgarden").0, 421);
    let list = json(&served, "/runs");
    let reported = |run: usize| (list["runs"][run]["name"].as_str(), list["runs"][run]["reported"].as_bool());
    assert_eq!(reported(0), (Some("many/garden"), Some(true)));
    assert_eq!(reported(2), (Some("trace"), Some(false)));
}

#[test]
fn a_run_that_is_none_and_one_that_cannot_be_read_are_refused_in_words() {
    let served = Served::start();
    let place = &served.place;
    place.write("secret.csv", "secret");
    for name in ["broken", "linked", "told"] {
        place.copy("runs/many/garden", &format!("runs/{name}"));
    }
    let text = place.text("runs/broken/resonetics_data.csv").replacen("\n1,", "\none,", 1);
    place.write("runs/broken/resonetics_data.csv", text);
    for link in ["runs/linked/resonetics_data.csv", "runs/told/config.toml"] {
        fs::remove_file(place.path(link)).unwrap();
        std::os::unix::fs::symlink(place.path("secret.csv"), place.path(link)).unwrap();
    }
    std::os::unix::fs::symlink(place.path("runs/trace"), place.path("runs/elsewhere")).unwrap();
    for (asked, expected, said) in [
        ("?run=nothing", 404, "no such run"),
        ("?run=..", 404, "no such run"),
        ("?run=elsewhere", 404, "no such run"),
        ("?run=many", 404, "no such run"),
        ("?run=many/../trace", 404, "no such run"),
        ("?run=", 404, "no such run"),
        ("", 400, "give run"),
        ("?run=trace", 422, "holds nothing to analyze"),
        ("?run=broken", 422, "resonetics_data.csv, line "),
        ("?run=linked", 422, "is a link"),
        ("?run=told", 422, "is a link"),
    ] {
        let (status, head, body) = served.get_for(&served.address, &format!("/report{asked}"));
        assert!(
            status == expected && body.contains(said) && !body.contains("secret"),
            "{asked}: {status} {body}"
        );
        assert!(head.contains("default-src 'self'"), "{head}");
        if expected == 422 {
            let run = json(&served, &format!("/run{asked}"));
            assert_eq!(format!("{}\n", run["problem"].as_str().unwrap()), body);
        } else {
            assert_eq!(served.get(&format!("/run{asked}")).0, expected, "{asked}");
            assert_eq!(served.get(&format!("/changes{asked}")).0, expected, "{asked}");
        }
    }
}

#[test]
fn it_opens_on_the_run_that_is_named() {
    let served = Served::start();
    let place = &served.place;
    place.copy("runs/many/garden", "else/where it's");
    for (typed, expected) in [
        (&["runs/many/garden"][..], "?run=many/garden"),
        (&["runs/many/garden/", "--dir", "runs/many"], "?run=garden"),
        (&["else/where it's"], "?run=where%20it%27s"),
    ] {
        let mut child =
            place.command_of(&[&["serve", "--port", "0", "--quiet"], typed].concat()).spawn().unwrap();
        let url = first_line(&mut child);
        send(&child, Signal::INT);
        end(child, "serve");
        assert!(url.ends_with(expected), "{url}");
    }
    for typed in ["runs/many", "runs/nothing", "runs/trace/run.json", "runs/trace --dir runs/many"] {
        let said = place.refused(&format!("serve --port 0 {typed}"));
        assert!(said.contains(typed.split(' ').next().unwrap()), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn word_of_changes_ends_when_the_browser_goes() {
    let served = Served::start();
    served.get("/");
    common::wait_until(|| served.sockets() == 1);
    let host = format!("Host: {}\r\n", served.address);
    let mut lines = BufReader::new(served.request("/changes?run=trace", &host)).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("data: ")));
    assert_eq!(served.sockets(), 2);
    drop(lines);
    common::wait_until(|| served.sockets() == 1);
}

/// The first figure that the page shows.
const DRAWN: &str = "(document.querySelector('#parts .wide svg')?.outerHTML ?? '')";

#[test]
fn the_page_draws_a_training_again_while_it_runs() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    let training = served.place.under_way(&train(100_000, "runs/now"), "runs/now/training.csv", 1_000);
    browser.open(&format!("http://{}/?run=now", served.address));
    browser.wait_until(&format!("({DRAWN}).includes('<polyline')"));
    browser.value(&format!("window.before = {DRAWN}"));
    browser.wait_until(&format!("({DRAWN}).includes('<polyline') && window.before !== {DRAWN}"));
    let state = "document.getElementById('run-state').textContent";
    assert!(browser.value(state).as_str().unwrap().ends_with(", running"));
    assert_eq!(browser.value("document.querySelectorAll('#list tr').length"), 3);
    // An alternative text, and colours of the page.
    let svg = "document.querySelector('#parts .wide svg')";
    let named = browser.value(&format!(
        "{svg}.getAttribute('aria-label') === {svg}.closest('figure').querySelector('figcaption').textContent"
    ));
    assert_eq!(named, true);
    for (scheme, ink, curve) in [
        ("light", "rgb(27, 31, 36)", "rgb(0, 114, 178)"),
        ("dark", "rgb(232, 234, 237)", "rgb(90, 180, 240)"),
    ] {
        browser.wish("prefers-color-scheme", scheme);
        let of = |what: &str, property: &str| {
            format!("getComputedStyle(document.querySelector('#parts .wide svg {what}')).{property}")
        };
        assert_eq!(browser.value(&of("text", "fill")), ink, "{scheme}");
        assert_eq!(browser.value(&of("polyline[stroke*=curve-1]", "stroke")), curve, "{scheme}");
        let contrast = browser.value(CONTRAST).as_f64().unwrap();
        assert!(contrast >= 4.5, "{scheme}: {contrast}");
    }
    // The page opened on the run, and the keyboard goes on from there; it stays where it is while files grow.
    let focused = "(({activeElement: at}) => at.id || at.textContent)(document)";
    assert_eq!(browser.value(focused), "run-title");
    browser.press("Tab", 9, "");
    assert_eq!(browser.value(focused), "run-report");
    browser.press("Tab", 9, "");
    let file = browser.value(focused);
    assert!(file.as_str().unwrap().contains('.'), "{file}");
    browser.value(&format!("window.before = {DRAWN}"));
    browser.wait_until(&format!("window.before !== {DRAWN}"));
    assert_eq!(browser.value(focused), file);

    send(&training, Signal::INT);
    end(training, "train");
    browser.wait_until(&format!("{state}.endsWith(', interrupted')"));
    browser.wait_until("document.getElementById('list').textContent.includes('interrupted')");
    // Another run, chosen by keyboard, and back.
    browser.value("[...document.querySelectorAll('#list th a')].find((link) => link.textContent === 'many/garden').focus()");
    browser.press("Enter", 13, "\r");
    browser.wait_until("document.querySelector('#parts h3')?.textContent.includes('garden')");
    browser.value("history.back()");
    browser.wait_until("document.querySelector('#parts h3')?.textContent.includes('training')");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn a_run_that_is_not_there_leaves_nothing_behind() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    let state = "document.getElementById('run-state').textContent";
    let left = "['run-report', 'run-problem', 'files-title'].filter((id) => document.getElementById(id).checkVisibility()).length + document.querySelectorAll('#parts *, #run-files *').length";
    browser.open(&format!("http://{}/?run=nope", served.address));
    browser.wait_until(&format!("{state} === 'there is no such run'"));
    assert_eq!(browser.value(left), 0);
    browser.open(&format!("http://{}/?run=many/garden", served.address));
    browser.wait_until("document.querySelectorAll('#parts figure').length > 0");
    assert_ne!(browser.value(left), 0);
    fs::remove_dir_all(served.place.path("runs/many/garden")).unwrap();
    browser.wait_until(&format!("{state} === 'there is no such run'"));
    assert_eq!(browser.value(left), 0);
    browser.wait_until("document.querySelectorAll('#list tr').length === 1");
    // Chromium itself reports each answer that is none.
    browser.complaints.retain(|complaint| complaint["method"] != "Log.entryAdded");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

/// A large run takes long.
#[test]
fn reading_is_said() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until("document.querySelectorAll('#list th a').length === 2");
    // In the same task as the click, before any answer.
    let said =
        "(document.querySelector('#list th a').click(), document.getElementById('run-state').textContent)";
    assert_eq!(browser.value(said), "reading…");
    browser.wait_until("document.getElementById('run-state').textContent.endsWith(', finished')");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
fn a_report_opens_and_its_tables_sort() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    browser.open(&format!("http://{}/report?run=many/garden", served.address));
    assert_eq!(browser.value("getComputedStyle(document.querySelector('.narrow')).display"), "none");
    browser.value("document.querySelector('th button').click()");
    assert_ne!(browser.value("document.querySelector('th').getAttribute('aria-sort')"), Value::Null);
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

#[test]
#[ignore = "writes docs/run.png"]
fn screenshot() {
    let mut browser = Browser::start().unwrap();
    let served = Served::start();
    let train = "train --env k8s --seed 1 --steps 4000000 --no-monitor --out runs/prophet";
    let training = served.place.under_way(train, "runs/prophet/training.csv", 6_000);
    browser.open(&format!("http://{}/?run=prophet", served.address));
    let steps = "Number(document.querySelector('#parts p')?.textContent.match(/in (\\d+) steps/)?.[1])";
    browser.wait_until(&format!("{steps} > 100_000"));
    let picture = browser.picture();
    send(&training, Signal::INT);
    end(training, "train");
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/run.png"), picture).unwrap();
}
