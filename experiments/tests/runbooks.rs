//! What runbooks tell people to type works on runs in such a state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use crate::common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;

use common::served::{Served, first_line};
use common::{Place, SMALL, STEPS, wait_until};

/// The commands of all runbooks.
fn commands() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let mut found = BTreeSet::new();
    for book in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(book.unwrap().path()).unwrap();
        for block in text.split("```sh\n").skip(1) {
            let block = block.split("```").next().unwrap();
            found.extend(block.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
    }
    found
}

#[test]
fn each_command_of_a_runbook_works() {
    let place = Place::new();
    place.ok(&format!("train --steps {} --seed 4 {SMALL} --lumen --out runs/train", 24 * STEPS));
    place.ok("lumen keys init --dir keys");
    place.ok("lumen prove runs/train --keys keys");
    // An archive with a copy elsewhere, and custodians.
    let frozen = place.ok("lumen freeze runs/train").stdout;
    assert!(frozen.contains("archive/train/"), "{frozen}");
    let archive = &place.names("archive/train")[0];
    fs::create_dir(place.path("copies")).unwrap();
    let pushed = place.run(&format!("lumen push archive/train/{archive} --remote copies --plain"));
    assert_eq!(pushed.code, Some(0), "{pushed:?}");
    for custodian in ["a", "b"] {
        place.ok(&format!("lumen keys init --dir {custodian}"));
    }
    let who = "--custodian a/signer.pub.pem --custodian b/signer.pub.pem --signer keys/signer.pub.pem";
    place.ok(&format!("lumen keys root init {who} --out request"));
    place.ok("lumen keys root sign request --dir a --out part-a");
    place.ok("lumen keys root sign request --dir b --out part-b");
    place.ok("lumen keys root accept request part-a part-b --out root.json");
    // One that was killed, to be gone on with, once for each runbook that says so.
    let long = format!("train --steps {} --seed 5 {SMALL} --lumen --out runs/killed", 400 * STEPS);
    let mut child = place.under_way(&long, "runs/killed/training.csv", 3_000);
    child.kill().unwrap();
    child.wait_with_output().unwrap();
    // One at work, with a monitor.
    let work = "train --steps 1000000000 --seed 6 --lumen --metrics-port 0 --health-port 0 --out runs/busy";
    let mut work = place.command(work).spawn().unwrap();
    let lines = BufReader::new(work.stdout.take().unwrap()).lines();
    // Ends with the test, also where that fails.
    let mut monitored = Served { place: Place::new(), child: Some(work), address: String::new() };
    let mut lines = lines.map_while(Result::ok);
    let told = lines.find(|line| line.contains("health at http://")).unwrap();
    monitored.address = told.split("health at http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    wait_until(|| place.path("runs/busy/events.jsonl").exists());
    let mut child = place.command("lumen serve runs --port 0 --quiet").spawn().unwrap();
    let address = first_line(&mut child);
    let address = address.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let served = Served { place, child: Some(child), address };
    wait_until(|| served.get("/api/rmb:last").1.contains("residual"));
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    let mut again = 0;
    for command in &commands {
        let at_work = ["lumen up ", "gain.scale"].iter().any(|word| command.contains(word));
        let name = match () {
            () if command.contains("--resume") => "killed",
            () if at_work => "busy",
            () => "train",
        };
        let mut typed = command.replace("NAME", name);
        if typed.contains("runs/again") {
            again += 1;
            typed = typed.replace("runs/again", &format!("runs/again-{again} {SMALL} --steps {STEPS}"));
        }
        // One that was killed is there, and that is what it says.
        let expected = i32::from(typed == "resonetics lumen status runs");
        if let Some(url) = typed.strip_prefix("curl --silent ") {
            let url = url.trim_matches('\'');
            let (server, path) = match url.strip_prefix("http://127.0.0.1:8088") {
                Some(path) => (&served, path),
                None => (&monitored, url.strip_prefix("http://127.0.0.1:8080").unwrap()),
            };
            let (status, body) = server.get(path);
            assert_eq!(status, 200, "{command}: {body}");
            assert!(!body.is_empty() && body.trim() != "{}", "{command}: {body}");
            continue;
        }
        let words = typed.strip_prefix("resonetics ").unwrap_or_else(|| panic!("what is {command}?"));
        let (words, into) =
            words.split_once(" > ").map_or((words, None), |(words, into)| (words, Some(into)));
        let words = if words.starts_with("train") && !words.contains("--no-monitor") {
            format!("{words} --no-monitor")
        } else {
            words.to_owned()
        };
        let ran = served.place.run(&words);
        assert_eq!(ran.code, Some(expected), "{command}: {ran:?}");
        if let Some(into) = into {
            served.place.write(into, &ran.stdout);
        }
    }
}
