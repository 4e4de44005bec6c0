//! What there is to say of runs that are not whole: how each ended, and how much of its plan is there.

use resonetics_analysis::agents::Benchmark;
use resonetics_analysis::garden::Garden;
use resonetics_analysis::read::{Kind, lifetimes};
use resonetics_analysis::report::{Run, thousands};

use crate::plan::Plan;

/// The sentence about `run` of which only `what` is there.
fn sentence(run: &Run, what: &str) -> String {
    let name = &run.name;
    match run.status.as_str() {
        "killed" | "interrupted" => format!("{name} was {}: {what}.", run.status),
        "failed" => format!("{name} failed: {what}."),
        "running" => format!("{name} is still running: {what} so far."),
        "finished" => format!("{name} was finished, but not all of its rows are there: {what}."),
        _ => format!("{name} is incomplete: {what}."),
    }
}

fn of(had: u64, planned: u64, what: &str) -> String {
    format!("{} of {} {what}", thousands(had as f64), thousands(planned as f64))
}

/// Steps that a training or a drift goes to by its plan: whole updates of the one; the other's first step
/// is 0.
pub(crate) fn planned_steps(plan: &Plan) -> Option<u64> {
    match plan {
        Plan::Train(plan) => Some(plan.whole(plan.total())),
        Plan::Drift(plan) => Some(plan.steps),
        _ => None,
    }
}

/// Of a training or a drift that got to `steps`, a drift's first step counted.
pub(crate) fn steps(run: &Run, plan: &Plan, steps: u64) -> Option<String> {
    let typed = match plan {
        Plan::Train(plan) => plan.total(),
        Plan::Drift(plan) => plan.steps,
        _ => return None,
    };
    (steps < planned_steps(plan)?).then(|| sentence(run, &of(steps, typed, "steps")))
}

/// Of a run of whose plan nothing is known: of `what` it has written.
pub(crate) fn unplanned(run: &Run, what: &str) -> Option<String> {
    let told = match run.status.as_str() {
        "killed" | "interrupted" | "failed" => true,
        // Without a config.toml there is no lock that tells.
        "running" => !run.config.is_empty(),
        _ => false,
    };
    told.then(|| sentence(run, what))
}

/// Of a run that wrote no row, by its plan where there is one, with what its rows would be.
pub(crate) fn nothing(run: &Run, plan: Option<&Plan>) -> Option<(Kind, String)> {
    let (kind, text) = match plan? {
        plan @ Plan::Train(_) => (Kind::Training, steps(run, plan, 0)),
        plan @ Plan::Drift(_) => (Kind::Drift, steps(run, plan, 0)),
        plan @ Plan::Gardener(_) => (Kind::Garden, gardens(run, plan, &[])),
        plan @ Plan::Controls(_) => (Kind::Lifetimes, lives(run, plan, &[])),
        plan @ Plan::Benchmark(_) => {
            let none = Benchmark { run: String::new(), world: String::new(), agents: Vec::new() };
            (Kind::Episodes, benchmark(run, plan, &none))
        }
        Plan::Record(_) | Plan::Eval(_) | Plan::Limit(_) => return None,
    };
    Some((kind, text?))
}

/// How a run ended that wrote no row, if that is known.
pub(crate) fn rowless(run: &Run) -> Option<String> {
    let name = &run.name;
    match run.status.as_str() {
        "killed" | "interrupted" => Some(format!("{name} was {} before its first row", run.status)),
        "failed" => Some(format!("{name} failed before its first row")),
        "running" if !run.config.is_empty() => Some(format!("{name} is still running and has no row so far")),
        _ => None,
    }
}

/// Of a benchmark.
pub(crate) fn benchmark(run: &Run, plan: &Plan, found: &Benchmark) -> Option<String> {
    let Plan::Benchmark(plan) = plan else { return None };
    let planned = u64::from(plan.episodes);
    let (agents, all) = (found.agents.len(), plan.agents.len());
    let short = found.agents.iter().filter(|agent| agent.episodes < planned).collect::<Vec<_>>();
    if agents >= all && short.is_empty() {
        return None;
    }
    if agents == 0 {
        return Some(sentence(run, &of(0, all as u64, "agents")));
    }
    let episodes = match short[..] {
        [] => format!("with all {} episodes", thousands(planned as f64)),
        [_] if agents == 1 => of(short[0].episodes, planned, "episodes"),
        [one] => format!("{} with {}", one.agent, of(one.episodes, planned, "episodes")),
        _ => {
            let had = short.iter().map(|agent| agent.episodes).sum::<u64>();
            of(had, planned * short.len() as u64, &format!("episodes of {} of them", short.len()))
        }
    };
    Some(sentence(run, &format!("{}, {episodes}", of(agents as u64, all as u64, "agents"))))
}

/// Of the gardens of one run, those of its files that were read.
pub(crate) fn gardens(run: &Run, plan: &Plan, found: &[&Garden]) -> Option<String> {
    let Plan::Gardener(plan) = plan else { return None };
    let each = u64::from(plan.generations);
    // One of several files may have been asked for by itself; a run that did not finish has no more.
    let finished = matches!(run.status.as_str(), "finished" | "");
    let all = if finished { found.len() as u64 } else { u64::from(plan.runs) };
    let had = found.iter().map(|garden| garden.generations).sum::<u64>();
    let whole = found.iter().filter(|garden| garden.generations >= each).count() as u64;
    if whole >= all {
        return None;
    }
    let generations = of(had, all * each, "generations");
    let what = if all == 1 { generations } else { format!("{}, {generations}", of(whole, all, "gardens")) };
    Some(sentence(run, &what))
}

/// Of lives without and with control.
pub(crate) fn lives(run: &Run, plan: &Plan, found: &[lifetimes::World]) -> Option<String> {
    let Plan::Controls(plan) = plan else { return None };
    let each = u64::from(plan.episodes).min(lifetimes::KEPT as u64);
    let worlds = plan.worlds.len() as u64;
    let had = found.iter().map(|world| world.off.len() + world.on.len()).sum::<usize>() as u64;
    let all = 2 * each * worlds;
    let what = || format!("{}, {}", of(found.len() as u64, worlds, "worlds"), of(had, all, "lives"));
    (had < all).then(|| sentence(run, &what()))
}
