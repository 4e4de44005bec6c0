//! The loop, whatever holds the networks.

use super::*;

fn settings(batch_size: usize, kernel: bool) -> Settings {
    Settings { seed: 7, steps: 400, batch_size, kernel, tune: kernel, risk_target: RiskTarget::Centred }
}

/// Networks that fail where a device could.
struct Failing(Box<dyn Networks>, u64);

impl Networks for Failing {
    fn act(&mut self, x: &[f32]) -> Result<Vec<f32>, String> {
        self.0.act(x)
    }

    fn learn(&mut self, batch: &Batch<'_>, config: &KernelConfig, lr: f64) -> Result<(Terms, f64), String> {
        self.1 = self.1.checked_sub(1).ok_or("cannot train the worker on the device cuda:0: it is gone")?;
        self.0.learn(batch, config, lr)
    }

    fn predict(&mut self, state: [f32; 3], mask: &[f32]) -> Result<f32, String> {
        self.0.predict(state, mask)
    }

    fn learn_risk(&mut self, risk: f32, target: f32, lr: f64) -> Result<(), String> {
        self.0.learn_risk(risk, target, lr)
    }

    fn save(&self) -> Result<[Vec<f32>; 6], String> {
        self.0.save()
    }

    fn load(&mut self, arrays: [&[f32]; 6], steps: u64) -> Result<(), String> {
        self.0.load(arrays, steps)
    }
}

fn native() -> Box<dyn Networks> {
    networks(resonetics_runs::training::LearnerKind::Native, 7, "auto").unwrap()
}

#[test]
fn what_the_networks_say_ends_the_experiment() {
    let mut drift = Drift::new(&settings(2, true), Box::new(Failing(native(), 3)));
    for _ in 0..3 {
        drift.step().unwrap();
    }
    let said = drift.step().unwrap_err();
    assert_eq!(said, "cannot train the worker on the device cuda:0: it is gone");
    assert_eq!(drift.steps(), 3, "a step that failed is none");
}

#[cfg(feature = "torch")]
mod torch {
    use super::*;
    use resonetics_runs::training::LearnerKind;

    fn both(settings: &Settings) -> [Drift; 2] {
        [LearnerKind::Native, LearnerKind::Torch]
            .map(|kind| Drift::new(settings, networks(kind, settings.seed, "cpu").unwrap()))
    }

    fn numbers(row: &Row) -> [(&'static str, f64); 12] {
        [
            ("prediction", row.prediction),
            ("risk", row.risk),
            ("target_risk", row.target_risk),
            ("lr", row.lr),
            ("gap_R", row.terms.gap_r),
            ("kernel", row.terms.loss),
            ("flow", row.terms.flow),
            ("structure", row.terms.gap_s),
            ("tension", row.terms.tension),
            ("metric_flow", row.metric_flow),
            ("wR", row.w_r),
            ("eps", row.eps),
        ]
    }

    fn farthest(a: &Row, b: &Row) -> f64 {
        let pairs = numbers(a).into_iter().zip(numbers(b));
        pairs.map(|((_, a), (_, b))| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
    }

    /// The learners are each other's oracle: 1e-5 of 1 + the number for the first step, and ten times as much for
    /// what rounding grows to in the steps that follow.
    #[test]
    fn both_learners_take_the_same_steps() {
        for (batch, kernel) in [(1, true), (8, true), (8, false)] {
            let [mut native, mut torch] = both(&settings(batch, kernel));
            for step in 0..100 {
                let (a, b) = (native.step().unwrap(), torch.step().unwrap());
                assert_eq!((a.target, a.mode), (b.target, b.mode), "step {step}");
                let apart = farthest(&a, &b);
                let bound = if step == 0 { 1e-5 } else { 1e-4 };
                assert!(apart < bound, "{batch} {kernel} step {step}: {apart}");
            }
        }
    }

    /// A checkpoint holds the same tensors whoever wrote it.
    #[test]
    fn a_learner_goes_on_from_what_the_other_saved() {
        let settings = settings(4, true);
        for swapped in [false, true] {
            let [mut first, mut second] = both(&settings);
            if swapped {
                std::mem::swap(&mut first, &mut second);
            }
            for _ in 0..30 {
                first.step().unwrap();
            }
            let (state, arrays) = first.save().unwrap();
            second.restore(state, &arrays).unwrap();
            let (_, again) = second.save().unwrap();
            for (a, b) in arrays.tensors.iter().zip(&again.tensors) {
                assert!(a.name == b.name && a.shape == b.shape && a.data == b.data, "{}", a.name);
            }
            // The second step shows where the first has led: Adam's count of steps goes on, too.
            for bound in [1e-5, 1e-4] {
                let apart = farthest(&first.step().unwrap(), &second.step().unwrap());
                assert!(apart < bound, "{apart}");
            }
        }
    }
}
