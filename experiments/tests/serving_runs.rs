//! What the page says of a run, also of one that is still growing: over real sockets, and in Chromium
//! where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use common::browser::{Browser, CONTRAST};
use common::served::{Served, first_line};
use common::{SMALL, STEPS, end, send};
use rustix::process::Signal;
use serde_json::Value;

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
    let cut = text.match_indices('\n').nth(5).unwrap().0;
    served.place.copy("runs/whole", "runs/growing");
    // The beginning, four updates, and a half of the fifth.
    served.place.write("runs/growing/training.csv", &text[..cut + 9]);

    let stream = served.request("/changes?run=growing", &format!("Host: {}\r\n", served.address));
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let mut events = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let first = events.next().unwrap();
    let early = json(&served, "/run?run=growing");
    let answer = |run: &Value| run["parts"][0]["answer"].as_str().unwrap().to_owned();
    assert_eq!(STEPS, 128, "of an update");
    assert!(answer(&early).contains("in 512 steps"), "{}", answer(&early));
    assert_eq!((&early["runs"][0]["status"], &early["problem"]), (&"finished".into(), &Value::Null));

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
    browser.wait_until("document.getElementById('run-watch').checkVisibility()");
    browser.press("Tab", 9, "");
    assert_eq!(browser.value(focused), "run-watch");
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

/// A run folder as somebody may have it, made by hand.
fn made(served: &Served, name: &str, run: &str, files: &[(&str, &str)]) {
    let folder = served.place.path(&format!("runs/{name}"));
    fs::create_dir_all(folder.join("checkpoints")).unwrap();
    fs::write(folder.join("run.json"), run).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
}

/// The row of a run.
fn row(served: &Served, name: &str) -> Value {
    let list = json(served, "/runs");
    let found = list["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// The cells are those of the tables, by hand.
#[test]
fn a_row_says_what_came_of_a_run_and_no_more_than_its_files_say() {
    const LOG: &str = "update,steps,episodes,greedy_return\n0,0,0,\n1,128,0,28.125\n2,256,3,\n";
    const AGENTS: &str = "agent,episodes,return_iqm\nrandom,5,28.5\n\"prophet:a,b\",5,59.25\nidle,5,NaN\n";
    const GARDENS: &str = "run,seed,generations,lost_at\n1,7,500,\n2,8,500,359\n3,9,500,401\n";
    const HELD: &str = "run,seed,generations,lost_at\n1,7,500,\n";
    const SUMMARY: &str = "world,difference,answer\nk8s,12.5,yes: it lives longer\n";
    let served = Served::start();
    for (name, command, file, text, steps, result, value) in [
        ("t", "train", "training.csv", LOG, Some(256), "greedy return 28.12 at step 128", Some(28.125)),
        // A last line without end may have lost the end of its number.
        ("cut", "train", "training.csv", &LOG[..LOG.len() - 10], Some(0), "", None),
        (
            "nan",
            "train",
            "training.csv",
            "steps,greedy_return\n5,NaN\n",
            Some(5),
            "greedy return NaN at step 5",
            None,
        ),
        ("none", "train", "training.csv", "steps,greedy_return\n", None, "", None),
        ("empty", "train", "training.csv", "", None, "", None),
        (
            "b",
            "benchmark",
            "benchmark.csv",
            AGENTS,
            None,
            "IQM 59.25 (prophet:a,b, the highest of 3)",
            Some(59.25),
        ),
        (
            "g",
            "gardener",
            "summary.csv",
            GARDENS,
            Some(500),
            "2 of 3 lost, the first at generation 359",
            Some(359.0),
        ),
        ("h", "gardener", "summary.csv", HELD, Some(500), "not lost in 500 generations", Some(500.0)),
        ("now", "gardener", "resonetics_data.csv", "Gen,Population\n1,25\n2,25\n3,2", Some(2), "", None),
        ("c", "controls", "summary.csv", SUMMARY, None, "k8s: yes: it lives longer", Some(12.5)),
        (
            "e",
            "eval",
            "eval.json",
            "{\"return_mean\":41.209,\"episodes\":1000}",
            None,
            "mean return 41.21 of 1000 episodes",
            Some(41.209),
        ),
        (
            "d",
            "drift",
            "drift.csv",
            "step,gap_R\n0,0.5\n1,0.0125\n",
            Some(2),
            "squared error 0.0125 in its last row",
            Some(0.0125),
        ),
    ] {
        let record = format!("{{\"command\":\"{command}\",\"status\":\"finished\"}}");
        made(&served, name, &record, &[(file, text)]);
        let row = row(&served, name);
        assert_eq!(row["steps"].as_u64(), steps, "{row}");
        assert_eq!(
            (row["result"].as_str().unwrap_or_default(), row["value"].as_f64()),
            (result, value),
            "{row}"
        );
    }
}

/// The last greedy return of a long log lies far from its end.
#[test]
fn a_long_log_is_read_from_its_end() {
    let served = Served::start();
    let mut log = "update,steps,greedy_return,rest\n1,10,17.5,x\n".to_owned();
    for update in 2..20_000 {
        log += &format!("{update},{}0,,{}\n", update, "y".repeat(20));
    }
    made(&served, "long", r#"{"command":"train"}"#, &[("training.csv", &log)]);
    let row = row(&served, "long");
    assert_eq!((&row["steps"], &row["result"]), (&199_990.into(), &"greedy return 17.50 at step 10".into()));
}

/// Of a training its own plan says how it trains, of other runs the checkpoints that act in it.
#[test]
fn the_list_says_how_trained_agents_came_about() {
    let served = Served::start();
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let config = |run: &str| fs::read_to_string(results.join(run).join("config.toml")).unwrap();
    made(&served, "learned", r#"{"command":"train"}"#, &[("config.toml", &config("train-k8s"))]);
    made(&served, "played", r#"{"command":"benchmark"}"#, &[("config.toml", &config("benchmark-prophet"))]);
    made(&served, "alone", r#"{"command":"benchmark"}"#, &[("config.toml", &config("benchmark-storm"))]);
    let recipe = "ppo 2x64 gamma 0.92 lambda 0.8 envs 16x32 minibatch 128";
    assert_eq!(row(&served, "learned")["recipes"], serde_json::json!([recipe]));
    let step =
        config("benchmark-prophet").parse::<toml::Table>().unwrap()["checkpoints"][0]["step"].to_string();
    assert_eq!(row(&served, "played")["recipes"], serde_json::json!([format!("{recipe}, {step} steps")]));
    assert_eq!(row(&served, "alone")["recipes"], serde_json::json!([]));
}

#[test]
fn thousands_are_listed_and_only_what_has_changed_is_read_again() {
    let served = Served::start();
    let config = "command = \"benchmark\"\nagents = [\"random\", \"idle\"]\n[env]\nname = \"k8s\"\npreset = \"storm\"\n";
    for i in 0..2_000 {
        let record = format!("{{\"command\":\"benchmark\",\"seed\":{i},\"status\":\"finished\"}}");
        made(&served, &format!("sweep/{i:04}"), &record, &[("config.toml", config)]);
    }
    assert_eq!(json(&served, "/runs")["runs"].as_array().unwrap().len(), 2_002);
    let before = row(&served, "sweep/1234");
    assert_eq!((&before["worlds"][0], &before["agents"][1]), (&"k8s, storm".into(), &"idle".into()));
    // What has the same length and time has not changed.
    let path = served.place.path("runs/sweep/1234/run.json");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("1234", "4321")).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(row(&served, "sweep/1234")["seed"], "1234");
    File::options().write(true).open(&path).unwrap().set_modified(time + Duration::from_secs(1)).unwrap();
    assert_eq!(row(&served, "sweep/1234")["seed"], "4321");
    fs::remove_dir_all(served.place.path("runs/sweep")).unwrap();
    assert_eq!(json(&served, "/runs")["runs"].as_array().unwrap().len(), 2);
}

#[test]
fn several_runs_are_compared_by_the_report_of_all() {
    let served = Served::start();
    let place = &served.place;
    for seed in [1, 2] {
        place.ok(&format!("train --env k8s --seed {seed} --steps {} {SMALL} --out runs/s{seed}", 6 * STEPS));
    }
    let asked = "run=s1&run=s2&run=s1&run=trace";
    let both = json(&served, &format!("/run?{asked}"));
    let names: Vec<_> =
        both["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["s1", "s2", "trace"], "each once");
    place.ok("report runs/s1 runs/s2 runs/trace --quiet --out runs/page");
    let written = place.text("runs/page/report.html").replace(" --quiet --out runs/page", "");
    assert!(served.get(&format!("/report?{asked}")).1 == written);
    let answer = both["parts"][0]["answer"].as_str().unwrap();
    assert!(written.contains(answer), "{answer}");
    // What a run has none of is said, and in which settings they differ.
    assert!(both["notes"].to_string().contains("trace holds nothing to analyze"), "{}", both["notes"]);
    assert!(both["differences"].to_string().contains("\"seed\",\"1\",\"2\""), "{}", both["differences"]);

    let many: Vec<String> = (0..101).map(|i| format!("run=r{i}")).collect();
    for (asked, status, said) in [
        ("run=s1&run=nothing", 404, "no such run"),
        ("run=s1&run=../s2", 404, "no such run"),
        ("run=s1&name=s2", 400, "give run"),
        (&many.join("&"), 400, "101 runs are too many"),
    ] {
        for path in ["report", "run", "changes"] {
            let (found, body) = served.get(&format!("/{path}?{asked}"));
            assert!(found == status && body.contains(said), "{path} {asked}: {found} {body}");
        }
    }
}

#[test]
fn a_trained_agent_plays_from_the_list_alone() {
    let served = Served::start();
    let place = &served.place;
    place.ok(&format!("train --env k8s --seed 1 --steps {} {SMALL} --out runs/many/p", 6 * STEPS));
    let garden = "train --env gardener --seed 1 --set view_size=5 --set max_generations=20 --set grid_size=8 --set train.num_envs=2 --set train.horizon=8 --set train.minibatch=16 --set train.eval_episodes=1 --no-monitor";
    place.ok(&format!("{garden} --steps 32 --out runs/g"));
    assert!(row(&served, "many/p")["trained"] == true && row(&served, "trace")["trained"] == false);

    // What another command says of the same episode.
    place.ok("record k8s --steps 12 --seed 4 --agent prophet:runs/many/p --out runs/recorded");
    let trace = place.json("runs/recorded/trace.json");
    let total: f64 =
        trace["steps"].as_array().unwrap().iter().map(|step| step["reward"].as_f64().unwrap()).sum();
    let best = place.json("runs/many/p/checkpoints/best.json")["numbers"]["counters"]["steps"].clone();
    let agent = "agent=prophet:many%2Fp&preset=as+trained&seed=4&rate=20";
    let scenes = served.scenes(&format!("/live/k8s?{agent}"), "", 13);
    assert!(scenes[12]["readings"].to_string().contains(&format!("{total:+.2}")), "{total}: {}", scenes[12]);
    assert!(best.is_u64() && scenes.iter().all(|scene| scene["checkpoint"] == best), "{best}");
    // It goes on with the same checkpoint only.
    let later = served.scenes(&format!("/live/k8s?{agent}"), &format!("Last-Event-ID: 11@{best}\r\n"), 2);
    assert!(later[..] == scenes[11..], "as it would have");
    // Another checkpoint, and actions drawn from the policy.
    let last = served.scenes(&format!("/live/k8s?{}", agent.replacen("%2Fp", "%2Fp@last", 1)), "", 3);
    assert!(last.iter().all(|scene| scene["checkpoint"] == 6 * STEPS), "{last:?}");
    let drawn = || served.scenes(&format!("/live/k8s?{agent}&sample=true"), "", 9);
    assert!(drawn() == drawn() && drawn()[8] != scenes[8], "drawn by the seed");
    // Its own settings, not those of a preset.
    let own = served.scenes("/live/gardener?agent=prophet:g&preset=as+trained&rate=20", "", 1);
    assert_eq!(own[0]["grid"], Value::from(vec![8, 8]));
    assert!(served.scenes("/live/k8s?agent=planner&rate=20", "", 1)[0].get("checkpoint").is_none());

    fs::create_dir_all(place.path("outside")).unwrap();
    place.copy("runs/many/p", "outside/p");
    place.copy("runs/many/p", "runs/linked");
    fs::remove_file(place.path("runs/linked/checkpoints/best.safetensors")).unwrap();
    let led = place.path("outside/p/checkpoints/best.safetensors");
    std::os::unix::fs::symlink(led, place.path("runs/linked/checkpoints/best.safetensors")).unwrap();
    for (asked, said) in [
        ("k8s?agent=prophet:..%2Foutside%2Fp", "no such run in the list"),
        ("k8s?agent=prophet:%2Fetc", "no such run in the list"),
        ("k8s?agent=prophet:linked", "is a link"),
        ("k8s?agent=prophet:linked@last", "is a link"),
        ("k8s?agent=prophet:many%2Fp@7", "keeps no checkpoint of step 7: kept are 384, 768"),
        ("k8s?agent=prophet:many%2Fp@first", "allowed are @best, @last and @STEP"),
        ("k8s?agent=prophet:none@last", "no such run in the list"),
        ("k8s?agent=planner&sample=true", "planner was not trained"),
        ("k8s?agent=prophet:trace", "is not a training"),
        ("k8s?agent=planner&preset=as+trained", "unknown preset `as trained`"),
        ("gardener?agent=prophet:many%2Fp", "was trained in k8s, with 30 numbers in an observation"),
        ("gardener?agent=prophet:many%2Fp&preset=as+trained", "was trained in k8s, not in gardener"),
        ("gardener?agent=prophet:g", "numbers in an observation"),
        ("k8s?agent=prophet:many%2Fp&from=3@1", "another best checkpoint now"),
    ] {
        let (status, body) = served.get(&format!("/live/{asked}"));
        assert!(status == 400 && body.contains(said), "{asked}: {status} {body}");
    }
}

/// By keyboard, and by the address that it leads to.
#[test]
fn runs_are_filtered_sorted_and_compared() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    for i in 0..250 {
        let record = format!("{{\"command\":\"train\",\"seed\":{},\"status\":\"finished\"}}", 250 - i);
        let log = format!("steps,greedy_return\n100,{}\n", (i * 7) % 250);
        made(&served, &format!("t-{i}"), &record, &[("training.csv", &log)]);
    }
    let names = "[...document.querySelectorAll('#list th')].map((at) => at.textContent).slice(0, 3).join()";
    let state = "document.getElementById('runs-state').textContent";
    browser.open(&format!("http://{}/", served.address));
    browser.wait_until(&format!("{state} === '252 runs in runs, 1 to 100 of them here'"));
    assert_eq!(browser.value(names), "many/garden,t-0,t-1", "as people count");
    browser.value("document.getElementById('after').click()");
    browser.wait_until(&format!("{state}.includes('101 to 200')"));
    // A column down, by keyboard: 7 * 107 = 749 leaves 249; who has no result comes last.
    browser.value("document.querySelector('#heads [data-column=result] button').focus()");
    browser.press("Enter", 13, "\r");
    browser.press("Enter", 13, "\r");
    browser.wait_until(&format!("{names} === 't-107,t-214,t-71'"));
    assert_eq!(
        browser.value("document.querySelector('#heads [aria-sort=descending]').dataset.column"),
        "result"
    );
    browser.value("Object.assign(document.getElementById('filter').find, {value: 'TRAIN t-1'}).dispatchEvent(new Event('input'))");
    browser.wait_until(&format!("{state} === '111 of 252 runs in runs, 1 to 100 of them here'"));
    assert_eq!(browser.value("document.getElementById('tick-all').disabled"), true);
    browser.value("Object.assign(document.getElementById('filter').find, {value: ''}).dispatchEvent(new Event('input'))");
    browser.value("Object.assign(document.getElementById('filter').command, {value: 'gardener'}).dispatchEvent(new Event('change'))");
    browser.wait_until(&format!("{state} === '1 of 252 runs in runs'"));
    browser.value("Object.assign(document.getElementById('filter').command, {value: ''}).dispatchEvent(new Event('change'))");

    // The address brings all of it back.
    let asked = "?status=finished&sort=-seed&find=t-24&page=1&run=t-1&run=t-2";
    browser.open(&format!("http://{}/{asked}", served.address));
    browser.wait_until("document.getElementById('run-title').textContent === '2 runs compared'");
    browser.wait_until("document.getElementById('run-state').textContent === '2 finished'");
    assert_eq!(browser.value(names), "t-24,t-240,t-241");
    assert_eq!(browser.value("document.getElementById('compare').textContent"), "Compare 2 ticked");
    // One more, by keyboard.
    browser.value("document.querySelector('#list input').focus()");
    browser.press(" ", 32, " ");
    browser.wait_until("document.getElementById('compare').textContent === 'Compare 3 ticked'");
    browser.value("document.getElementById('compare').focus()");
    browser.press("Enter", 13, "\r");
    browser.wait_until("document.getElementById('run-title').textContent === '3 runs compared'");
    assert_eq!(
        browser.value("location.search"),
        "?status=finished&sort=-seed&find=t-24&page=1&run=t-1&run=t-2&run=t-24"
    );
    browser.wait_until("document.querySelectorAll('#compared li').length === 3");
    browser.value("history.back()");
    browser.wait_until("document.getElementById('run-title').textContent === '2 runs compared'");
    assert_eq!(browser.complaints, Vec::<Value>::new());

    // What has gone is neither listed nor compared.
    fs::remove_dir_all(served.place.path("runs")).unwrap();
    browser.value("document.getElementById('refresh').click()");
    browser.wait_until(&format!("{state} === 'no runs in runs'"));
    assert_eq!(browser.value("document.getElementById('compare').textContent"), "Compare 0 ticked");
    browser
        .wait_until("document.getElementById('run-state').textContent === 'one of these runs is not there'");
}

#[test]
fn a_training_is_watched_from_its_page() {
    let Some(mut browser) = Browser::start() else { return };
    let served = Served::start();
    served.place.ok(&train(6, "runs/p"));
    let best = served.place.json("runs/p/checkpoints/best.json")["numbers"]["counters"]["steps"].clone();
    browser.open(&format!("http://{}/?run=p", served.address));
    browser.wait_until("document.getElementById('run-watch').checkVisibility()");
    browser.value("document.getElementById('run-watch').click()");
    let told = format!("k8s, as trained, prophet:p (best checkpoint, of step {best}), seed 1, control off");
    browser.wait_until(&format!("document.getElementById('state').textContent === '{told}'"));
    browser.value("document.getElementById('pause').click()");
    browser.value("document.getElementById('pause').click()");
    browser.wait_until(&format!("document.getElementById('state').textContent === '{told}'"));
    // Another agent has presets only.
    browser.value("Object.assign(document.getElementById('choice').agent, {value: 'planner'}).dispatchEvent(new Event('change'))");
    assert_eq!(
        browser.value("[...document.getElementById('choice').preset.options].map((at) => at.value).join()"),
        "calm,reference,storm"
    );
    assert_eq!(browser.value("document.getElementById('choice').preset.value"), "reference");
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
#[ignore = "writes docs/guide/src/images/run.png"]
fn screenshot() {
    let mut browser = Browser::start().unwrap();
    let served = Served::start();
    let train = "train --env k8s --seed 1 --steps 4000000 --no-monitor --out runs/prophet";
    let training = served.place.under_way(train, "runs/prophet/training.csv", 6_000);
    browser.open(&format!("http://{}/?run=prophet", served.address));
    let steps = "Number(document.querySelector('#parts p')?.textContent.match(/in ([\\d,]+) steps/)?.[1].replaceAll(',', ''))";
    browser.wait_until(&format!("{steps} > 100_000"));
    let picture = browser.picture();
    send(&training, Signal::INT);
    end(training, "train");
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guide/src/images/run.png"), picture).unwrap();
}
