//! The cluster's speed beside other implementations of it: interleaved pairs, and a table of ratios.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::options::Options;
use super::outside::{self, Game, Measured, json_rate};
use super::python;
use super::stats::{self, Pairs};
use super::tools::Tools;
use crate::venv;
use crate::workspace::answer;
use crate::workspace::root;

/// Clusters of a vector; a vector of Gymnasium that steps single ones gets fewer.
const NUM_ENVS: usize = 4096;
const NUM_ENVS_SYNC: usize = 16;
/// Clusters and steps of the run that shows what game a peer in C plays and how fast: long enough that
/// the games that are not over at its end hardly count.
const TRIAL: [&str; 2] = ["16", "100000"];
/// Each peer on one thread, as far as it can be told to.
const ONE_THREAD: [(&str, &str); 3] =
    [("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")];

/// Another implementation, ready to run.
struct Peer {
    name: String,
    num_envs: usize,
    threads: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    /// How it was made and run, without the places of this machine.
    shown: String,
    /// The versions of what it is made with.
    made_with: String,
    read: fn(&str) -> Result<Vec<Measured>, String>,
    /// What random actions earned when that was looked at.
    game: Option<Game>,
}

/// A row of the table.
struct Row {
    name: String,
    num_envs: usize,
    threads: &'static str,
    pairs: Pairs,
    game: Option<Game>,
}

/// Measures all peers that are at hand and writes the table. What cannot be had is skipped with a note;
/// what is there and fails is an error, once the others are done.
pub(super) fn measure(tools: &Tools, options: &Options) -> Result<(), String> {
    let (mut peers, mut skipped, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for found in
        [of_c(tools, options), of_jax(tools, options)].into_iter().chain(of_gymnasium(tools, options))
    {
        match found {
            Found::Ready(peer) => peers.push(peer),
            Found::Skipped(name, why) => {
                println!("   skipped: {name}: {why}");
                skipped.push(name);
            }
            Found::Failed(problem) => failed.push(problem),
        }
    }
    let (mut rows, mut measured) = (Vec::new(), Vec::new());
    for peer in peers {
        match run(tools, options, &peer) {
            Ok(of_peer) => {
                rows.extend(of_peer);
                measured.push(peer);
            }
            Err(problem) => failed.push(format!("{}: {problem}", peer.name)),
        }
    }
    if !rows.is_empty() {
        let text = table(options, &rows) + &notes(options, &measured, &skipped) + &tools.about();
        tools.record("peers.md", &text)?;
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// What became of looking for a peer.
enum Found {
    Ready(Peer),
    /// Its name, and why it cannot be had.
    Skipped(&'static str, String),
    Failed(String),
}

/// The peer in C, compiled as its description says.
fn of_c(tools: &Tools, options: &Options) -> Found {
    const FLAGS: [&str; 3] = ["-O3", "-march=native", "-ffast-math"];
    let Some(source) = &options.c_peer else {
        return Found::Skipped("C", "no --c-peer FILE".to_owned());
    };
    let Ok(compiler) = answer(Command::new("cc").arg("--version")) else {
        return Found::Skipped("C", "there is no C compiler `cc`".to_owned());
    };
    let program = tools.target.join("bench-peer-c");
    let mut compile = Command::new("cc");
    compile.args(FLAGS).arg(source).arg("-lm").arg("-o").arg(&program);
    let trial = || -> Result<(f64, Game), String> {
        let text = answer(Command::new(&program).args(TRIAL))?;
        match Game::of(&text, "return ", "len ") {
            Some(game) if game.is_ours() => Ok((outside::c_measured(&text)?[0].rate, game)),
            _ => Err(format!("random actions should earn 28.6 in 480 steps; it says `{}`", text.trim())),
        }
    };
    let (rate, game) = match answer(&mut compile).and_then(|_| trial()) {
        Ok(found) => found,
        Err(problem) => return Found::Failed(format!("--c-peer: {problem}")),
    };
    let steps = (rate * options.seconds / NUM_ENVS as f64).ceil().max(1.0);
    let arguments = vec![NUM_ENVS.to_string(), format!("{steps:.0}")];
    Found::Ready(Peer {
        name: "scalar C".to_owned(),
        num_envs: NUM_ENVS,
        threads: "1",
        program,
        shown: format!("cc {} {} -lm && ./a.out {}", FLAGS.join(" "), file_name(source), arguments.join(" ")),
        arguments,
        made_with: compiler.lines().next().unwrap_or_default().to_owned(),
        read: outside::c_measured,
        game: Some(game),
    })
}

/// The peer on JAX, which takes no arguments and all the threads it likes.
fn of_jax(tools: &Tools, options: &Options) -> Found {
    let (Some(script), false) = (&options.jax_peer, options.no_python) else {
        return Found::Skipped("JAX", "no --jax-peer FILE".to_owned());
    };
    match venv::provide(&tools.venv(), &python::JAX) {
        Err(problem) => Found::Skipped("JAX", problem),
        Ok(program) => Found::Ready(Peer {
            name: "JAX".to_owned(),
            num_envs: NUM_ENVS,
            threads: "all",
            program,
            arguments: vec![script.display().to_string()],
            shown: format!("python {}", file_name(script)),
            made_with: python::JAX.join(", "),
            read: outside::jax_measured,
            game: None, // it plays too few steps for most games to end
        }),
    }
}

/// Gymnasium's vectors, after a check that they play the same game.
fn of_gymnasium(tools: &Tools, options: &Options) -> Vec<Found> {
    const SCRIPT: &str = "benches/peers/gymnasium_k8s.py";
    if options.no_python {
        return vec![Found::Skipped("gymnasium", "--no-python".to_owned())];
    }
    let program = match venv::provide(&tools.venv(), &python::VECTORS) {
        Ok(program) => program,
        Err(problem) => return vec![Found::Skipped("gymnasium", problem)],
    };
    println!("   checking that gymnasium's vectors play the game of docs/RULES.md");
    let checked = match answer(Command::new(&program).args([SCRIPT, "check"]).current_dir(root())) {
        Ok(text) => text,
        Err(problem) => return vec![Found::Failed(problem)],
    };
    print!("{checked}");
    let game_in = |line: &str| Game::of(line, "return ", "steps ");
    let peer = |name: &str, vector: &str, num_envs: usize| {
        let rest = format!("measure --vector {vector} --num-envs {num_envs} --seconds {}", options.seconds);
        Found::Ready(Peer {
            name: name.to_owned(),
            num_envs,
            threads: "1",
            program: program.clone(),
            arguments: std::iter::once(SCRIPT).chain(rest.split(' ')).map(str::to_owned).collect(),
            shown: format!("python {SCRIPT} {rest}"),
            made_with: python::VECTORS.join(", "),
            read: outside::json_measured,
            game: checked.lines().find(|line| line.starts_with(vector)).and_then(game_in),
        })
    };
    vec![
        peer("gymnasium, a `VectorEnv` in plain numpy", "numpy", NUM_ENVS),
        peer("gymnasium, `SyncVectorEnv`", "sync", NUM_ENVS_SYNC),
    ]
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The arguments that measure our side.
fn ours(num_envs: usize, seconds: f64) -> Vec<String> {
    let line = format!("--threads 1 throughput --env k8s --num-envs {num_envs} --seconds {seconds}");
    line.split(' ').map(str::to_owned).collect()
}

/// Ours, theirs, ours, theirs: the rows of one peer.
fn run(tools: &Tools, options: &Options, peer: &Peer) -> Result<Vec<Row>, String> {
    let mut rows: Vec<Row> = Vec::new();
    for pair in 1..=options.pairs {
        let text = answer(Command::new(&tools.binary).args(ours(peer.num_envs, options.seconds)))?;
        let rate = json_rate(&text, "steps_per_second")?;
        let mut command = Command::new(&peer.program);
        let text = answer(command.args(&peer.arguments).envs(ONE_THREAD).current_dir(root()))?;
        for measured in (peer.read)(&text)? {
            let gap = if measured.label.is_empty() { "" } else { ", " };
            let name = format!("{}{gap}{}", peer.name, measured.label);
            let ratio = stats::ratio(rate / measured.rate);
            println!(
                "   {name}, pair {pair}: {} / {} = {ratio}",
                stats::grouped(rate),
                stats::grouped(measured.rate)
            );
            let place = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
                let &Peer { num_envs, threads, game, .. } = peer;
                rows.push(Row { name, num_envs, threads, pairs: Pairs::default(), game });
                rows.len() - 1
            });
            rows[place].pairs.rates.push((rate, measured.rate));
        }
    }
    Ok(rows)
}

/// The table, and each pair.
fn table(options: &Options, rows: &[Row]) -> String {
    let mut text = format!(
        "# Cluster steps per second compared with other implementations\n\n```\n$ {}\n```\n\n\
         | peer | clusters | threads, ours / theirs | resonetics, steps/s | peer, steps/s | ratio | 95% | pairs | its game |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        options.shown()
    );
    for row in rows {
        let game = row.game.map_or_else(
            || "not tested".to_owned(),
            |game| format!("{:.1} in {:.0} steps", game.earned, game.steps),
        );
        text += &format!(
            "| {} | {} | 1 / {} | {} | {game} |\n",
            row.name,
            stats::grouped(row.num_envs as f64),
            row.threads,
            row.pairs.cells()
        );
    }
    text += &format!(
        "\nRules v4.5, random actions, each cluster reset in the step that ends it, observations written. Ours and theirs took \
         turns. The ratio is that of a pair, then\nthe median over the pairs; the interval is that of {} bootstraps of the pairs. The \
         rates are this machine's with whatever else ran on it: quote the ratios.\n\
         *Its game* is what random actions earned in the peer's clusters, measured beforehand: 28.6 (within 1.5) in 480 steps \
         (within 15) are the rules'.\nThe `SyncVectorEnv` steps single environments in Python.\n\n\
         Each pair, in the order of the run (steps/s):\n\n| peer | resonetics / peer |\n|---|---|\n",
        stats::grouped(f64::from(stats::RESAMPLES))
    );
    for row in rows {
        text += &format!("| {} | {} |\n", row.name, row.pairs.listed());
    }
    text
}

/// What was run, and what was not.
fn notes(options: &Options, peers: &[Peer], skipped: &[&str]) -> String {
    let mut text = String::from("\nThe turns were taken by\n\n```\n");
    for peer in peers {
        text +=
            &format!("$ resonetics {}\n$ {}\n", ours(peer.num_envs, options.seconds).join(" "), peer.shown);
    }
    text += "```\n\n";
    for peer in peers {
        text += &format!("- {}: {}\n", peer.name, peer.made_with);
    }
    if !skipped.is_empty() {
        text += &format!("- not measured: {}\n", skipped.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_ratio_and_the_game_of_each() {
        let pairs = Pairs { rates: vec![(9e6, 2e6), (4e6, 1e6)] };
        let row = |name: &str, game| Row {
            name: name.to_owned(),
            num_envs: 4096,
            threads: "1",
            pairs: pairs.clone(),
            game,
        };
        let rows = [row("scalar C", Some(Game { earned: 28.61, steps: 480.3 })), row("JAX, rbg", None)];
        let text = table(&Options { pairs: 2, seconds: 0.5, ..Options::default() }, &rows);
        for part in [
            "$ cargo xtask bench --pairs 2 --seconds 0.5\n",
            "| scalar C | 4,096 | 1 / 1 | 6,500,000 | 1,500,000 | **4.25** | 4.00 to 4.50 | 2 | 28.6 in 480 steps |\n",
            "| JAX, rbg | 4,096 | 1 / 1 | 6,500,000 | 1,500,000 | **4.25** | 4.00 to 4.50 | 2 | not tested |\n",
            "| scalar C | 9,000,000 / 2,000,000 = 4.50, 4,000,000 / 1,000,000 = 4.00 |\n",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    }

    #[test]
    fn the_notes_have_the_commands_and_what_is_missing() {
        let peer = Peer {
            name: "scalar C".to_owned(),
            num_envs: 64,
            threads: "1",
            program: "/some/where/bench-peer-c".into(),
            arguments: Vec::new(),
            shown: "./a.out 64".to_owned(),
            made_with: "cc 1".to_owned(),
            read: outside::c_measured,
            game: None,
        };
        let options = Options { seconds: 0.5, ..Options::default() };
        let expected = "\nThe turns were taken by\n\n```\n\
            $ resonetics --threads 1 throughput --env k8s --num-envs 64 --seconds 0.5\n$ ./a.out 64\n```\n\n\
            - scalar C: cc 1\n- not measured: JAX, gymnasium\n";
        assert_eq!(notes(&options, &[peer], &["JAX", "gymnasium"]), expected);
    }
}
