//! A contract check for any environment, after Gymnasium's `check_env`.

use crate::env::{Agents, Ending, ParallelEnv};
use crate::stream::{Domain, Key, Stream};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Breaches of the contract; empty when the environment keeps it.
    pub problems: Vec<String>,
    /// Whether an episode was terminated.
    pub terminated: bool,
    /// Whether an episode was truncated.
    pub truncated: bool,
    /// Whether ten seeds in a row led to more than one beginning; a world without chance has one.
    pub seed_used: bool,
    /// Steps taken.
    pub steps: u64,
}

/// All that an environment wrote in one step.
#[derive(Clone, Debug, Default)]
struct Seen {
    observations: Vec<f32>,
    rewards: Vec<f32>,
    action_mask: Vec<bool>,
    alive: Vec<bool>,
    died: Vec<bool>,
}

/// Bit for bit: what was never written is NaN, and equal to itself.
impl PartialEq for Seen {
    fn eq(&self, other: &Seen) -> bool {
        let bits = |a: &[f32], b: &[f32]| a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()));
        bits(&self.observations, &other.observations)
            && bits(&self.rewards, &other.rewards)
            && (&self.action_mask, &self.alive, &self.died) == (&other.action_mask, &other.alive, &other.died)
    }
}

impl Seen {
    fn new<E: ParallelEnv>(env: &E) -> Seen {
        let agents = env.agents();
        let masked = if env.masked() { agents } else { 0 };
        Seen {
            observations: vec![f32::NAN; agents * env.observation_space().len()],
            rewards: vec![0.0; agents],
            action_mask: vec![false; masked * env.action_space().n],
            alive: vec![false; masked],
            died: vec![false; masked],
        }
    }

    fn agents(&mut self) -> Agents<'_> {
        Agents {
            observations: &mut self.observations,
            rewards: &mut self.rewards,
            action_mask: &mut self.action_mask,
            alive: &mut self.alive,
            died: &mut self.died,
        }
    }
}

/// Plays `episodes` episodes of at most `max_steps` steps with random actions, each twice, and
/// checks: the same seed gives the same episode, and the same episode after it; another seed another
/// one; every observation is within its bounds and every reward finite; an invalid action is
/// refused and changes nothing; dead rows have no allowed action. `make` makes the environment.
///
/// Whether both kinds of end were reached and whether the seed makes a difference is reported, not
/// judged: not every world has both ends, or chance.
pub fn check<E: ParallelEnv>(make: impl Fn() -> E, seed: u64, episodes: u64, max_steps: u64) -> Report {
    check_while(make, seed, episodes, max_steps, &mut || true)
}

/// As [`check`], but asks `proceed` before each episode and stops when it says no.
pub fn check_while<E: ParallelEnv>(
    make: impl Fn() -> E,
    seed: u64,
    episodes: u64,
    max_steps: u64,
    proceed: &mut dyn FnMut() -> bool,
) -> Report {
    let mut report = Report::default();
    let (mut first, mut second) = (make(), make());
    if first.agents() == 0 || first.action_space().n == 0 || first.observation_space().is_empty() {
        report.problems.push("it has no agents, no actions or an empty observation".to_owned());
        return report;
    }
    for episode in 0..episodes {
        if !proceed() {
            return report;
        }
        // Every third episode goes on with reset(None), so that second episodes are compared.
        let seed = (episode % 3 != 2).then_some(seed.wrapping_add(episode / 3 * 3));
        if seed.is_some() {
            // A new twin: what survives a reset with a seed would be the same in an old one.
            second = make();
        }
        twin_episodes(&mut first, &mut second, seed, episode, max_steps, &mut report);
        if !report.problems.is_empty() {
            return report;
        }
    }
    seeds_differ(&mut first, seed, &mut report);
    report
}

/// Plays one episode in both environments with the same actions and compares all they write.
fn twin_episodes<E: ParallelEnv>(
    first: &mut E,
    second: &mut E,
    seed: Option<u64>,
    episode: u64,
    max_steps: u64,
    report: &mut Report,
) {
    let mut random = Stream::new(Key::new(episode, Domain::Space, 0));
    let (mut a, mut b) = (Seen::new(first), Seen::new(second));
    first.reset(seed, a.agents());
    second.reset(seed, b.agents());
    let place = |step: u64| format!("episode {episode} (reset({seed:?})), step {step}");
    inspect(first, &a, &place(0), report);
    let actions_of = |random: &mut Stream, env: &E| -> Vec<usize> {
        (0..env.agents()).map(|_| env.action_space().sample(random)).collect()
    };
    for step in 1..=max_steps {
        if a != b {
            report
                .problems
                .push(format!("{}: two resets with the same seed led to different values", place(step - 1)));
            return;
        }
        refuses_invalid(first, &a, &place(step), report);
        let actions = actions_of(&mut random, first);
        let ends = (first.step(&actions, a.agents()), second.step(&actions, b.agents()));
        let (Ok(end), Ok(end_again)) = ends else {
            report.problems.push(format!("{}: actions of the action space were refused", place(step)));
            return;
        };
        report.steps += 1;
        inspect(first, &a, &place(step), report);
        if end != end_again {
            report.problems.push(format!("{}: the same episode ended differently", place(step)));
        }
        let Ending { terminated, truncated } = end;
        report.terminated |= terminated;
        report.truncated |= truncated;
        if terminated || truncated || !report.problems.is_empty() {
            break;
        }
    }
    if a != b {
        report.problems.push(format!("{}: the same episode ended with different values", place(max_steps)));
    }
}

/// Bounds, finiteness and masks of what was written.
fn inspect<E: ParallelEnv>(env: &E, seen: &Seen, place: &str, report: &mut Report) {
    let space = env.observation_space();
    for (agent, observation) in seen.observations.chunks_exact(space.len()).enumerate() {
        if !seen.alive.is_empty() && !seen.alive[agent] {
            continue;
        }
        if let Some(i) = space.first_outside(observation) {
            report.problems.push(format!(
                "{place}: observation[{i}] of agent {agent} is {}, outside {} to {}",
                observation[i],
                space.low()[i],
                space.high()[i]
            ));
            return;
        }
    }
    if let Some(reward) = seen.rewards.iter().find(|reward| !reward.is_finite()) {
        report.problems.push(format!("{place}: a reward is {reward}"));
    }
    let actions = env.action_space().n;
    for (agent, mask) in seen.action_mask.chunks_exact(actions).enumerate() {
        if !seen.alive[agent] && mask.contains(&true) {
            report.problems.push(format!("{place}: agent {agent} is dead and has an allowed action"));
            return;
        }
    }
}

/// An action outside the space is an error and leaves no trace. Rows that are not asked may
/// carry anything, so this looks for a row that is.
fn refuses_invalid<E: ParallelEnv>(env: &mut E, seen: &Seen, place: &str, report: &mut Report) {
    let n = env.action_space().n;
    let asked = (0..env.agents()).find(|agent| {
        seen.action_mask.is_empty() || seen.action_mask[agent * n..(agent + 1) * n].contains(&true)
    });
    let Some(asked) = asked else { return };
    let mut actions = vec![0; env.agents()];
    actions[asked] = n;
    let mut after = seen.clone();
    if env.step(&actions, after.agents()).is_ok() || after != *seen {
        report.problems.push(format!("{place}: action {n} is outside the action space and was not refused"));
    }
}

/// Ten seeds in a row with one and the same beginning mean that the seed makes no difference. A first
/// observation may be the same for all (a clean garden is): some steps have to differ.
fn seeds_differ<E: ParallelEnv>(env: &mut E, seed: u64, report: &mut Report) {
    let mut beginnings = Vec::new();
    for seed in seed..seed.saturating_add(10) {
        let mut seen = Seen::new(env);
        env.reset(Some(seed), seen.agents());
        let mut beginning = vec![seen.clone()];
        let actions = vec![0; env.agents()];
        for _ in 0..10 {
            let ending = env.step(&actions, seen.agents());
            beginning.push(seen.clone());
            if ending != Ok(Ending::default()) {
                break;
            }
        }
        beginnings.push(beginning);
    }
    report.seed_used = beginnings.iter().any(|beginning| *beginning != beginnings[0]);
}
