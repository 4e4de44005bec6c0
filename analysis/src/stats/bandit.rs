//! Which of several values of a setting is best, tried one block at a time, the promising ones more often (Thompson
//! 1933, "On the likelihood that one unknown probability exceeds another in view of the evidence of two samples";
//! Russo et al. 2018, "A tutorial on Thompson sampling").
//!
//! The reward of a pull is what a block with the arm's value was better by than the control block beside it, so that
//! a trend of the system is credited to no arm. Neither the mean nor the noise of an arm is known: with the
//! prior normal-inverse-gamma (m, k, a, b) a reward x makes it ((k m + x) / (k + 1), k + 1, a + 1/2,
//! b + k (x - m)² / (2 (k + 1))), and the mean has Student's t with 2a degrees of freedom about m, of scale
//! sqrt(b / (a k)) (Murphy 2007, "Conjugate Bayesian analysis of the Gaussian distribution", section 6).
//!
//! Whoever pulls a few times always finds some arm ahead. Here an arm is called best only if it is so by more than a
//! margin, at a given probability, with a least number of rewards for each; if it does not matter which is taken, or the
//! budget is spent, no difference was found.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

use super::draws::{Drawn, Draws};

/// Points on either side of the arm ahead at which the distributions of all are looked at, and how far apart they are
/// where x = location + scale sinh(y): the last is 80,000 scales out.
const POINTS: i32 = 200;
const APART: f64 = 0.06;

/// What is known of an arm's rewards: a normal-inverse-gamma distribution of their mean and variance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalInverseGamma {
    /// Where the mean is expected, in units of reward.
    pub mean: f64,
    /// How many rewards that expectation is worth, above 0.
    pub strength: f64,
    /// Half of how many squared deviations the expected variance is worth, above 0; at least 1/2 to be drawn from.
    pub shape: f64,
    /// Half of their sum, above 0, in squared units.
    pub scale: f64,
}

/// When an arm is called best, and when pulling ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Rewards that each arm must have given, at least 1.
    pub least: usize,
    /// Pulls in all, those without a reward among them.
    pub budget: usize,
    /// By how much the best arm must be better than any other, in units of reward.
    pub margin: f64,
    /// How probable that must be.
    pub certainty: f64,
    /// Where the expected loss of every arm is below this, in units of reward, it does not matter which is taken. (Of
    /// the arm ahead alone it would say so of one that is nearly proven to be best: its loss is small before its
    /// certainty is there.)
    pub loss: f64,
}

/// One pull.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pull {
    /// Number of the arm, from 0.
    pub arm: usize,
    /// The means that were drawn for all arms; the highest was pulled, unless an arm lacked rewards.
    pub drawn: Vec<f64>,
    /// `None` where the block gave none: it says nothing of the arm.
    pub reward: Option<f64>,
}

/// A bandit with everything that it rests on: what it does next follows from this alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandit {
    /// Of all that is drawn.
    pub seed: u64,
    /// How many arms there are.
    pub arms: usize,
    /// What is known of each arm before the first pull.
    pub prior: NormalInverseGamma,
    /// When it ends.
    pub rules: Rules,
    /// In their order in time.
    pub pulls: Vec<Pull>,
}

/// How arms compare so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// What is known of each arm.
    pub arms: Vec<NormalInverseGamma>,
    /// Rewards of each arm.
    pub rewards: Vec<usize>,
    /// The arm with the highest expected mean.
    pub ahead: usize,
    /// The probability that it is better than each other arm by more than the margin.
    pub p_best: f64,
    /// By how much the best arm is expected to be better than each, in units of reward, at least 0.
    pub expected_losses: Vec<f64>,
}

/// What has been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Pulling goes on.
    Open,
    /// This arm is best.
    Best(usize),
    /// No arm is better than the others by what would matter, or none could be shown to be.
    NoDifference,
}

impl Default for NormalInverseGamma {
    /// A mean near 0, which is worth a hundredth of a reward, and noise of some hundredths, worth one squared deviation.
    fn default() -> Self {
        NormalInverseGamma { mean: 0.0, strength: 0.01, shape: 0.5, scale: 0.0006 }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Rules { least: 5, budget: 30, margin: 0.005, certainty: 0.95, loss: 0.001 }
    }
}

impl NormalInverseGamma {
    /// What is known after one more reward, which must be finite.
    #[must_use]
    pub fn after(self, reward: f64) -> NormalInverseGamma {
        let strength = self.strength + 1.0;
        let off = reward - self.mean;
        NormalInverseGamma {
            mean: self.mean + off / strength,
            strength,
            shape: self.shape + 0.5,
            scale: self.scale + self.strength * off * off / (2.0 * strength),
        }
    }

    /// Location, scale and degrees of freedom of Student's t, which the mean has.
    pub fn student(&self) -> (f64, f64, f64) {
        (self.mean, (self.scale / (self.shape * self.strength)).sqrt(), 2.0 * self.shape)
    }

    /// The probability that the mean is at most `x`; `None` for numbers out of range.
    pub fn cdf(&self, x: f64) -> Option<f64> {
        let (location, scale, freedom) = self.student();
        Some(StudentsT::new(location, scale, freedom).ok()?.cdf(x))
    }

    /// A mean: first its variance, then itself.
    fn draw(&self, draws: &mut Draws) -> f64 {
        let variance = self.scale / draws.gamma(self.shape);
        self.mean + (variance / self.strength).sqrt() * draws.normal()
    }

    fn is_valid(&self) -> bool {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        self.mean.is_finite() && positive(self.strength) && self.shape >= 0.5 && positive(self.scale)
    }
}

/// The probability that the arm `ahead` is better than all others by more than `margin`, and by how much the best is
/// expected to be better than it: the integrals of f(x) G(x - margin) and of F(x) (1 - G(x)) over x, where f and F are
/// density and distribution function of its mean, and G is that of the highest of the others, by the trapezoid rule.
/// Right to 1e-6 where the arms' scales are alike, to 1% where they differ a hundredfold. `None` for numbers out of range.
fn compared(arms: &[NormalInverseGamma], ahead: usize, margin: f64) -> Option<(f64, f64)> {
    let students: Vec<StudentsT> = arms
        .iter()
        .map(|arm| {
            let (location, scale, freedom) = arm.student();
            StudentsT::new(location, scale, freedom).ok()
        })
        .collect::<Option<_>>()?;
    let others_below = |x: f64| -> f64 {
        students.iter().enumerate().filter(|(arm, _)| *arm != ahead).map(|(_, other)| other.cdf(x)).product()
    };
    let (location, scale, _) = arms[ahead].student();
    let (mut p_best, mut loss) = (0.0, 0.0);
    for point in -POINTS..=POINTS {
        let y = APART * f64::from(point);
        let x = location + scale * y.sinh();
        let width = APART * scale * y.cosh();
        p_best += width * students[ahead].pdf(x) * others_below(x - margin);
        loss += width * students[ahead].cdf(x) * (1.0 - others_below(x));
    }
    Some((p_best, loss))
}

impl Bandit {
    /// One that has not begun. `None` for fewer than two arms, or a prior or rules out of range.
    pub fn new(seed: u64, arms: usize, prior: NormalInverseGamma, rules: Rules) -> Option<Bandit> {
        let bandit = Bandit { seed, arms, prior, rules, pulls: Vec::new() };
        bandit.is_valid().then_some(bandit)
    }

    /// Whether this is a state that pulling can have led to: numbers within range, and each arm pulled the one that
    /// the draws before it chose. A state that was read from a file is asked this first.
    pub fn is_valid(&self) -> bool {
        let rules = &self.rules;
        let numbers = rules.least >= 1
            && rules.margin.is_finite()
            && rules.margin >= 0.0
            && rules.loss.is_finite()
            && (0.0..1.0).contains(&rules.certainty);
        let mut replayed = Bandit { pulls: Vec::new(), ..self.clone() };
        let mut repeat = |pull: &Pull| {
            let (arm, drawn) = replayed.choice();
            // Logarithms differ between machines in their last digits.
            let alike = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (a.abs() + b.abs());
            let same = pull.reward.is_none_or(f64::is_finite)
                && arm == pull.arm
                && drawn.len() == pull.drawn.len()
                && drawn.iter().zip(&pull.drawn).all(alike);
            replayed.pulls.push(pull.clone());
            same
        };
        numbers && self.arms >= 2 && self.prior.is_valid() && self.pulls.iter().all(&mut repeat)
    }

    /// The arm to pull next; `None` where there is a verdict.
    pub fn next_arm(&self) -> Option<usize> {
        (self.verdict() == Verdict::Open).then(|| self.choice().0)
    }

    /// Writes down what the arm of [`Bandit::next_arm`] gave; a reward that is not finite counts as missing. Does nothing
    /// where the budget is spent.
    pub fn record(&mut self, reward: Option<f64>) {
        if self.pulls.len() < self.rules.budget {
            let (arm, drawn) = self.choice();
            self.pulls.push(Pull { arm, drawn, reward: reward.filter(|reward| reward.is_finite()) });
        }
    }

    /// What the next pull draws and chooses: the arm with the fewest rewards, the first of several, while one lacks
    /// some; then that with the highest draw.
    fn choice(&self) -> (usize, Vec<f64>) {
        let mut draws = Drawn::Choices.stream(self.seed, self.pulls.len() as u64);
        let drawn: Vec<f64> = self.known().iter().map(|arm| arm.draw(&mut draws)).collect();
        let rewards = self.rewards();
        let fewest = (0..self.arms).min_by_key(|&arm| rewards[arm]).unwrap_or(0);
        let highest = (0..self.arms).max_by(|&a, &b| drawn[a].total_cmp(&drawn[b])).unwrap_or(0);
        let arm = if rewards[fewest] < self.rules.least { fewest } else { highest };
        (arm, drawn)
    }

    /// What is known of each arm.
    fn known(&self) -> Vec<NormalInverseGamma> {
        let mut known = vec![self.prior; self.arms];
        for pull in &self.pulls {
            if let (Some(arm), Some(reward)) = (known.get_mut(pull.arm), pull.reward) {
                *arm = arm.after(reward);
            }
        }
        known
    }

    /// How many rewards each arm gave.
    fn rewards(&self) -> Vec<usize> {
        let of = |arm| self.pulls.iter().filter(|pull| pull.arm == arm && pull.reward.is_some()).count();
        (0..self.arms).map(of).collect()
    }

    /// How the arms compare.
    pub fn standing(&self) -> Standing {
        let arms = self.known();
        let ahead = (0..self.arms).max_by(|&a, &b| arms[a].mean.total_cmp(&arms[b].mean)).unwrap_or(0);
        // Numbers out of range prove nothing of any arm.
        let (p_best, loss) = compared(&arms, ahead, self.rules.margin).unwrap_or((0.0, f64::INFINITY));
        let behind = |arm: &NormalInverseGamma| arms[ahead].mean - arm.mean;
        let expected_losses = arms.iter().map(|arm| loss + behind(arm)).collect();
        Standing { rewards: self.rewards(), ahead, p_best, expected_losses, arms }
    }

    /// What has been found so far.
    pub fn verdict(&self) -> Verdict {
        let spent = self.pulls.len() >= self.rules.budget;
        if self.rewards().iter().any(|&rewards| rewards < self.rules.least) {
            return if spent { Verdict::NoDifference } else { Verdict::Open };
        }
        let standing = self.standing();
        if standing.p_best >= self.rules.certainty {
            Verdict::Best(standing.ahead)
        } else if spent || standing.expected_losses.iter().all(|&loss| loss < self.rules.loss) {
            Verdict::NoDifference
        } else {
            Verdict::Open
        }
    }

    /// What all pulls together gave less than the best arm would have, where the arms' true means are known; at least
    /// 0. `None` where `means` are not as many as the arms, or not finite.
    pub fn regret(&self, means: &[f64]) -> Option<f64> {
        if means.len() != self.arms || !means.iter().all(|mean| mean.is_finite()) {
            return None;
        }
        let best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.pulls.iter().map(|pull| Some(best - means.get(pull.arm)?)).sum()
    }
}

#[cfg(test)]
mod tests;
