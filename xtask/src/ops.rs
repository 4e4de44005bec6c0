//! `cargo xtask ops`: the files of ops/ are what Prometheus, Alertmanager and Grafana take, and what they say is true.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

use crate::venv;
use crate::workspace::{answer, cargo, root};

mod boards;
mod books;
mod compose;
mod files;
mod metrics;
mod queries;
mod rules;
mod tools;

use files::read;
use rules::Rules;
use tools::Tools;

/// Has the schema of compose files.
const SCHEMAS: &str = "check-jsonschema==0.39.0";

/// Who hears of which severity.
const ROUTES: [(&str, &str); 4] =
    [("page", "oncall"), ("critical", "oncall"), ("warning", "backlog"), ("ticket", "backlog")];

/// Rules as they are sometimes written, which no Prometheus takes: a range where there is none, and a grouping of
/// what cannot be grouped.
const BROKEN: [&str; 2] = [
    "max_over_time(sum by (pipeline) (increase(lumen_runs_success_total[1d]))[1d])",
    "increase(lumen_runs_failed_total[1d]) by (error_class)",
];

/// Checks all that the machine has tools for; what it has none for is said. `all`: also that a page comes within two
/// minutes where no wait is cut short, which takes some eight.
pub(crate) fn check(all: bool) -> Result<(), String> {
    println!("\n== ops: rules, routes, dashboards and runbooks");
    let place = root().join("ops");
    let rules = Rules::read(&place.join("prometheus/rules"))?;
    let boards = boards::read(&place.join("grafana"))?;
    let mut problems = rules.problems();
    problems.extend(boards::problems(&boards));
    problems.extend(metrics::problems(&place, &rules, &boards)?);
    problems.extend(books::problems(&root().join("docs/runbooks"), &rules)?);
    problems.extend(compose::problems(&place)?);
    if read(&place.join("queries.md"))? != queries::text(&rules, &boards) {
        problems
            .push("ops/queries.md is not what rules and dashboards say: cargo xtask ops --write".to_owned());
    }
    if !problems.is_empty() {
        return Err(format!("ops:\n  {}", problems.join("\n  ")));
    }
    println!(
        "   {} alerts with their tests and runbooks, {} recorded, {} dashboards",
        rules.alerts.len(),
        rules.records.len(),
        boards.len()
    );
    match venv::provide(&root().join("target/ops-schemas"), &[SCHEMAS]) {
        Ok(python) => {
            let mut schema = Command::new(python);
            schema.args(["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]);
            answer(schema.arg(place.join("compose.yml")))?;
            println!("   compose.yml is what the compose specification's schema takes");
        }
        Err(problem) => println!("   skipped: the schema of compose.yml: {problem}"),
    }
    let tools = tools::provide();
    match &tools.amtool {
        Ok(amtool) => alertmanager(&place, amtool)?,
        Err(problem) => println!("   skipped: amtool's checks and the routes: {problem}"),
    }
    // The servers wait most of the time.
    thread::scope(|scope| {
        let promtool = scope.spawn(|| match &tools.promtool {
            Ok(promtool) => prometheus(&place, promtool),
            Err(problem) => {
                println!("   skipped: promtool's checks and the rules' tests: {problem}");
                Ok(())
            }
        });
        let followed = end_to_end(&place, &tools, all);
        let tested = promtool.join().unwrap_or_else(|_| Err("promtool's checks broke off".to_owned()));
        tested.and(followed)
    })
}

/// Writes what follows from the other files.
pub(crate) fn write() -> Result<(), String> {
    let place = root().join("ops");
    let rules = Rules::read(&place.join("prometheus/rules"))?;
    let path = place.join("queries.md");
    let text = queries::text(&rules, &boards::read(&place.join("grafana"))?);
    fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn prometheus(place: &Path, promtool: &Path) -> Result<(), String> {
    let start = Instant::now();
    let folder = place.join("prometheus");
    let files = ["rules/recording.yml", "rules/alerts.yml"].map(|name| folder.join(name));
    let mut rules = Command::new(promtool);
    rules.args(["check", "rules", "--lint-fatal"]).args(&files);
    no_warning(&said(&mut rules)?)?;
    // The list of targets is made by `lumen serve`, and there is none here.
    let config = said(
        Command::new(promtool).args(["check", "config", "--lint-fatal"]).arg(folder.join("prometheus.yml")),
    )?;
    no_warning(&config.lines().filter(|line| !line.contains("targets.json")).collect::<Vec<_>>().join("\n"))?;
    let mut tests = Command::new(promtool);
    tests.args(["test", "rules"]);
    tests.args(["rules/recording_test.yml", "rules/alerts_test.yml"].map(|name| folder.join(name)));
    answer(&mut tests)?;
    let broken = root().join("target/ops-broken.yml");
    for expression in BROKEN {
        refuses(
            promtool,
            &broken,
            &format!("groups:\n  - name: g\n    rules:\n      - record: r\n        expr: {expression}\n"),
        )?;
    }
    let twice = "      - record: r\n        expr: up\n".repeat(2);
    refuses(promtool, &broken, &format!("groups:\n  - name: g\n    rules:\n{twice}"))?;
    println!(
        "   promtool takes rules and configuration, all tests of rules pass ({:.0} s)",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Fails if promtool takes the rules: then it would take anything.
fn refuses(promtool: &Path, path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let told = said(Command::new(promtool).args(["check", "rules", "--lint-fatal"]).arg(path));
    let taken = told.and_then(|told| no_warning(&told)).is_ok();
    if taken { Err(format!("promtool takes what it must refuse:\n{text}")) } else { Ok(()) }
}

/// What a program says, on both ways out.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().to_string_lossy()))?;
    let both =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    if output.status.success() { Ok(both) } else { Err(both) }
}

/// promtool ends well where it warns.
fn no_warning(told: &str) -> Result<(), String> {
    let bad = ["WARNING", "FAILED", "duplicate"].iter().any(|word| told.contains(word));
    if bad { Err(format!("promtool is not content:\n{told}")) } else { Ok(()) }
}

fn alertmanager(place: &Path, amtool: &Path) -> Result<(), String> {
    let folder = place.join("alertmanager");
    for name in ["alertmanager.yml", "alertmanager-outside.yml"] {
        let config = folder.join(name);
        answer(Command::new(amtool).arg("check-config").arg(&config))?;
        for (severity, receiver) in ROUTES {
            let test = |receiver: &str| {
                let mut routes = Command::new(amtool);
                routes.args(["config", "routes", "test"]).arg(format!("--config.file={}", config.display()));
                routes.arg(format!("--verify.receivers={receiver}"));
                answer(
                    routes.args(["alertname=LumenLevelAlert", "run=a"]).arg(format!("severity={severity}")),
                )
            };
            test(receiver)?;
            if test("nobody").is_ok() {
                return Err(format!("amtool finds nothing wrong with a route to nobody for {severity}"));
            }
        }
    }
    println!("   amtool takes both configurations, and each severity goes where it belongs");
    Ok(())
}

fn end_to_end(place: &Path, tools: &Tools, all: bool) -> Result<(), String> {
    let (prometheus, alertmanager) = match (&tools.prometheus, &tools.alertmanager) {
        (Ok(prometheus), Ok(alertmanager)) => (prometheus, alertmanager),
        (Err(problem), _) | (_, Err(problem)) => {
            println!("   skipped: a real Prometheus and Alertmanager with these files: {problem}");
            return Ok(());
        }
    };
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|python| python.status.success()) {
        println!("   skipped: a real Prometheus and Alertmanager with these files: there is no python3");
        return Ok(());
    }
    cargo("the program", &["build", "--release", "--quiet", "--workspace", "--bin", "resonetics"])?;
    let program = root().join("target/release/resonetics").display().to_string();
    // Its output is printed once it is over: two of them are at work at the same time.
    let script = |name: &str, more: &[&str]| {
        let mut script = Command::new("python3");
        script.arg(place.join("tests").join(name)).arg("--prometheus").arg(prometheus);
        script.arg("--alertmanager").arg(alertmanager).args(more);
        said(&mut script).map_err(|told| format!("ops/tests/{name}:\n{told}"))
    };
    let both = |full: &[&str]| {
        thread::scope(|scope| {
            let real = scope.spawn(|| script("real.py", &[&["--resonetics", &program], full].concat()));
            let stand_in = script("end_to_end.py", full);
            let real = real.join().unwrap_or_else(|_| Err("ops/tests/real.py broke off".to_owned()));
            print!("   with a stand-in for the exporter:\n{}", stand_in?);
            print!("   with real runs and the real exporter:\n{}", real?);
            Ok::<(), String>(())
        })
    };
    match (&tools.promtool, &tools.pushgateway) {
        (Ok(promtool), Ok(pushgateway)) => {
            let mut push = Command::new("python3");
            push.arg(place.join("tests/push.py")).args(["--resonetics", &program]);
            push.arg("--promtool").arg(promtool).arg("--pushgateway").arg(pushgateway);
            print!("{}", said(&mut push).map_err(|told| format!("ops/tests/push.py:\n{told}"))?);
        }
        (Err(problem), _) | (_, Err(problem)) => println!("   skipped: a real Pushgateway: {problem}"),
    }
    println!("   a real Prometheus and a real Alertmanager, waits cut short (a minute and a half):");
    both(&[])?;
    if all {
        println!("   both with the waits as they are (some eight minutes):");
        both(&["--full"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_a_failure() {
        assert!(no_warning("  SUCCESS: 3 rules found\n").is_ok());
        assert!(no_warning("1 duplicate rule(s) found.\n  SUCCESS\n").is_err());
    }

    #[test]
    fn the_files_are_in_order() {
        let place = root().join("ops");
        let rules = Rules::read(&place.join("prometheus/rules")).unwrap();
        let boards = boards::read(&place.join("grafana")).unwrap();
        assert_eq!(rules.problems(), [""; 0]);
        assert_eq!(boards::problems(&boards), [""; 0]);
        assert_eq!(metrics::problems(&place, &rules, &boards).unwrap(), [""; 0]);
        assert_eq!(books::problems(&root().join("docs/runbooks"), &rules).unwrap(), [""; 0]);
        assert_eq!(compose::problems(&place).unwrap(), [""; 0]);
        assert_eq!(read(&place.join("queries.md")).unwrap(), queries::text(&rules, &boards));
    }
}
