//! How a policy's probabilities change with what it sees: the Jacobian of the actor, its size and its largest
//! singular value.

use super::network::{Network, Spaces, Tensor, find};
use super::normalizer::{LIMIT, Normalizer};

/// The actor of networks without a convolution and a memory, with its normaliser, in f64.
#[derive(Clone, Debug)]
pub struct PolicyJacobian {
    /// Weights `[out, in]` and biases.
    layers: Vec<(Vec<f64>, Vec<f64>)>,
    /// `[D]`: mean and 1 / standard deviation of what is seen.
    normalizer: Option<(Vec<f64>, Vec<f64>)>,
}

impl PolicyJacobian {
    /// Of the actor that `tensors` are the parameters of; none for networks with a convolution or a memory.
    ///
    /// # Errors
    /// If a parameter is missing or has another shape than `network` and `spaces` say.
    pub fn new(
        network: &Network,
        spaces: Spaces,
        tensors: &[Tensor],
        normalizer: &Normalizer,
    ) -> Result<Option<PolicyJacobian>, String> {
        if network.conv_channels > 0 || network.memory > 0 {
            return Ok(None);
        }
        // Those of the actor come first.
        let actor: Vec<_> =
            network.parameters(spaces).into_iter().take(2 * network.hidden.len() + 2).collect();
        let wide = |(name, shape): &(String, Vec<usize>)| -> Result<Vec<f64>, String> {
            Ok(find(tensors, name, shape)?.data.iter().map(|&x| f64::from(x)).collect())
        };
        let layers = actor.chunks(2).map(|layer| Ok((wide(&layer[0])?, wide(&layer[1])?)));
        let layers = layers.collect::<Result<_, String>>()?;
        let seen = normalizer.count > 0.0;
        let normalizer =
            seen.then(|| (normalizer.mean.clone(), normalizer.scales().into_iter().map(f64::from).collect()));
        Ok(Some(PolicyJacobian { layers, normalizer }))
    }

    /// The derivatives of the probabilities of all A actions by the D numbers of `observation`, `[A, D]`, in the units
    /// of the observation: the normaliser is a part of the policy. No action is masked.
    #[allow(clippy::disallowed_methods)] // no trajectory depends on it
    pub fn at(&self, observation: &[f32]) -> Vec<f64> {
        let mut x: Vec<f64> = observation.iter().map(|&x| f64::from(x)).collect();
        // The derivative of what enters the first layer by what is seen, 0 beyond the normaliser's cut.
        let mut slopes = vec![1.0; x.len()];
        if let Some((mean, scale)) = &self.normalizer {
            let limit = f64::from(LIMIT);
            for (i, x) in x.iter_mut().enumerate() {
                let normalized = (*x - mean[i]) * scale[i];
                slopes[i] = if normalized.abs() < limit { scale[i] } else { 0.0 };
                *x = normalized.clamp(-limit, limit);
            }
        }
        // Of what enters each layer, by what entered it before tanh.
        let mut all_slopes = vec![slopes];
        for (number, (weight, bias)) in self.layers.iter().enumerate() {
            let sums = weight.chunks_exact(x.len()).zip(bias);
            x = sums.map(|(w, b)| b + w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>()).collect();
            if number + 1 < self.layers.len() {
                for x in &mut x {
                    *x = x.tanh();
                }
                all_slopes.push(x.iter().map(|x| 1.0 - x * x).collect());
            }
        }
        let max = x.iter().copied().fold(f64::MIN, f64::max);
        let exp: Vec<f64> = x.iter().map(|x| (x - max).exp()).collect();
        let sum: f64 = exp.iter().sum();
        let p: Vec<f64> = exp.iter().map(|exp| exp / sum).collect();
        // d p_i / d logit_j, and then by what enters each layer, from the last to the first.
        let n = p.len();
        let mut rows: Vec<f64> =
            (0..n * n).map(|at| p[at / n] * (if at / n == at % n { 1.0 } else { 0.0 } - p[at % n])).collect();
        for ((weight, bias), slopes) in self.layers.iter().zip(&all_slopes).rev() {
            let inputs = slopes.len();
            let mut next = vec![0.0; n * inputs];
            for (row, next) in rows.chunks_exact(bias.len()).zip(next.chunks_exact_mut(inputs)) {
                for (d, weight) in row.iter().zip(weight.chunks_exact(inputs)) {
                    next.iter_mut().zip(weight).for_each(|(next, w)| *next += d * w);
                }
                next.iter_mut().zip(slopes).for_each(|(next, slope)| *next *= slope);
            }
            rows = next;
        }
        rows
    }
}

/// The Frobenius norm of a matrix.
pub fn frobenius(matrix: &[f64]) -> f64 {
    matrix.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The largest singular value of a matrix of `rows` rows, row-major, to 1e-5 of itself; 0 of one without numbers.
///
/// The root of the largest eigenvalue of M M^T. Its powers, each the square of the one before, turn toward the
/// eigenvectors of that eigenvalue alone; what is left of another one after 2^20 factors is within the error.
pub fn largest_singular(matrix: &[f64], rows: usize) -> f64 {
    let columns = matrix.len() / rows.max(1);
    let trace_of_product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |i: usize| &matrix[i * columns..][..columns];
    let square: Vec<f64> =
        (0..rows * rows).map(|at| trace_of_product(row(at / rows), row(at % rows))).collect();
    let trace = |matrix: &[f64]| (0..rows).map(|i| matrix[i * rows + i]).sum::<f64>();
    let mut power = square.clone();
    for _ in 0..20 {
        let size = trace(&power);
        if size == 0.0 {
            return 0.0;
        }
        for x in &mut power {
            *x /= size;
        }
        // Symmetric: a column is a row.
        let line = |i: usize| &power[i * rows..][..rows];
        power = (0..rows * rows).map(|at| trace_of_product(line(at / rows), line(at % rows))).collect();
    }
    (trace_of_product(&square, &power) / trace(&power)).sqrt()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's
mod tests {
    use super::super::init::initial;
    use super::*;

    const SPACES: Spaces = Spaces { observation: 5, actions: 3, view: 0 };

    fn network(hidden: &[usize]) -> Network {
        Network { hidden: hidden.to_vec(), conv_channels: 0, memory: 0 }
    }

    /// Of a network with weights that matter, of which the third number is cut by the normaliser.
    fn case(hidden: &[usize]) -> (Vec<Tensor>, Normalizer, [f32; 5]) {
        let mut tensors = initial(&network(hidden), SPACES, 3);
        for tensor in tensors.iter_mut().filter(|tensor| tensor.name.starts_with("actor.")) {
            tensor.data.iter_mut().enumerate().for_each(|(i, x)| *x = (i * 7 % 11) as f32 / 11.0 - 0.5);
        }
        let mut normalizer = Normalizer::new(5);
        normalizer.update(&[0.0, 1.0, 0.0, -2.0, 0.5, 2.0, 3.0, 0.1, 2.0, 0.0], &[]);
        (tensors, normalizer, [0.4, 1.5, 90.0, 0.3, 0.2])
    }

    /// The probabilities in plain loops.
    fn probabilities(tensors: &[Tensor], normalizer: &Normalizer, seen: &[f64]) -> Vec<f64> {
        let scales = normalizer.scales();
        let normalized =
            |i: usize| ((seen[i] - normalizer.mean[i]) * f64::from(scales[i])).clamp(-10.0, 10.0);
        let mut x: Vec<f64> = (0..seen.len()).map(normalized).collect();
        let layers = tensors.iter().filter(|tensor| tensor.name.starts_with("actor.")).count() / 2;
        for layer in 0..layers {
            let of = |what: &str| tensors.iter().find(|t| t.name == format!("actor.{layer}.{what}")).unwrap();
            let (weight, bias) = (&of("weight").data, &of("bias").data);
            let sum = |o: usize| {
                (0..x.len()).map(|i| f64::from(weight[o * x.len() + i]) * x[i]).sum::<f64>()
                    + f64::from(bias[o])
            };
            let sums: Vec<f64> = (0..bias.len()).map(sum).collect();
            x = if layer + 1 < layers { sums.into_iter().map(f64::tanh).collect() } else { sums };
        }
        let total: f64 = x.iter().map(|x| x.exp()).sum();
        x.iter().map(|x| x.exp() / total).collect()
    }

    #[test]
    fn the_jacobian_is_that_of_central_differences() {
        for hidden in [&[][..], &[7], &[6, 4]] {
            let (tensors, normalizer, seen) = case(hidden);
            let policy =
                PolicyJacobian::new(&network(hidden), SPACES, &tensors, &normalizer).unwrap().unwrap();
            let found = policy.at(&seen);
            let (mut largest, h) = (0.0_f64, 1e-6);
            for column in 0..5 {
                let moved = |by: f64| {
                    let mut seen = seen.map(f64::from);
                    seen[column] += by;
                    probabilities(&tensors, &normalizer, &seen)
                };
                for (row, (up, down)) in moved(h).iter().zip(moved(-h)).enumerate() {
                    let (found, expected) = (found[row * 5 + column], (up - down) / (2.0 * h));
                    assert!((found - expected).abs() < 1e-7, "{row} {column}: {found} for {expected}");
                    assert!(column != 2 || found == 0.0, "it is cut there");
                    largest = largest.max(found.abs());
                }
            }
            assert!(largest > 0.01, "nothing to compare: {largest}");
        }
    }

    /// By hand: p = (1/2, 1/2), S = [[1/4, -1/4], [-1/4, 1/4]], W = [[4, 0], [0, 8]]: J = [[1, -2], [-1, 2]], whose
    /// singular value is the root of 10. Nothing was seen, so nothing is normalised.
    #[test]
    fn a_linear_policy_has_the_jacobian_of_its_hand() {
        let spaces = Spaces { observation: 2, actions: 2, view: 0 };
        let mut tensors = initial(&network(&[]), spaces, 1);
        for tensor in &mut tensors {
            tensor.data.fill(0.0);
        }
        tensors[0].data = vec![4.0, 0.0, 0.0, 8.0];
        let policy =
            PolicyJacobian::new(&network(&[]), spaces, &tensors, &Normalizer::new(2)).unwrap().unwrap();
        let found = policy.at(&[0.0, 0.0]);
        assert_eq!(found, [1.0, -2.0, -1.0, 2.0]);
        let root = 10.0_f64.sqrt();
        assert!(
            (frobenius(&found) - root).abs() < 1e-12 && (largest_singular(&found, 2) - root).abs() < 1e-9
        );
    }

    /// By hand: [[1, 2, 3], [4, 5, 6]] times its transpose is [[14, 32], [32, 77]], whose eigenvalues are
    /// (91 +- sqrt(63^2 + 4 32^2)) / 2.
    #[test]
    fn the_largest_singular_value_is_found_also_where_two_are_alike() {
        let of_six = f64::midpoint(91.0, 8065.0_f64.sqrt()).sqrt();
        for (matrix, rows, expected) in [
            (&[3.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 4.0][..], 3, 4.0),
            (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, of_six),
            (&[3.0, 0.0, 0.0, 2.999], 2, 3.0),
            (&[1e-9, 0.0, 0.0, 1e-12], 2, 1e-9),
            (&[0.0; 6], 2, 0.0),
            (&[], 0, 0.0),
        ] {
            let found = largest_singular(matrix, rows);
            assert!((found - expected).abs() <= 1e-5 * expected, "{found} for {expected}");
        }
        assert_eq!(frobenius(&[3.0, -4.0]), 5.0);
    }

    #[test]
    fn networks_that_remember_or_convolve_have_none() {
        for network in [Network { memory: 2, ..network(&[4]) }, Network { conv_channels: 2, ..network(&[4]) }]
        {
            assert!(PolicyJacobian::new(&network, SPACES, &[], &Normalizer::new(5)).unwrap().is_none());
        }
        let problem = PolicyJacobian::new(&network(&[4]), SPACES, &[], &Normalizer::new(5)).unwrap_err();
        assert_eq!(problem, "there is no tensor `actor.0.weight`");
    }
}
