//! Where a training's time goes. Timings are read and shown; nothing depends on them, and no file of a
//! training holds them.

use std::time::Instant;

/// Seconds in the parts of a learner's [`super::learner::Learner::loss`], as they lie on the caller's clock:
/// what several threads do at once counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossTimings {
    /// Gathering the rows of a minibatch.
    pub assembly: f64,
    /// The networks' outputs.
    pub forward: f64,
    /// The loss and its gradient by the networks' outputs.
    pub terms: f64,
    /// From there to the gradient of the parameters.
    pub backward: f64,
}

impl LossTimings {
    /// All parts.
    pub(super) fn sum(&self) -> f64 {
        self.assembly + self.forward + self.terms + self.backward
    }

    /// Adds `scale` times `other`.
    pub(super) fn add(&mut self, other: &LossTimings, scale: f64) {
        self.assembly += scale * other.assembly;
        self.forward += scale * other.forward;
        self.terms += scale * other.terms;
        self.backward += scale * other.backward;
    }
}

/// Seconds in the parts of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    /// Whole updates.
    pub total: f64,
    /// Environments stepped with the policy's actions.
    pub rollout: f64,
    /// Advantages and returns, with the normalising of rewards.
    pub advantages: f64,
    /// The order of samples, the minibatch's mean advantage and noise, gathering; between updates the
    /// normaliser's.
    pub assembly: f64,
    /// See [`LossTimings`]; 0 where the learner does not say.
    pub forward: f64,
    /// See [`LossTimings`].
    pub terms: f64,
    /// See [`LossTimings`].
    pub backward: f64,
    /// Clipping of the gradient, and Adam.
    pub optimizer: f64,
}

impl Timings {
    /// Adds what a learner has spent since it said `before`.
    pub(super) fn add_loss(&mut self, now: &LossTimings, before: &LossTimings) {
        self.assembly += now.assembly - before.assembly;
        self.forward += now.forward - before.forward;
        self.terms += now.terms - before.terms;
        self.backward += now.backward - before.backward;
    }

    /// The parts by name, as shares of the whole; what no part accounts for is the rest.
    #[must_use]
    pub fn shares(&self) -> [(&'static str, f64); 8] {
        let parts = [
            ("rollout", self.rollout),
            ("advantages", self.advantages),
            ("assembly", self.assembly),
            ("forward", self.forward),
            ("loss", self.terms),
            ("backward", self.backward),
            ("optimizer", self.optimizer),
        ];
        let known: f64 = parts.iter().map(|part| part.1).sum();
        let mut shares = [("rest", self.total - known); 8];
        shares[..7].copy_from_slice(&parts);
        shares.map(|(name, seconds)| (name, if self.total > 0.0 { seconds / self.total } else { 0.0 }))
    }
}

/// A clock that is read at the end of each part.
#[derive(Debug)]
pub(super) struct Lap(Instant);

impl Lap {
    pub(super) fn start() -> Lap {
        Lap(Instant::now())
    }

    /// Adds the seconds since the start or the last reading to `part`.
    pub(super) fn to(&mut self, part: &mut f64) {
        let now = Instant::now();
        *part += (now - self.0).as_secs_f64();
        self.0 = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_and_the_rest_is_what_is_left() {
        let timings = Timings {
            total: 8.0,
            rollout: 1.0,
            advantages: 0.5,
            assembly: 0.25,
            forward: 2.0,
            terms: 0.25,
            backward: 3.0,
            optimizer: 0.5,
        };
        let shares = timings.shares();
        assert_eq!(
            shares.map(|share| share.1),
            [0.125, 0.0625, 0.03125, 0.25, 0.03125, 0.375, 0.0625, 0.0625]
        );
        assert_eq!(shares.map(|share| share.0)[7], "rest");
        assert_eq!(shares.iter().map(|share| share.1).sum::<f64>(), 1.0);
        assert!(Timings::default().shares().iter().all(|share| share.1 == 0.0));
    }

    /// What is read goes to the part that it is read for, and no time counts twice.
    #[test]
    fn laps_add_up() {
        let start = Instant::now();
        let mut lap = Lap::start();
        let (mut first, mut second) = (0.0, 0.0);
        std::thread::sleep(std::time::Duration::from_millis(20));
        lap.to(&mut first);
        lap.to(&mut second);
        lap.to(&mut second);
        assert!(first >= 0.02);
        assert!(first + second <= start.elapsed().as_secs_f64());
    }
}
