//! The terms of the kernel, their loss and its gradients (RULES section 3).
//!
//! Sums run in f64, in order, so that f32 loses only what its elements lose.

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// How much each term counts in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE", deny_unknown_fields)]
pub struct Weights {
    /// Of `gap_R`, the mean squared error.
    pub r: f64,
    /// Of the flow.
    pub f: f64,
    /// Of `gap_S`, the distance from the structure's period.
    pub s: f64,
    /// Of the tension, which is taken away.
    pub t: f64,
}

/// What the loss is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelConfig {
    /// Weights of the terms; the defaults are R 1, F 0.4, S 0.3, T 0.3.
    pub weights: Weights,
    /// Scale of the noise on the inputs, above 0 (0.01).
    pub eps: f64,
    /// Distance between two outputs that `gap_S` does not tell apart, above 0 (3).
    pub period: f64,
}

impl Default for KernelConfig {
    fn default() -> KernelConfig {
        KernelConfig { weights: Weights { r: 1.0, f: 0.4, s: 0.3, t: 0.3 }, eps: 0.01, period: 3.0 }
    }
}

/// The outputs of a network for one batch and their targets, n numbers each.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a, R> {
    /// `[n]`: f(x), with dropout where training has it.
    pub output: &'a [R],
    /// `[n]`: f(x) without dropout, from which the flow starts; the same as `output` where there is none.
    pub still: &'a [R],
    /// `[K, n]`: f(x + eps noise) for K draws of the noise, without dropout; empty for no flow.
    pub perturbed: &'a [R],
    /// `[n]`: y.
    pub target: &'a [R],
}

/// The terms of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// mean((f(x) - y)^2)
    pub gap_r: f64,
    /// See [`flow`].
    pub flow: f64,
    /// mean(1 - cos(2 pi f(x) / period)), in [0, 2]
    pub gap_s: f64,
    /// tanh(`gap_R`) tanh(`gap_S`), in [0, 1)
    pub tension: f64,
    /// wR `gap_R` + wF flow + wS `gap_S` - wT tension
    pub loss: f64,
}

/// The derivatives of the loss by each of [`Outputs`], laid out as these are.
///
/// Where `still` is `output` itself, the derivative by f(x) is the sum of the two.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // named as what they derive by
pub struct Gradients<R> {
    pub output: Vec<R>,
    pub still: Vec<R>,
    pub perturbed: Vec<R>,
}

/// Mean squared error of `[n]` outputs: mean((f(x) - y)^2). 0 where n is 0.
///
/// # Panics
/// If the lengths differ.
pub fn gap_r<R: Real>(output: &[R], target: &[R]) -> f64 {
    assert_eq!(output.len(), target.len(), "outputs and targets");
    let squares = output.iter().zip(target).map(|(&f, &y)| {
        let error = (f - y).to_f64();
        error * error
    });
    squares.sum::<f64>() / output.len().max(1) as f64
}

/// Distance of `[n]` outputs from multiples of `period`: mean(1 - cos(2 pi f(x) / period)). 0 where n is 0.
pub fn gap_s<R: Real>(output: &[R], period: f64) -> f64 {
    let period = R::from_f64(period);
    let gaps = output.iter().map(|&f| 1.0 - (f / period).sin_cos_turns().1.to_f64());
    gaps.sum::<f64>() / output.len().max(1) as f64
}

/// tanh(`gap_R`) tanh(`gap_S`): large where the network is both wrong and between two periods.
pub fn tension<R: Real>(gap_r: f64, gap_s: f64) -> f64 {
    let tanh = |x: f64| R::from_f64(x).tanh().to_f64();
    tanh(gap_r) * tanh(gap_s)
}

/// How much outputs change when inputs are perturbed: mean((f(x + eps noise) - f(x))^2) / eps^2 over the
/// `[n]` outputs and K draws of the noise, `[K, n]`. 0 where K or n is 0.
///
/// With noise ~ N(0, I) and eps -> 0 one row's expectation is |J|^2 / O, with |J|^2 the squared Frobenius
/// norm of the Jacobian of the row's O outputs by its inputs, for E |J noise|^2 = |J|^2. As a term of
/// a loss it is the Jacobian regulariser of Hoffman, Roberts and Yaida ("Robust Learning with Jacobian
/// Regularization", 2019), estimated by finite differences, as the spatial smoothness of CAPS is (Mysore
/// et al., "Regularizing Action Policies for Smooth Control", ICRA 2021). It measures a slope, no more.
///
/// # Panics
/// If `perturbed` has not a multiple of n numbers.
pub fn flow<R: Real>(still: &[R], perturbed: &[R], eps: f64) -> f64 {
    if still.is_empty() || perturbed.is_empty() {
        return 0.0;
    }
    assert!(perturbed.len().is_multiple_of(still.len()), "whole draws of the noise");
    let squares = perturbed.chunks_exact(still.len()).flat_map(|draw| draw.iter().zip(still)).map(
        |(&moved, &still)| {
            let change = (moved - still).to_f64();
            change * change
        },
    );
    squares.sum::<f64>() / (perturbed.len() as f64 * eps * eps)
}

/// All terms, and the gradient of the loss in `gradients`, whose arrays are resized and overwritten.
///
/// # Panics
/// If the lengths are not those of [`Outputs`].
pub fn kernel<R: Real>(
    outputs: &Outputs<'_, R>,
    config: &KernelConfig,
    gradients: &mut Gradients<R>,
) -> Terms {
    let Outputs { output, still, perturbed, target } = *outputs;
    assert_eq!(output.len(), still.len(), "outputs with and without dropout");
    let weights = &config.weights;
    let mut terms = Terms {
        gap_r: gap_r(output, target),
        flow: flow(still, perturbed, config.eps),
        gap_s: gap_s(output, config.period),
        ..Terms::default()
    };
    terms.tension = tension::<R>(terms.gap_r, terms.gap_s);
    terms.loss = weights.r * terms.gap_r + weights.f * terms.flow + weights.s * terms.gap_s
        - weights.t * terms.tension;
    gap_gradient(output, target, config, &terms, &mut gradients.output);
    flow_gradient(still, perturbed, config, gradients);
    terms
}

/// The derivative of wR `gap_R` + wS `gap_S` - wT tension by each output.
fn gap_gradient<R: Real>(
    output: &[R],
    target: &[R],
    config: &KernelConfig,
    terms: &Terms,
    gradient: &mut Vec<R>,
) {
    let weights = &config.weights;
    let n = output.len().max(1) as f64;
    let [tanh_r, tanh_s] = [terms.gap_r, terms.gap_s].map(|gap| R::from_f64(gap).tanh().to_f64());
    // tanh' = 1 - tanh^2; each gap also moves the tension.
    let by_gap_r = weights.r - weights.t * (1.0 - tanh_r * tanh_r) * tanh_s;
    let by_gap_s = weights.s - weights.t * tanh_r * (1.0 - tanh_s * tanh_s);
    let error_scale = R::from_f64(2.0 * by_gap_r / n);
    let sin_scale = R::from_f64(by_gap_s * std::f64::consts::TAU / (config.period * n));
    let period = R::from_f64(config.period);
    let derivatives = output
        .iter()
        .zip(target)
        .map(|(&f, &y)| error_scale * (f - y) + sin_scale * (f / period).sin_cos_turns().0);
    gradient.clear();
    gradient.extend(derivatives);
}

/// The derivative of wF flow by both ends of each difference.
fn flow_gradient<R: Real>(still: &[R], perturbed: &[R], config: &KernelConfig, gradients: &mut Gradients<R>) {
    gradients.perturbed.clear();
    gradients.still.clear();
    gradients.still.resize(still.len(), R::default());
    let count = perturbed.len().max(1) as f64;
    let scale = R::from_f64(2.0 * config.weights.f / (count * config.eps * config.eps));
    for draw in perturbed.chunks_exact(still.len().max(1)) {
        for i in 0..still.len() {
            let derivative = scale * (draw[i] - still[i]);
            gradients.perturbed.push(derivative);
            gradients.still[i] += -derivative;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mlp::{Activation, Init, Mlp, Pass};
    use resonetics_numerics::stream::{Domain, Key};

    /// n outputs, targets and K draws, not near each other's bounds.
    fn data(n: usize, draws: usize) -> [Vec<f64>; 4] {
        let key = Key::new(5, Domain::Training, 0);
        let normal =
            |tag: u32, i: usize, scale: f64| scale * f64::from(key.derive(tag, 0).normals(0, i as u32).0[0]);
        let still: Vec<f64> = (0..n).map(|i| normal(0, i, 1.0)).collect();
        let output = (0..n).map(|i| still[i] + normal(1, i, 0.2)).collect();
        let target = (0..n).map(|i| normal(2, i, 1.0)).collect();
        let perturbed = (0..n * draws).map(|i| still[i % n] + normal(3, i, 0.03)).collect();
        [output, still, perturbed, target]
    }

    fn config() -> KernelConfig {
        KernelConfig { weights: Weights { r: 0.7, f: 0.2, s: 0.5, t: 0.9 }, eps: 0.03, period: 2.0 }
    }

    fn loss_of(data: &[Vec<f64>; 4]) -> (Terms, Gradients<f64>) {
        let [output, still, perturbed, target] = data;
        let mut gradients = Gradients::default();
        (kernel(&Outputs { output, still, perturbed, target }, &config(), &mut gradients), gradients)
    }

    /// Worked out by hand: errors 1 and 2, outputs at 1/4 and 1/2 of a period, steps of 0.1 and 0.3.
    #[test]
    fn terms_by_hand() {
        let config =
            KernelConfig { weights: Weights { r: 2.0, f: 0.5, s: 3.0, t: 4.0 }, eps: 0.1, period: 4.0 };
        let mut gradients = Gradients::default();
        let outputs = Outputs::<f64> {
            output: &[1.0, 2.0],
            still: &[1.0, 2.0],
            perturbed: &[1.1, 1.7],
            target: &[0.0, 0.0],
        };
        let terms = kernel(&outputs, &config, &mut gradients);
        let near =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        near(terms.gap_r, 2.5);
        near(terms.flow, 0.1 / 2.0 / 0.01);
        near(terms.gap_s, 1.5);
        // tanh 2.5 and tanh 1.5 from a table.
        near(terms.tension, 0.986_614_298_151_430_3 * 0.905_148_253_644_866_4);
        near(terms.loss, 2.0 * 2.5 + 0.5 * 5.0 + 3.0 * 1.5 - 4.0 * terms.tension);
        near(gradients.perturbed[0], 0.5 * 2.0 * 0.1 / (2.0 * 0.01));
        near(gradients.still[1], 0.5 * 2.0 * 0.3 / (2.0 * 0.01));
    }

    #[test]
    fn gradients_are_the_central_differences_of_the_loss() {
        let at = data(6, 3);
        let (_, gradients) = loss_of(&at);
        let found = [&gradients.output, &gradients.still, &gradients.perturbed];
        for (which, gradient) in found.into_iter().enumerate() {
            assert_eq!(gradient.len(), at[which].len());
            for i in 0..gradient.len() {
                let moved = |by: f64| {
                    let mut moved = at.clone();
                    moved[which][i] += by;
                    loss_of(&moved).0.loss
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let scale = gradient[i].abs().max(1.0);
                assert!((gradient[i] - difference).abs() < 1e-7 * scale, "{which} {i}: {difference}");
            }
        }
    }

    #[test]
    fn f32_agrees_with_f64() {
        let at = data(200, 4);
        let (wide, wide_gradients) = loss_of(&at);
        let [output, still, perturbed, target] =
            at.map(|numbers| numbers.into_iter().map(|x| x as f32).collect::<Vec<f32>>());
        let outputs = Outputs { output: &output, still: &still, perturbed: &perturbed, target: &target };
        let mut gradients = Gradients::default();
        let terms = kernel(&outputs, &config(), &mut gradients);
        let pairs = [
            (terms.gap_r, wide.gap_r),
            (terms.flow, wide.flow),
            (terms.gap_s, wide.gap_s),
            (terms.tension, wide.tension),
            (terms.loss, wide.loss),
        ];
        for (found, expected) in pairs {
            assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
        }
        let found = [gradients.output, gradients.still, gradients.perturbed].concat();
        let expected = [wide_gradients.output, wide_gradients.still, wide_gradients.perturbed].concat();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found}, {expected}");
        }
    }

    #[test]
    fn no_noise_is_no_flow_and_nothing_is_no_loss() {
        let mut gradients = Gradients::default();
        let outputs = Outputs::<f32> { output: &[1.0], still: &[1.0], perturbed: &[], target: &[0.0] };
        let terms = kernel(&outputs, &KernelConfig::default(), &mut gradients);
        assert_eq!((terms.flow, &gradients.still[..], &gradients.perturbed[..]), (0.0, &[0.0][..], &[][..]));
        let outputs = Outputs::<f32> { output: &[], still: &[], perturbed: &[], target: &[] };
        assert_eq!(kernel(&outputs, &KernelConfig::default(), &mut gradients), Terms::default());
    }

    #[test]
    fn what_is_not_finite_shows_in_the_loss() {
        for bad in [f32::NAN, f32::INFINITY] {
            let outputs = Outputs { output: &[bad], still: &[bad], perturbed: &[1.0], target: &[0.0] };
            let mut gradients = Gradients::default();
            let terms = kernel(&outputs, &KernelConfig::default(), &mut gradients);
            assert!(!terms.loss.is_finite() && !gradients.output[0].is_finite());
        }
    }

    /// |J noise|^2 / O has the expectation |J|^2 / O: a net of 3 inputs and 2 outputs, its Jacobian by
    /// backward passes, and 20,000 draws. The bound is five standard errors of the mean over the
    /// draws, and what eps leaves of the curvature.
    #[test]
    fn flow_estimates_the_squared_jacobian() {
        let net = Mlp { widths: vec![3, 8, 2], activation: Activation::Tanh, sigmoid: false };
        let parameters: Vec<f64> = net
            .init(Init::Torch, Key::new(3, Domain::Weights, 0))
            .iter()
            .map(|&w| 2.0 * f64::from(w))
            .collect();
        let x = [0.3, -0.8, 0.5];
        let mut pass = Pass::default();
        let still = net.forward(&parameters, &x, &[], &mut pass).to_vec();
        let mut squared = 0.0;
        for output in 0..2 {
            let mut seed = [0.0; 2];
            seed[output] = 1.0;
            let mut unused = vec![0.0; parameters.len()];
            let row = net.backward(&parameters, &mut pass, &seed, &mut unused);
            squared += row.iter().map(|derivative| derivative * derivative).sum::<f64>();
        }
        let (eps, draws) = (1e-4, 20_000);
        let key = Key::new(4, Domain::Training, 0);
        let estimates: Vec<f64> = (0..draws)
            .map(|draw| {
                let noise = key.normals(draw, 0).0;
                let moved: Vec<f64> = (0..3).map(|i| x[i] + eps * f64::from(noise[i])).collect();
                let perturbed = net.forward(&parameters, &moved, &[], &mut pass);
                flow(&still, perturbed, eps)
            })
            .collect();
        let n = estimates.len() as f64;
        let mean = estimates.iter().sum::<f64>() / n;
        let variance = estimates.iter().map(|flow| (flow - mean) * (flow - mean)).sum::<f64>() / (n - 1.0);
        let bound = 5.0 * (variance / n).sqrt() + 10.0 * eps * squared;
        assert!(bound < 0.1 * squared, "too wide to tell: {bound}");
        assert!((mean - squared / 2.0).abs() < bound, "{mean}, {}, bound {bound}", squared / 2.0);
    }
}
