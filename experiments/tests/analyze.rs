//! `analyze` and `report`: from what runs wrote to statistics, figures and one page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "analyze/answers.rs"]
mod answers;

use crate::common;

use common::browser::Browser;
use common::{DIRTY, EVENTFUL, Place, SMALL, TINY, number};
use resonetics_analysis::read::{Kind, Row, garden, open};
use serde_json::{Value, json};

/// Runs of every kind that can be looked at, below `runs`.
fn runs() -> Place {
    let place = Place::new();
    place.ok(&format!("gardener --generations 300 --seed 5 --runs 3 --out runs/garden {TINY} {DIRTY} -q"));
    place.ok("benchmark --agents random,heuristic,planner --episodes 20 --seed 1 --out runs/bench -q");
    for seed in [1, 2, 3] {
        place.ok(&format!("train --steps 1024 --seed {seed} --out runs/train-{seed} {SMALL} -q"));
    }
    place.ok("drift --steps 300 --seed 1 --no-monitor --out runs/drift -q");
    place.ok("controls --env k8s --episodes 12 --seed 1 --out runs/controls -q");
    place
}

fn part<'a>(analysis: &'a Value, kind: &str) -> &'a Value {
    let parts = analysis["parts"].as_array().unwrap();
    let found = parts.iter().find(|part| part["findings"]["kind"] == kind);
    &found.unwrap_or_else(|| panic!("no {kind} in {analysis}"))["findings"]
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{found}, expected {expected}"));
    assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found}, expected {expected}");
}

/// What `analyze` reads agrees with what the commands themselves told.
#[test]
fn a_folder_of_runs_becomes_a_report() {
    let place = runs();
    let before = place.files("runs");
    let ran = place.ok("analyze runs --out out");
    assert!(before == place.files("runs"), "the runs are left as they are");
    let analysis = place.json("out/analysis.json");

    let summary = place.csv("runs/garden/summary.csv");
    let gardens = &part(&analysis, "garden")["gardens"];
    for (run, lost) in summary.column("lost_at").into_iter().enumerate() {
        assert_eq!(gardens[run]["lost_at"].to_string(), lost, "this storm loses every garden");
        for name in ["dirt_mean", "dirt_end"] {
            // The log has two decimals of the dirt of all 64 cells.
            let difference = gardens[run][name].as_f64().unwrap() - summary.numbers(name)[run];
            assert!(difference.abs() < 1e-4, "{name} of run {run}");
        }
        for (verdict, name) in ["creative_share", "bubble_share", "collapse_share"].iter().enumerate() {
            let share = gardens[run]["verdicts"][verdict].as_f64().unwrap() / 300.0;
            assert!((share - summary.numbers(name)[run]).abs() < 1e-5);
        }
    }
    let table = place.csv("runs/bench/benchmark.csv");
    let agents = &part(&analysis, "agents")["worlds"][0]["agents"];
    for (at, name) in table.column("agent").into_iter().enumerate() {
        assert_eq!(agents[at]["name"], name);
        near(&agents[at]["mean"], table.numbers("return_mean")[at]);
        near(&agents[at]["iqm"], table.numbers("return_iqm")[at]);
        near(&agents[at]["iqm_interval"]["low"], table.numbers("return_iqm_low")[at]);
        near(&agents[at]["iqm_interval"]["high"], table.numbers("return_iqm_high")[at]);
        if at > 0 {
            let comparison = &agents[at]["against_baseline"];
            near(&comparison["improvement"], number(table.column("probability_of_improvement")[at]));
            assert_eq!(comparison["pairs"], 20);
        }
    }
    let controls = place.csv("runs/controls/summary.csv");
    let lives = &part(&analysis, "lifetimes")["worlds"][0];
    near(&lives["mean_without"], controls.numbers("restricted_mean_without")[0]);
    near(&lives["difference"], controls.numbers("difference")[0]);
    near(&lives["difference_interval"]["low"], controls.numbers("difference_low")[0]);
    near(&lives["difference_interval"]["high"], controls.numbers("difference_high")[0]);
    let trainings = part(&analysis, "training")["runs"].as_array().unwrap();
    let groups: Vec<&Value> = trainings.iter().map(|run| &run["group"]).collect();
    assert!(groups.len() == 3 && groups.iter().all(|group| *group == groups[0]), "three seeds, one curve");
    assert_eq!(part(&analysis, "drift")["runs"][0]["steps"], 299.0, "the first step is 0");

    for part in analysis["parts"].as_array().unwrap() {
        assert!(ran.stdout.contains(part["answer"].as_str().unwrap()), "{}", ran.stdout);
        for name in part["figures"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(place.text(&format!("out/figures/{name}.svg")).starts_with("<svg "), "{name}");
            assert!(place.bytes(&format!("out/figures/{name}.png")).starts_with(b"\x89PNG"), "{name}");
        }
    }
    assert!(ran.last_line().ends_with("report: out/report.html"), "{}", ran.stdout);
    whole(&place.text("out/report.html"));
}

/// A page that needs nothing but itself.
fn whole(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    for loading in ["src=", "<link", "@import", "url(", "fetch(", "import(", "href=\"http", "NaN"] {
        assert!(!page.contains(loading), "{loading} in the page");
    }
    for needed in [
        "prefers-color-scheme: dark",
        "@media print",
        "width=device-width",
        "<th scope=\"col\"",
        "resonetics benchmark --agents",
    ] {
        assert!(page.contains(needed), "no {needed}");
    }
}

#[test]
fn whole_runs_stand_side_by_side() {
    let place = Place::new();
    for (agent, out) in [("evolved", "one"), ("heuristic", "two")] {
        place.ok(&format!("gardener --generations 100 --seed 5 --agent {agent} --out {out} {TINY} -q"));
    }
    let said = place.ok("report one two").stdout;
    assert!(
        said.contains("agent=evolved") && said.contains("Settings in which the runs of gardener differ"),
        "{said}"
    );
    assert_eq!(
        place.names("runs/report-0001"),
        ["analysis.json", "config.toml", "figures", "report.html", "run.json"]
    );
    let refused = place.refused("report one one/resonetics_data.csv");
    assert!(
        refused.contains("one/resonetics_data.csv is not a run directory: it holds no run.json"),
        "{refused}"
    );
    assert!(place.refused("analyze one --out two").contains("two already holds"));
    assert!(
        place
            .refused("analyze one --baseline random")
            .contains("there is no benchmark and no training among the files")
    );
}

/// The published format: what is written is read, and written again it is the same.
#[test]
fn the_garden_format_goes_round() {
    let place = Place::new();
    place.ok(&format!("{EVENTFUL} {TINY} -q"));
    let log = place.csv("out/resonetics_data.csv");
    for name in garden::COLUMNS {
        let mut values = log.column(name);
        values.sort_unstable();
        values.dedup();
        assert!(values.len() > 1, "{name} is always the same: {values:?}");
    }
    let published = place.text("out/resonetics_data.csv");
    let without_flow: String = published
        .lines()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(',').collect();
            cells.remove(10);
            cells.join(",") + "\n"
        })
        .collect();
    for (text, columns) in [(published, 12), (without_flow, 11)] {
        for end in ["\n", "\r\n"] {
            place.write("again.csv", text.replace('\n', end));
            let (kind, mut table) = open(&place.path("again.csv")).unwrap();
            assert_eq!((kind, table.header().len()), (Kind::Garden, columns));
            let mut written = table.header().join(",") + "\n";
            let take = |_: &Row<'_>, generation: garden::Generation| {
                written += &(generation.cells().join(",") + "\n");
                Ok(())
            };
            garden::read(&mut table, &|| true, take).unwrap();
            assert!(written == text, "{columns} columns, lines that end with {end:?}");
        }
    }
}

#[test]
fn bad_files_are_refused_with_their_place() {
    let place = Place::new();
    let header = garden::COLUMNS.join(",");
    let row = "1,25,49.62,8.90,0,0,8.897,0,0.0000,0.0623,0.0128,creative";
    for (text, said) in [
        (String::new(), "bad.csv, line 1: the file is empty"),
        (format!("{header}\n"), "bad.csv, line 1: a header and no generation"),
        ("a,b\n1,2\n".to_owned(), "bad.csv, line 1: `a,b` is not the header of a file that can be read"),
        (
            format!("{header}\n{row}\n{}\n", row.replace("8.90", "much")),
            "bad.csv, line 3, column `Total_Entropy`: found `much`; allowed: a number",
        ),
        (
            format!("{header}\n{row}\n{}\n", row.replacen('1', "2", 1).replace("8.90", "3600.02")),
            "bad.csv, line 3, column `Total_Entropy`: found `3600.02`; allowed: at most 3600, the dirt that 3600 cells can hold",
        ),
    ] {
        place.write("bad.csv", &text);
        let refused = place.refused("analyze bad.csv");
        assert!(refused.contains(said), "{refused}");
    }
    assert!(place.refused("analyze no/such.csv").contains("no/such.csv"));
    std::fs::create_dir(place.path("empty")).unwrap();
    assert!(place.refused("analyze empty").contains("empty holds nothing to analyze"));
    place.ok("benchmark --agents random,heuristic --episodes 3 --seed 1 --out bench -q");
    let refused = place.refused("analyze bench --baseline plannner");
    assert!(
        refused.contains("no agent is called `plannner` in k8s; there are: random, heuristic"),
        "{refused}"
    );
    std::fs::copy(place.path("bench/benchmark.csv"), place.path("alone.csv")).unwrap();
    let refused = place.refused("analyze alone.csv");
    assert!(refused.contains("give the rows behind it, in episodes.csv of the same run"), "{refused}");
    // Where they are, they are read, once.
    let said = place.ok("analyze bench/benchmark.csv bench/episodes.csv").stdout;
    assert!(
        said.contains("bench/benchmark.csv is a summary: all rows behind it in bench are read instead"),
        "{said}"
    );
    assert!(!said.contains("(bench)"), "{said}");
}

const EPISODES: &str =
    "agent,episode,seed,return,steps,terminated,truncated,oom_nodes,critical_oom,avg_load,budget\n";

fn garden_log(dirt: f64, generations: u32) -> String {
    let row = |n| format!("{n},25,49.62,{dirt:.2},0,0,8.897,0,0.0000,0.0623,0.0128,creative\n");
    garden::COLUMNS.join(",") + "\n" + &(1..=generations).map(row).collect::<String>()
}

/// Runs two folders deep, a file with another name, one without rows, one that is no table: what can be
/// read is, and the rest is told.
#[test]
fn folders_are_searched_and_what_holds_nothing_is_told() {
    let place = Place::new();
    place.ok("benchmark --agents random,heuristic --episodes 3 --seed 1 --out all/sweep/one -q");
    for (name, text) in [
        ("all/mine/first.csv", garden_log(3.0, 20)),
        ("all/mine/second.csv", garden_log(4.0, 30)),
        ("all/mine/prices.csv", "day,price\n1,2\n".to_owned()),
        ("all/killed/run.json", "{}".to_owned()),
        ("all/killed/episodes.csv", EPISODES.to_owned()),
        ("all/hurt/run.json", "{".to_owned()),
        ("all/hurt/resonetics_data.csv", garden_log(3.0, 20)),
        ("all/quick/run.json", "{}".to_owned()),
        ("all/mine/checkpoints/more.csv", garden_log(3.0, 20)),
        ("all/.hidden/more.csv", garden_log(3.0, 20)),
    ] {
        let folder = std::path::Path::new(name).parent().unwrap();
        std::fs::create_dir_all(place.path(folder.to_str().unwrap())).unwrap();
        place.write(name, text);
    }
    let said = place.ok("analyze all --out out").stdout;
    for part in [
        "left out: all/mine/prices.csv, line 1: `day,price` is not the header of a file that can be read",
        "left out: all/killed/episodes.csv, line 1: a header and no episode: there is nothing to look at",
        "all/hurt/run.json: EOF while parsing an object at line 1 column 1; what made this run is unknown",
        "all/quick holds nothing to analyze",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let analysis = place.json("out/analysis.json");
    assert_eq!(part(&analysis, "agents")["worlds"][0]["agents"].as_array().unwrap().len(), 2);
    // Nobody knows whether their settings are the same.
    let gardens = part(&analysis, "garden")["gardens"].as_array().unwrap();
    let groups: Vec<&str> = gardens.iter().map(|garden| garden["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["resonetics_data.csv", "first.csv", "second.csv"]);
    let refused = place.refused("analyze all/killed");
    assert!(refused.contains("all/killed/episodes.csv, line 1: a header and no episode"), "{refused}");
    let said = place.ok("report all/killed all/quick all/hurt").stdout;
    assert!(said.contains("left out: all/killed/episodes.csv") && said.contains("not lost in 20"), "{said}");

    for (config, problem) in
        [("command = \"benchmark\"\nagents = 1\n", "line "), ("command = \n", "TOML parse error at line 1")]
    {
        place.write("all/sweep/one/config.toml", config);
        let said = format!("cannot use the config.toml next to all/sweep/one/episodes.csv: {problem}");
        // Among others it is left out; alone, or typed, it is refused.
        let ran = place.run("analyze all");
        let warning = format!("warning: left out: {said}");
        assert!(ran.code == Some(0) && ran.stderr.starts_with(&warning), "{ran:?}");
        assert!(ran.stdout.contains(&format!("note: cannot be read and is left out: {said}")), "{ran:?}");
        for paths in ["all/sweep/one", "all/sweep/one/episodes.csv all/mine/first.csv"] {
            let refused = place.refused(&format!("analyze {paths}"));
            assert!(refused.contains(&said), "{refused}");
        }
    }
}

/// One damaged file among others is left out and named, in the report and on standard error; a file that
/// was typed, or the last that is left, is refused.
#[test]
fn a_damaged_file_of_a_folder_is_left_out() {
    let place = Place::new();
    let episodes = |cell: &str| {
        format!("{EPISODES}a,1,1,{cell},500,false,true,0,0,0.2,8\na,2,2,1.5,500,false,true,0,0,0.2,8\n")
    };
    for (run, text) in [
        ("one", episodes("1.0")),
        ("two", episodes("one")),
        ("three", episodes("2.0").replace("a,2,2", "a,2,1")),
    ] {
        std::fs::create_dir_all(place.path(&format!("all/{run}"))).unwrap();
        place.write(&format!("all/{run}/run.json"), "{}");
        place.write(&format!("all/{run}/episodes.csv"), text);
    }
    let two = "all/two/episodes.csv, line 2, column `return`: found `one`; allowed: a number";
    let three =
        "all/three/episodes.csv, line 3, column `seed`: found `1`; allowed: no seed that `a` played before";
    let ran = place.run("analyze all --out out");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let analysis = place.json("out/analysis.json");
    for said in [two, three] {
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert!(
            analysis["notes"].to_string().contains(&format!("cannot be read and is left out: {said}")),
            "{analysis}"
        );
    }
    assert_eq!(analysis["parts"][0]["findings"]["worlds"].as_array().unwrap().len(), 1);
    assert!(place.refused("analyze all/two/episodes.csv all/one").contains(two));
    assert!(place.refused("analyze all/two").contains(two));
    std::fs::remove_dir_all(place.path("all/one")).unwrap();
    let refused = place.refused("analyze all");
    assert!(
        refused.contains("none of the 2 files can be read: ")
            && refused.contains(two)
            && refused.contains(three),
        "{refused}"
    );
}

/// Files that are packed, or of another program, are named as what they are.
#[test]
fn what_is_no_table_is_named_by_its_first_bytes() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("all/run")).unwrap();
    place.write("all/run/run.json", "{}");
    // `printf 'a\n' | gzip -n`
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\xe4\x02\0\x07\xa1\xea\xdd\x02\0\0\0";
    std::fs::write(place.path("all/run/training.csv.gz"), gzip).unwrap();
    std::fs::write(place.path("all/episodes.csv.gz"), gzip).unwrap();
    let said = "episodes.csv.gz, line 1: the file is packed by gzip: unpack it first (gunzip)";
    assert!(place.refused("analyze all/episodes.csv.gz").contains(said));
    let refused = place.refused("analyze all");
    assert!(refused.contains(&format!("left out: all/{said}")), "{refused}");
    assert!(
        refused.contains(
            "all/run holds nothing to analyze: all/run/training.csv.gz, line 1: the file is packed by gzip"
        ),
        "{refused}"
    );
    place.write("all/log.csv", garden_log(3.0, 20));
    assert!(place.ok("analyze all").stdout.contains(&format!("left out: all/{said}")));
    std::fs::write(place.path("eval.json"), gzip).unwrap();
    assert!(place.refused("analyze eval.json").contains("eval.json, line 1: the file is packed by gzip"));
}

/// Of 40 settings a figure names three; it is no higher than others, and a long table has a file.
#[test]
fn many_settings_keep_figures_and_page_small() {
    let place = Place::new();
    for run in 0..120_u32 {
        let folder = format!("all/run-of-{run}");
        std::fs::create_dir_all(place.path(&folder)).unwrap();
        place.write(&format!("{folder}/run.json"), "{}");
        place.write(&format!("{folder}/config.toml"), format!("command = \"other\"\nseed = 1\nx = {run}\n"));
        let row = |row: u32| format!("{row},{}.5,0.1,0.01,1,1,1,0.1,0.5,0", (run * 7) % 120 + row);
        let rows = (1..=50).map(row).collect::<Vec<_>>().join("\n");
        let header = "steps,return_mean,greedy_return,learning_rate,loss,value_loss,entropy,approx_kl,explained_variance,rollbacks";
        place.write(&format!("{folder}/training.csv"), format!("{header}\n{rows}\n"));
    }
    place.ok("analyze all --out out -q");
    let figure = place.text("out/figures/training-return_mean.svg");
    assert!(figure.starts_with("<svg width=\"820\" height=\"4"), "{}", &figure[..60]);
    assert!(figure.len() < 300_000, "{} bytes", figure.len());
    // 7 x 17 is -1 and 7 x 103 is 1 modulo 120: the run of the highest returns, and that of the lowest.
    for name in ["x=17 (best)", "x=0 (worst)", " (median)"] {
        assert!(figure.contains(name), "no {name}");
    }
    let page = place.text("out/report.html");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    for said in [
        "Of 120 curves the best, the median and the worst, by the last mean return of up to 100 episodes, are named; 100 of the others, evenly by rank, are thin and grey.",
        "These are the first 100 of 480 rows; `resonetics report` and `analyze` write the complete table to tables/table-1.csv",
        "These are the first 100 of 120 rows; `resonetics report` and `analyze` write the complete table to tables/table-2.csv",
    ] {
        assert!(page.contains(said), "no {said}");
    }
    assert_eq!(place.csv("out/tables/table-1.csv").column("run").len(), 480);
    assert_eq!(place.csv("out/tables/table-2.csv").column("x").len(), 120);
}

/// A garden of 10 x 10 cells from elsewhere, all dirty: clean for one of 60 x 60.
#[test]
fn the_size_of_a_garden_from_elsewhere_can_be_typed() {
    let place = Place::new();
    place.write("small.csv", garden_log(100.0, 80));
    let said = place.ok("analyze small.csv").stdout;
    assert!(
        said.contains("was not lost in 80") && said.contains("assumed: 3600 cells (another number: --cells)"),
        "{said}"
    );
    let said = place.ok("analyze small.csv --cells 100 --out out").stdout;
    assert!(
        said.contains("was lost at generation 50") && said.contains("assumed: 100 cells as typed"),
        "{said}"
    );
    assert!(place.text("out/config.toml").contains("cells = 100"));
    let refused = place.refused("analyze small.csv --cells 99");
    assert!(
        refused.contains("line 2, column `Total_Entropy`: found `100.00`; allowed: at most 99"),
        "{refused}"
    );
    place.write("short.csv", garden_log(3.0, 1));
    assert!(place.ok("analyze short.csv").stdout.contains("was not lost in 1 generation."));
    place.ok(&format!("gardener --generations 20 --seed 5 --out known {TINY} -q"));
    let refused = place.refused("analyze known --cells 64");
    assert!(
        refused.contains("`--cells 64`: there is no garden without a config.toml among the files"),
        "{refused}"
    );
}

/// Evaluations beside each other, with the numbers that `eval` itself told.
#[test]
fn evaluations_become_a_table() {
    let place = Place::new();
    place.ok(&format!("train --steps 1024 --seed 1 --out trained {SMALL} -q"));
    for (out, more) in [("plain", ""), ("noisy", "--obs-noise 0.5")] {
        place.ok(&format!("eval --run trained --episodes 5 --seed 1 --out {out} {more} -q"));
    }
    place.ok("report plain noisy --out out");
    let analysis = place.json("out/analysis.json");
    let evaluations = &part(&analysis, "evaluation")["evaluations"];
    for (at, name) in ["plain", "noisy"].iter().enumerate() {
        let told = place.json(&format!("{name}/eval.json"));
        assert_eq!(evaluations[at]["name"], *name);
        for number in ["return_mean", "return_mean_low", "steps_mean", "obs_noise"] {
            assert!(told[number].is_number() && evaluations[at]["found"][number] == told[number], "{number}");
        }
    }
    assert!(place.text("out/figures/evaluation-1.svg").contains("noisy"));
}

/// Trainings that differ in the seed alone are one agent, wherever they are found: scipy 1.17.1,
/// `ttest_1samp([50, 55, 60], 0).confidence_interval()`.
#[test]
fn training_seeds_are_the_unit_of_evaluations_and_benchmarks() {
    let place = Place::new();
    let mut rows = "agent,episode,seed,return,steps,terminated,truncated\n".to_owned();
    let mut played = |agent: &str, mean: f64| {
        for seed in 0..8 {
            rows +=
                &format!("{agent},{},{seed},{},500,false,true\n", seed + 1, mean + f64::from(seed % 4) - 1.5);
        }
    };
    played("random", 30.0);
    for (name, seed, steps, mean) in
        [("t1", 1, 9, 50.0), ("t2", 2, 9, 55.0), ("t3", 3, 9, 60.0), ("u", 1, 8, 10.0)]
    {
        for folder in [name, &format!("e-{name}")] {
            std::fs::create_dir(place.path(folder)).unwrap();
        }
        place.write(
            &format!("{name}/config.toml"),
            format!("command = \"train\"\nseed = {seed}\nsteps = {steps}\n"),
        );
        let found = format!(
            r#"{{"run":"{name}","env":"k8s","seed":2,"episodes":20,"obs_noise":0,"drift_scale":1,"return_mean":{mean},"return_mean_low":1,"return_mean_high":2,"return_std":2,"steps_mean":500,"terminated":0}}"#
        );
        place.write(&format!("e-{name}/eval.json"), found);
        played(&format!("prophet:{name}"), mean);
    }
    let said = place.ok("analyze e-t1 e-t2 e-t3 e-u --out evaluated").stdout;
    assert!(
        said.contains(
            "t1, t2, t3 (3 seeds): mean return 55.00 per k8s episode (95% over trainings 42.58 to 67.42). "
        ),
        "{said}"
    );
    assert!(said.contains("it does not cover other training seeds"), "{said}");
    place.write("episodes.csv", rows);
    let said = place.ok("analyze episodes.csv --out played").stdout;
    assert!(
        said.contains("prophet:t1, prophet:t2, prophet:t3 (3 seeds) have the highest interquartile mean return, 55.0 (95% over 3 trainings 42.6 to 67.4), ahead of random"),
        "{said}"
    );
    assert!(said.contains("prophet:u is one training"), "{said}");
}

/// A sweep of more files than a process may have open.
#[test]
fn many_files_are_read_one_after_the_other() {
    let place = Place::new();
    std::fs::create_dir(place.path("many")).unwrap();
    let header = garden::COLUMNS.join(",");
    for number in 0..60 {
        let rows = "1,25,49.62,8.90,0,0,8.897,0,0.0000,0.0623,0.0128,creative\n";
        place.write(&format!("many/garden-{number}.csv"), format!("{header}\n{rows}"));
    }
    let ran = place.limited("-n 40", "analyze many");
    assert_eq!((ran.code, ran.stdout.contains("garden-59.csv")), (Some(0), true), "{}", ran.stderr);
}

/// From elsewhere: no Flow, Windows line ends, a last line that was cut, numbers that are none, and one
/// episode alone. Said in words, and nothing is drawn that is not there.
#[test]
fn what_is_missing_is_said() {
    let place = Place::new();
    let header = garden::COLUMNS.join(",").replace("Flow,", "");
    let mut rows = String::new();
    for n in 1..=80 {
        let dirt = if n == 10 { "NaN" } else { "3000.50" };
        rows += &format!("{n},25,49.62,{dirt},0,0,8.897,0,0.0000,0.0623,creative\r\n");
    }
    place.write("old.csv", format!("{header}\r\n{rows}81,25,49"));
    let said = place.ok("analyze old.csv --out old").stdout;
    for part in [
        "was lost at generation 60.",
        "The verdict misleads",
        "Numbers that are NaN or infinite: 1",
        "old.csv, line 82: the last line was cut (it has no line end); it is left out",
        "old.csv, line 11: column `Total_Entropy` is NaN or infinite; left out of what needs it",
        "no garden config.toml next to it, so the rules' settings are assumed: 3600 cells",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert!(
        !place.text("old/figures/garden-1.svg").contains("\nflow\n"),
        "a column that is not there is not drawn"
    );
    place.ok("benchmark --agents random --episodes 1 --seed 1 --out one -q");
    let said = place.ok("analyze one").stdout;
    assert!(said.contains("one episode, so no interval") || said.contains("there is no interval"), "{said}");
    let episodes = "\
        a,1,1,inf,500,false,true,0,0,0.2,8\na,2,2,1.5,500,false,true,0,0,0.2,8\nb,1,1,2.5,500,false,true,0,0,0.2,8\n";
    place.write("episodes.csv", format!("{EPISODES}{episodes}"));
    let said = place.ok("analyze episodes.csv").stdout;
    assert!(said.contains("a has returns that are NaN or infinite: 1, the first in line 2"), "{said}");
    assert!(said.contains("different numbers of episodes"), "{said}");
}

/// In Chromium: nothing complains, a phone need not scroll sideways, and a table sorts by the keyboard.
#[test]
fn the_page_is_read_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let place = Place::new();
    place.ok("benchmark --agents random,heuristic,planner --episodes 9 --seed 1 --out runs/bench -q");
    place.ok(&format!("gardener --generations 60 --seed 5 --out runs/garden {TINY} -q"));
    place.ok("analyze runs --out out");
    window(&mut browser, 400, 900);
    browser.open(&format!("file://{}", place.path("out/report.html").display()));
    assert_eq!(browser.value("document.documentElement.scrollWidth"), 400);
    let shown = "[...document.querySelectorAll('svg')].filter(svg => svg.checkVisibility()).map(svg => svg.getAttribute('width'))";
    let widths = browser.value(shown);
    assert!(widths.as_array().unwrap().len() >= 4, "{widths}");
    assert!(widths.as_array().unwrap().iter().all(|width| width == "380"), "{widths}");
    let agents =
        "[...document.querySelector('table').tBodies[0].rows].map(row => row.cells[0].textContent).join()";
    assert_eq!(browser.value(agents), "random,heuristic,planner");
    browser.value("document.querySelectorAll('th button')[2].focus()");
    for order in ["random,heuristic,planner", "planner,heuristic,random"] {
        browser.press("Enter", 13, "\r");
        assert_eq!(browser.value(agents), order, "by the mean return");
    }
    browser.value("document.querySelectorAll('th button')[0].click()");
    assert_eq!(browser.value(agents), "heuristic,planner,random", "by the name");
    assert_eq!(browser.complaints, Vec::<Value>::new());
}

fn window(browser: &mut Browser, width: u32, height: u32) {
    let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
    browser.call("Emulation.setDeviceMetricsOverride", &size);
}

#[test]
#[ignore = "writes docs/guide/src/images/report-*.png"]
fn screenshot() {
    let mut browser = Browser::start().unwrap();
    let (place, root) = (Place::new(), concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let runs = ["garden-evolved", "garden-heuristic", "benchmark-k8s", "train-k8s"];
    let runs = runs.map(|run| format!("results/{run}")).join(" ");
    let out = place.path("out");
    let mut command = place.command(&format!("report {runs} --out {}", out.display()));
    assert!(command.current_dir(root).output().unwrap().status.success());
    for (name, scheme, width, height) in
        [("light", "light", 1200, 1500), ("dark", "dark", 1200, 1500), ("phone", "light", 400, 860)]
    {
        window(&mut browser, width, height);
        browser.wish("prefers-color-scheme", scheme);
        browser.open(&format!("file://{}", out.join("report.html").display()));
        if name == "phone" {
            let strip = "[...document.querySelectorAll('figure')].find(figure => figure.textContent.includes('The strip'))";
            browser.value(&format!("{strip}.scrollIntoView()"));
        }
        std::fs::write(format!("{root}/docs/guide/src/images/report-{name}.png"), browser.picture()).unwrap();
    }
}

/// What comes through a pipe is read as a file would be; nothing waits where nothing comes.
#[test]
fn the_standard_input_is_read_like_a_file() {
    let place = Place::new();
    place.ok(&format!("gardener --generations 60 --seed 5 --out garden {TINY} -q"));
    let piped = |script: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_resonetics")]).current_dir(place.path(""));
        common::Ran::of(shell.output().unwrap(), script)
    };
    for (path, out) in [("/dev/stdin", "out-1"), ("-", "out-2")] {
        let ran = piped(&format!(
            "cat garden/resonetics_data.csv | \"$1\" analyze {path} --cells 64 --out {out} -q"
        ));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let analysis = place.json(&format!("{out}/analysis.json"));
        let garden = &part(&analysis, "garden")["gardens"][0];
        assert_eq!((&garden["name"], &garden["generations"]), (&json!("standard input"), &json!(60)));
        assert!(!analysis.to_string().contains("/standard input"), "{analysis}");
    }
    let empty = piped(": | \"$1\" analyze -");
    assert!(
        empty.code == Some(2) && empty.stderr.contains("standard input, line 1: the file is empty"),
        "{empty:?}"
    );
    // What is of no use is refused by its first line, however much follows.
    let endless = piped("yes 1,2,3,4 | \"$1\" analyze -");
    let first = endless.stderr.starts_with("error: standard input, line 1: there is no header");
    assert!(endless.code == Some(2) && first, "{endless:?}");
    let evaluation = piped("printf '{\"run\": 1}\\n' | \"$1\" analyze -");
    assert!(evaluation.code == Some(2) && evaluation.stderr.contains("by its path"), "{evaluation:?}");
    let device = piped("\"$1\" analyze /dev/stdin < /dev/null");
    assert!(device.code == Some(2) && device.stderr.contains("it is a device"), "{device:?}");
    place.ok("record k8s --steps 3 --seed 1 --out traced -q");
    let replayed = piped("cat traced/trace.json | \"$1\" replay /dev/stdin");
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
}
