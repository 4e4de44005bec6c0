//! Adam (Kingma, Ba 2015) on one flat array, and the clipping of a gradient's norm.

use resonetics_numerics::cpu::{CpuPath, Work};
use resonetics_numerics::math::{LANES, flush, flush_square};
use serde::{Deserialize, Serialize};

/// Adam's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamConfig {
    /// Decay of the first moment, in [0, 1) (0.9).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1) (0.999).
    pub beta2: f64,
    /// Added to the root of the second moment (1e-8).
    pub eps: f64,
    /// Added to the gradient, times the parameter: an L2 penalty, not the decoupled decay of `AdamW` (0).
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> AdamConfig {
        AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// The optimizer's state: all of it, so that a saved one goes on as if nothing had happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Its constants.
    pub config: AdamConfig,
    /// `[n]`: first moments.
    pub m: Vec<f32>,
    /// `[n]`: second moments.
    pub v: Vec<f32>,
    /// Steps taken.
    pub steps: u64,
}

impl Adam {
    /// For `parameters` parameters, before the first step.
    pub fn new(parameters: usize, config: AdamConfig) -> Adam {
        Adam { config, m: vec![0.0; parameters], v: vec![0.0; parameters], steps: 0 }
    }

    /// Moves `[n]` parameters against their gradient, in the order of operations of torch.optim.Adam:
    ///
    /// g = gradient + `weight_decay` p; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    /// p -= `learning_rate` / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps).
    ///
    /// # Panics
    /// If there are not n parameters and n derivatives.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], learning_rate: f64) {
        assert_eq!(parameters.len(), self.m.len(), "parameters");
        assert_eq!(gradient.len(), self.m.len(), "gradient");
        self.steps += 1;
        let AdamConfig { beta1, beta2, eps, weight_decay } = self.config;
        let correction = |beta: f64| 1.0 - power(beta, self.steps);
        CpuPath::dispatch(Update {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            eps: eps as f32,
            weight_decay: weight_decay as f32,
            rate: flush((learning_rate / correction(beta1)) as f32),
            root: correction(beta2).sqrt() as f32,
            parameters,
            gradient,
            m: &mut self.m,
            v: &mut self.v,
        });
    }
}

/// `base`^`exponent` by squaring: multiplications in one order, where `powi` leaves its own open.
fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

/// One step; `rest1` and `rest2` are 1 - beta, `root` the root of the second moment's correction.
struct Update<'a> {
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    eps: f32,
    weight_decay: f32,
    rate: f32,
    root: f32,
    parameters: &'a mut [f32],
    gradient: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

impl Work for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.parameters.len();
        let (gradient, m, v) = (&self.gradient[..n], &mut self.m[..n], &mut self.v[..n]);
        for i in 0..n {
            let p = self.parameters[i];
            let g = flush(gradient[i] + self.weight_decay * p);
            m[i] = flush(self.beta1 * m[i] + self.rest1 * g);
            v[i] = flush_square(self.beta2 * v[i] + self.rest2 * (g * g));
            self.parameters[i] = p - self.rate * (m[i] / (v[i].sqrt() / self.root + self.eps));
        }
    }
}

/// Scales a gradient so that its Euclidean norm is at most `max_norm`, above 0, and yields the norm before:
/// by `max_norm` / (norm + 1e-6) where that is below 1, as torch's `clip_grad_norm_` does.
///
/// A gradient that holds NaN stays, and the norm is NaN; one with infinities becomes NaN.
pub fn clip_norm(gradient: &mut [f32], max_norm: f64) -> f64 {
    let norm = norm(gradient);
    clip(gradient, norm, max_norm);
    norm
}

/// The Euclidean norm of a gradient.
pub fn norm(gradient: &[f32]) -> f64 {
    CpuPath::dispatch(SquaredNorm(gradient)).sqrt()
}

/// What [`clip_norm`] does, for a gradient whose `norm` is known.
pub fn clip(gradient: &mut [f32], norm: f64, max_norm: f64) {
    let scale = max_norm / (norm + 1e-6);
    if scale < 1.0 {
        CpuPath::dispatch(Scale { gradient, scale: scale as f32 });
    }
}

/// The sum of squares in f64, [`LANES`] sums side by side and then their sum in order.
struct SquaredNorm<'a>(&'a [f32]);

impl Work for SquaredNorm<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0.0_f64; LANES];
        let whole = self.0.chunks_exact(LANES);
        let rest = whole.remainder();
        for chunk in whole {
            for i in 0..LANES {
                sums[i] += f64::from(chunk[i]) * f64::from(chunk[i]);
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum += f64::from(x) * f64::from(x);
        }
        let mut total = 0.0;
        for sum in sums {
            total += sum;
        }
        total
    }
}

struct Scale<'a> {
    gradient: &'a mut [f32],
    scale: f32,
}

impl Work for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for derivative in self.gradient {
            *derivative = flush(*derivative * self.scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resonetics_numerics::stream::{Domain, Key};

    fn numbers(n: usize, tag: u32) -> Vec<f32> {
        let key = Key::new(2, Domain::Training, 0).derive(tag, 0);
        (0..n).map(|i| key.normals(0, i as u32).0[0]).collect()
    }

    /// Worked out by hand: whatever the gradient, the first step is the learning rate, and a second one
    /// with gradient -g of half the first's size has m = 0.9*0.1 - 0.1*0.5 and v = 0.5*0.5 + 0.5*0.25.
    #[test]
    fn two_steps_by_hand() {
        let config = AdamConfig { beta1: 0.9, beta2: 0.5, eps: 0.0, weight_decay: 0.0 };
        let mut adam = Adam::new(2, config);
        let mut p = [1.0, -1.0];
        adam.step(&mut p, &[2.0, -4.0], 0.1);
        assert!((p[0] - 0.9).abs() < 1e-6 && (p[1] + 0.9).abs() < 1e-6, "{p:?}");
        adam.step(&mut p, &[-1.0, 2.0], 0.1);
        // m = 0.9 * 0.2 - 0.1 = 0.08, over 1 - 0.81; v = 0.5 * 2 + 0.5 = 1.5, over 0.75.
        let step = 0.1 * (0.08 / 0.19) / 2.0_f32.sqrt();
        assert!((p[0] - (0.9 - step)).abs() < 1e-6 && (p[1] + 0.9 - step).abs() < 1e-6, "{p:?}");
    }

    /// The textbook form in f64, with corrections by running products.
    #[test]
    fn steps_agree_with_an_oracle_in_f64() {
        let config = AdamConfig { beta1: 0.9, beta2: 0.999, eps: 1e-5, weight_decay: 0.02 };
        let n = 37;
        let mut adam = Adam::new(n, config);
        let mut p = numbers(n, 0);
        let mut wide: Vec<f64> = p.iter().map(|&p| p.into()).collect();
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let (mut beta1_t, mut beta2_t) = (1.0, 1.0);
        for t in 0..300 {
            let gradient = numbers(n, 1 + t);
            let learning_rate = 0.01 / (1.0 + f64::from(t) / 100.0);
            adam.step(&mut p, &gradient, learning_rate);
            beta1_t *= 0.9;
            beta2_t *= 0.999;
            for i in 0..n {
                let g = f64::from(gradient[i]) + 0.02 * wide[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m, v) = (m[i] / (1.0 - beta1_t), v[i] / (1.0 - beta2_t));
                wide[i] -= learning_rate * m / (v.sqrt() + 1e-5);
                assert!((f64::from(p[i]) - wide[i]).abs() < 1e-5, "step {t}: {}, {}", p[i], wide[i]);
            }
        }
        assert_eq!(adam.steps, 300);
    }

    #[test]
    fn a_saved_optimizer_goes_on() {
        let mut adam = Adam::new(20, AdamConfig { weight_decay: 0.1, ..AdamConfig::default() });
        let mut p = numbers(20, 0);
        adam.step(&mut p, &numbers(20, 1), 0.1);
        let mut copy: Adam = serde_json::from_str(&serde_json::to_string(&adam).unwrap()).unwrap();
        let mut again = p.clone();
        adam.step(&mut p, &numbers(20, 2), 0.1);
        copy.step(&mut again, &numbers(20, 2), 0.1);
        assert_eq!((copy, again), (adam, p));
    }

    /// Moments that are fed no more, or with next to nothing, come to 0 and pass no subnormal number.
    #[test]
    fn what_fades_is_gone() {
        let mut adam = Adam::new(3, AdamConfig::default());
        let mut p = [1.0; 3];
        adam.step(&mut p, &[1.0, 1e-3, -1e-20], 0.1);
        for step in 0..100_000 {
            let rest = f32::from_bits(step % 0x0080_0000);
            adam.step(&mut p, &[0.0, rest, -rest], 0.1);
            let kept = adam.m.iter().chain(&adam.v);
            assert!(!kept.clone().any(|x| x.is_subnormal()), "step {step}: {adam:?}");
        }
        assert_eq!((adam.m, adam.v), (vec![0.0; 3], vec![0.0; 3]));
        // Squares of gradients that are seen count below what is cut of the gradients.
        let mut adam = Adam::new(1, AdamConfig::default());
        adam.step(&mut p[..1], &[1e-12], 0.1);
        assert!((adam.v[0] - 1e-27).abs() < 1e-32, "{:?}", adam.v);
        let mut steep = [1e-20, 3.0, f32::NAN];
        assert!(clip_norm(&mut steep, 1.0).is_nan() && steep[2].is_nan());
    }

    #[test]
    fn powers_are_products() {
        for (exponent, expected) in [(0, 1.0), (1, 0.5), (10, 1.0 / 1024.0)] {
            assert_eq!(power(0.5, exponent), expected);
        }
        let product = (0..1000).fold(1.0, |product, _| product * 0.999);
        assert!((power(0.999, 1000) - product).abs() < 1e-13);
    }

    #[test]
    fn clipping_by_hand() {
        let mut gradient = [3.0, 0.0, -4.0];
        assert_eq!(clip_norm(&mut gradient, 5.1), 5.0);
        assert_eq!(gradient, [3.0, 0.0, -4.0]);
        assert_eq!(clip_norm(&mut gradient, 0.5), 5.0);
        assert!((gradient[0] - 0.3).abs() < 1e-6 && (gradient[2] + 0.4).abs() < 1e-6, "{gradient:?}");
        assert_eq!(clip_norm(&mut [], 1.0), 0.0);
        assert!(clip_norm(&mut [f32::NAN, 1.0], 1.0).is_nan());
        // Beyond one vector of lanes every number counts once.
        let mut many: Vec<f32> = (1..=53).map(|i| i as f32).collect();
        assert_eq!(clip_norm(&mut many, 1e9), f64::from(53 * 54 * 107 / 6).sqrt());
    }

    /// The only test of this crate that changes the path, which all threads share; results do not depend on it.
    #[test]
    fn every_path_gives_the_same_bits() {
        let n = 1003;
        let mut results = Vec::new();
        for path in CpuPath::available() {
            assert!(path.force());
            let mut adam = Adam::new(n, AdamConfig { weight_decay: 0.01, ..AdamConfig::default() });
            let mut p = numbers(n, 0);
            for t in 1..20 {
                let mut gradient = numbers(n, t);
                let norm = clip_norm(&mut gradient, 1.0);
                assert!(norm > 10.0);
                adam.step(&mut p, &gradient, 0.01);
            }
            results.push((path, p.iter().map(|p| p.to_bits()).collect::<Vec<_>>()));
        }
        assert!(results.windows(2).all(|pair| pair[0].1 == pair[1].1));
    }
}
