//! An episode that somebody looks at.

use std::time::Duration;

use resonetics_agents::Policy;
use resonetics_envs::env::Ending;
use resonetics_envs::gardener::GardenerEnv;
use resonetics_envs::k8s::K8sEnv;
use resonetics_runs::Error;
use resonetics_runs::rollout::{Playable, Rollout};
use resonetics_runs::setup::{Setup, WorldSettings};
use resonetics_runs::trained::{PROPHET, Trained};
use resonetics_view::scene::Scene;

/// Steps a second that can be chosen; from 20 on whole numbers of them for each picture.
pub const RATES: [u32; 10] = [1, 2, 5, 10, 20, 40, 100, 200, 400, 1000];
/// The time between two pictures at the fastest.
pub const FASTEST: Duration = Duration::from_millis(50);

/// The time between two pictures at so many steps a second, and the steps in it.
pub fn pace(rate: u32) -> (Duration, u32) {
    let between = Duration::from_secs(1) / rate;
    if between >= FASTEST { (between, 1) } else { (FASTEST, rate / 20) }
}

enum World {
    Garden(Rollout<GardenerEnv>),
    Cluster(Rollout<K8sEnv>),
}

/// An episode, step by step: the one that `gardener` and `record` play with the same seed. Looking at it
/// changes nothing.
pub struct Show {
    world: World,
    /// Steps taken.
    steps: u32,
    /// The sum of the rewards so far; the batch has it at the end only. Of a cluster.
    total_reward: f64,
    ended: Option<Ending>,
}

/// Who acts in a world. Of a trained one the checkpoint is read once, so that all its episodes are played by
/// the same policy while the training goes on.
pub struct Player {
    setup: Setup,
    agent: String,
    trained: Option<Trained>,
    /// Whether the actions of a trained one are drawn from its policy.
    sample: bool,
}

impl Player {
    /// `agent` in the world `setup`.
    ///
    /// # Errors
    /// [`Error::Refused`] for an unknown agent, and a training that cannot act in this world.
    pub fn new(setup: Setup, agent: &str) -> Result<Player, Error> {
        if let Some(typed) = agent.strip_prefix(PROPHET) {
            return Player::of(Trained::named(typed)?, setup);
        }
        let player = Player { setup, agent: agent.to_owned(), trained: None, sample: false };
        player.policy()?;
        Ok(player)
    }

    /// The checkpoint `trained` in the world `setup`.
    ///
    /// # Errors
    /// [`Error::Refused`] if it cannot act in this world.
    pub fn of(trained: Trained, setup: Setup) -> Result<Player, Error> {
        let player = Player { setup, agent: "prophet".to_owned(), trained: Some(trained), sample: false };
        player.policy()?;
        Ok(player)
    }

    /// The same, its actions drawn from its policy if `sample` says so.
    ///
    /// # Errors
    /// [`Error::Refused`] if it was not trained: others draw as they always do.
    pub fn sampled(self, sample: bool) -> Result<Player, Error> {
        if sample && self.trained.is_none() {
            return Err(Error::Refused(format!(
                "--sample draws the actions of a trained agent from its policy, and {} was not trained: name one, such as prophet:DIR, or leave it out",
                self.agent
            )));
        }
        Ok(Player { sample, ..self })
    }

    fn policy(&self) -> Result<Box<dyn Policy>, Error> {
        match &self.trained {
            Some(trained) => {
                let prophet = trained.policy(&self.setup)?;
                Ok(Box::new(if self.sample { prophet.sampled(1) } else { prophet }))
            }
            None => self.setup.policy(&self.agent, 1),
        }
    }

    /// The steps after which the checkpoint that acts was written, of a trained one.
    pub fn checkpoint(&self) -> Option<u64> {
        self.trained.as_ref().map(|trained| trained.checkpoint.step)
    }

    /// The episode with `seed`, before its first step.
    ///
    /// # Errors
    /// As [`Player::new`].
    pub fn show(&self, seed: u64) -> Result<Show, Error> {
        Show::of(&self.setup, self.policy()?, seed)
    }
}

impl Show {
    fn of(setup: &Setup, policy: Box<dyn Policy>, seed: u64) -> Result<Show, Error> {
        let world = match &setup.settings {
            WorldSettings::Gardener(settings) => {
                let mut rollout = Rollout::new(vec![GardenerEnv::new(settings.env.clone())], policy)?;
                rollout.reset(&[seed]);
                World::Garden(rollout)
            }
            WorldSettings::K8s(settings) => {
                let mut rollout = Rollout::new(vec![K8sEnv::new(settings.env.clone())], policy)?;
                rollout.reset(&[seed]);
                World::Cluster(rollout)
            }
        };
        Ok(Show { world, steps: 0, total_reward: 0.0, ended: None })
    }

    /// Takes a step; nothing happens once the episode is over.
    ///
    /// # Errors
    /// [`Error::Failed`] if the agent chooses an action that there is none of.
    pub fn step(&mut self) -> Result<(), Error> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.ended = match &mut self.world {
            World::Garden(rollout) => stepped(rollout)?,
            World::Cluster(rollout) => {
                let ended = stepped(rollout)?;
                self.total_reward += f64::from(rollout.batch.rewards[0]);
                ended
            }
        };
        self.steps += 1;
        Ok(())
    }

    /// Whether the episode is over.
    pub fn ended(&self) -> bool {
        self.ended.is_some()
    }

    /// What is to be seen now.
    pub fn scene(&self) -> Scene {
        match &self.world {
            World::Garden(rollout) => Scene::garden(&rollout.envs.env(0), self.ended),
            World::Cluster(rollout) => {
                Scene::cluster(&rollout.envs.env(0), self.steps, self.total_reward, self.ended)
            }
        }
    }
}

fn stepped<E: Playable>(rollout: &mut Rollout<E>) -> Result<Option<Ending>, Error> {
    rollout.step()?;
    let ending = Ending { terminated: rollout.batch.terminated[0], truncated: rollout.batch.truncated[0] };
    Ok((ending.terminated || ending.truncated).then_some(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_view::scene::Cells;

    fn show(env: &str, agent: &str) -> Show {
        Player::new(Setup::preset(env, "reference").unwrap(), agent).unwrap().show(3).unwrap()
    }

    fn reading(scene: &Scene, name: &str) -> String {
        let found = scene.readings.iter().find(|(reading, _)| *reading == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    }

    #[test]
    fn a_garden_is_seen_as_it_is() {
        let mut show = show("gardener", "random");
        for step in 0..30 {
            let scene = show.scene();
            let World::Garden(rollout) = &show.world else { panic!() };
            let env = rollout.envs.env(0);
            let world = env.world();
            let Cells::Garden { dirt, gardeners } = &scene.cells else { panic!() };
            assert_eq!((scene.step, scene.grid, dirt.as_slice()), (step, [60, 60], world.grid()));
            assert!(gardeners.iter().eq(world.gardeners().iter().map(|gardener| &gardener.cell)));
            let mean = dirt.iter().map(|&dirt| f64::from(dirt)).sum::<f64>() / 3600.0;
            assert!((scene.trends[0].1 - mean).abs() < 1e-9);
            assert_eq!(reading(&scene, "generation"), step.to_string());
            assert_eq!(reading(&scene, "damping alpha"), format!("{:.2}", world.restraint().alpha));
            show.step().unwrap();
        }
        let start = self::show("gardener", "random").scene();
        assert_eq!(
            (reading(&start, "population"), reading(&start, "mean energy")),
            ("25".into(), "50.00".into())
        );
    }

    #[test]
    fn a_cluster_is_seen_as_it_is_and_ends_once() {
        let mut show = show("k8s", "random");
        let (mut steps, mut total_reward) = (0, 0.0);
        while !show.ended() {
            assert_eq!(show.scene().ending, None);
            show.step().unwrap();
            steps += 1;
            let scene = show.scene();
            let World::Cluster(rollout) = &show.world else { panic!() };
            let env = rollout.envs.env(0);
            let state = env.state();
            let Cells::Cluster { nodes, agent } = &scene.cells else { panic!() };
            assert_eq!((scene.step, *agent), (steps, state.agent));
            total_reward += f64::from(rollout.batch.rewards[0]);
            assert_eq!(reading(&scene, "return so far"), format!("{total_reward:+.2}"));
            assert!(total_reward != 0.0);
            assert!(nodes.iter().map(|node| node.cpu).eq(state.cpu.iter().copied()));
            assert!(nodes.iter().map(|node| node.memory).eq(state.memory.iter().copied()));
            assert!(
                nodes.iter().zip(&state.priority).all(|(node, &priority)| node.critical == (priority == 1.0))
            );
            // The count of the rules.
            let out = nodes.iter().filter(|node| node.out_of_memory).count();
            assert_eq!(out, resonetics_envs::env::Env::info(&*env).oom_nodes as usize);
        }
        let last = show.scene();
        assert!(last.ending.is_some());
        let World::Cluster(rollout) = &show.world else { panic!() };
        // What the vector says of the whole episode.
        assert_eq!(reading(&last, "return so far"), format!("{:+.2}", rollout.batch.episode_return[0]));
        show.step().unwrap();
        assert_eq!(show.scene(), last);
    }

    #[test]
    fn the_control_layer_of_a_cluster_is_seen_if_it_is_on() {
        let setup = Setup::preset("k8s", "storm").unwrap();
        let control = |setup: Setup| Player::new(setup, "idle").unwrap().show(1).unwrap().scene();
        let controlled = control(setup.with_control(true));
        assert_eq!(reading(&control(setup), "control"), "off");
        assert_eq!(reading(&controlled, "survival mode"), "off");
        let (name, risk) = controlled.trends[2];
        assert_eq!((name, reading(&controlled, "risk")), ("risk", format!("{:.1}%", 100.0 * risk)));
    }

    #[test]
    fn every_rate_takes_whole_steps() {
        for rate in RATES {
            let (between, together) = pace(rate);
            assert_eq!(Duration::from_secs(1) / rate * together, between, "{rate} steps/s");
        }
    }

    #[test]
    fn scenes_are_json() {
        let json = serde_json::to_value(show("gardener", "random").scene()).unwrap();
        assert_eq!(
            (json["step"].as_u64(), json["garden"]["dirt"].as_array().unwrap().len()),
            (Some(0), 3600)
        );
        assert_eq!(json["readings"][0], serde_json::json!(["generation", "0"]));
        let json = serde_json::to_value(show("k8s", "random").scene()).unwrap();
        assert_eq!(json["cluster"]["nodes"].as_array().unwrap().len(), 16);
    }
}
