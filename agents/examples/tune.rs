//! scratch
use resonetics_agents::prophet::{
    config::*, init::initial, learner::Learner, native::NativeLearner, network::*, trainer::Trainer,
};
use resonetics_envs::config::resolve;
use resonetics_envs::k8s::{K8sConfig, K8sEnv};
#[allow(clippy::all, clippy::pedantic, missing_docs)]
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let steps: u64 = args[0].parse().unwrap();
    let seed: u64 = args[1].parse().unwrap();
    let config = resolve(&TrainConfig::default(), None, &args[2..]).unwrap();
    let spaces = Spaces { observation: 30, actions: 6, view: 0 };
    let mut learner = NativeLearner::new(&config.network, spaces);
    learner.load(&initial(&config.network, spaces, seed), 0).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let mut t = Trainer::new(K8sEnv::new(K8sConfig::default()), config.clone(), seed, steps, Box::new(learner)).unwrap();
        let n = t.planned_updates();
        let start = std::time::Instant::now();
        for i in 0..n {
            let u = t.update().unwrap();
            if i % (n / 8).max(1) == 0 || i + 1 == n {
                println!("{} steps {} ret {:.2} kl {:.4} clip {:.3} ent {:.3} ev {:.3} v {:.4} flow {:.3} S {:.3} T {:.3} gn {:.2} {:.0}/s", u.update, u.steps, u.return_mean.unwrap_or(0.0), u.terms.approx_kl, u.terms.clip_fraction, u.terms.entropy, u.explained_variance, u.terms.value, u.terms.flow, u.terms.structure, u.terms.tension, u.terms.gradient_norm, u.steps as f64 / start.elapsed().as_secs_f64());
            }
        }
        println!("final eval {:.3}  args {:?}", t.evaluate(1000), &args);
    });
}
