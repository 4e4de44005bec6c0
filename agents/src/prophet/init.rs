//! Initial parameters of the networks.

use resonetics_envs::math;
use resonetics_envs::stream::{Domain, Key};

use super::network::{Network, Spaces, Tensor};

/// Gain of hidden layers, of the logits and of the value: with a nearly uniform first policy (Andrychowicz et
/// al. 2021, "What matters in on-policy reinforcement learning?").
const GAINS: [f32; 3] = [std::f32::consts::SQRT_2, 0.01, 1.0];

/// Steps that the slowest units of a memory begin with, about: as many as a gradient goes back through.
const LONGEST: f32 = super::learner::SEQUENCE as f32;

/// Number of the first network's stream; those below belong to the kernel's small networks.
const FIRST: u64 = 16;

/// Parameters to start from: orthogonal weights (Saxe, McClelland, Ganguli 2014), biases 0, drawn
/// from `seed`; moments 0. In the form that [`super::learner::Learner::load`] takes.
///
/// Only the gates of a memory begin with biases, -ln u for u uniform in [1, 63), so that its units forget over some
/// 2 to 64 steps (Tallec, Ollivier 2018, "Can recurrent neural networks warp time?", equation 16).
pub fn initial(network: &Network, spaces: Spaces, seed: u64) -> Vec<Tensor> {
    let shapes = network.parameters(spaces);
    let last = format!("{}.weight", network.hidden.len());
    let mut all = Vec::new();
    for (number, (name, shape)) in shapes.iter().enumerate() {
        let count: usize = shape.iter().product();
        let gain = match name.split_once('.') {
            Some(("actor", rest)) if rest == last || rest == "memory.head.weight" => GAINS[1],
            Some(("critic", rest)) if rest == last || rest == "memory.head.weight" => GAINS[2],
            _ => GAINS[0],
        };
        let key = Key::new(seed, Domain::Weights, FIRST + number as u64);
        let data = if name.ends_with("weight") {
            orthogonal(shape[0], count / shape[0].max(1), gain, key)
        } else if name.ends_with("memory.gate.bias") {
            (0..count).map(|i| -math::ln(1.0 + (LONGEST - 2.0) * key.uniform(0, i as u32))).collect()
        } else {
            vec![0.0; count]
        };
        all.push(Tensor { name: name.clone(), shape: shape.clone(), data });
    }
    for prefix in ["adam.m.", "adam.v."] {
        for (name, shape) in &shapes {
            let data = vec![0.0; shape.iter().product()];
            all.push(Tensor { name: format!("{prefix}{name}"), shape: shape.clone(), data });
        }
    }
    all
}

/// `[rows, columns]` with orthogonal rows, or columns where there are fewer of them, each of length
/// `gain`: normals made orthogonal one after the other (Gram and Schmidt, twice, in f64).
fn orthogonal(rows: usize, columns: usize, gain: f32, key: Key) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for vector in 0..count {
        let mut new: Vec<f64> = (0..length).map(|i| normal(key, vector as u32, i)).collect();
        for _ in 0..2 {
            for old in &vectors {
                let shared = dot(old, &new);
                new.iter_mut().zip(old).for_each(|(new, old)| *new -= shared * old);
            }
        }
        let norm = dot(&new, &new).sqrt().max(1e-12);
        for value in &mut new {
            *value /= norm;
        }
        vectors.push(new);
    }
    let element = |row: usize, column: usize| {
        if rows <= columns { vectors[row][column] } else { vectors[column][row] }
    };
    (0..rows * columns).map(|i| gain * element(i / columns, i % columns) as f32).collect()
}

fn normal(key: Key, vector: u32, i: usize) -> f64 {
    let (word, _) = key.words(vector, i as u32);
    f64::from(resonetics_envs::math::normal_pair(word).0)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_or_columns_are_orthogonal_with_the_gain_as_length() {
        for (rows, columns) in [(64, 30), (6, 64), (8, 8), (1, 5)] {
            let matrix = orthogonal(rows, columns, 2.0, Key::new(3, Domain::Weights, 0));
            let at = |row: usize, column: usize| f64::from(matrix[row * columns + column]);
            let count = rows.min(columns);
            for a in 0..count {
                for b in 0..count {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|i| at(a, i) * at(b, i)).sum()
                    } else {
                        (0..rows).map(|i| at(i, a) * at(i, b)).sum()
                    };
                    let expected = if a == b { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{rows}x{columns} {a} {b}: {product}");
                }
            }
        }
    }

    #[test]
    fn gains_are_those_of_the_layers() {
        let network = Network { hidden: vec![8, 8], conv_channels: 0, memory: 0 };
        let spaces = Spaces { observation: 4, actions: 3, view: 0 };
        let all = initial(&network, spaces, 1);
        let norm = |name: &str| {
            let tensor = all.iter().find(|tensor| tensor.name == name).unwrap();
            let row = &tensor.data[..tensor.shape[1]];
            row.iter().map(|x| x * x).sum::<f32>().sqrt()
        };
        assert!((norm("actor.1.weight") - 2.0_f32.sqrt()).abs() < 1e-5);
        assert!((norm("actor.2.weight") - 0.01).abs() < 1e-6);
        assert!((norm("critic.2.weight") - 1.0).abs() < 1e-5);
        assert_eq!(all.len(), 3 * network.parameters(spaces).len());
    }

    /// The gates' biases are those of the paper, and with a memory the other layers are as without one.
    #[test]
    fn a_memory_begins_with_units_of_all_speeds() {
        let dense = Network { hidden: vec![8], conv_channels: 0, memory: 0 };
        let network = Network { memory: 500, ..dense.clone() };
        let spaces = Spaces { observation: 4, actions: 3, view: 0 };
        let all = initial(&network, spaces, 1);
        assert_eq!(all[..8], initial(&dense, spaces, 1)[..8]);
        let find = |name: &str| all.iter().find(|tensor| tensor.name == name).unwrap();
        for net in ["actor", "critic"] {
            let biases = &find(&format!("{net}.memory.gate.bias")).data;
            // 1 / z = 1 + e^-b: uniform in [2, 64), 33 +- 17.9 / sqrt(500); five standard errors.
            #[allow(clippy::disallowed_methods)]
            let steps: Vec<f64> = biases.iter().map(|&b| 1.0 + f64::from(-b).exp()).collect();
            assert!(steps.iter().all(|steps| (1.999..64.0).contains(steps)));
            let mean = steps.iter().sum::<f64>() / 500.0;
            assert!((mean - 33.0).abs() < 4.0, "{mean}");
            assert!(find(&format!("{net}.memory.candidate.bias")).data.iter().all(|&b| b == 0.0));
        }
        assert_ne!(find("actor.memory.gate.bias").data, find("critic.memory.gate.bias").data);
        let length = |name: &str| find(name).data[..500].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length("actor.memory.head.weight") - 0.01).abs() < 1e-6);
        assert!((length("critic.memory.head.weight") - 1.0).abs() < 1e-5);
    }

    /// Actor and critic, layers and seeds draw each their own; biases and moments are 0.
    #[test]
    fn weights_are_drawn_anew_for_each_tensor_and_seed() {
        let network = Network { hidden: vec![6, 6], conv_channels: 2, memory: 0 };
        let spaces = Spaces { observation: 25, actions: 6, view: 3 };
        let all = initial(&network, spaces, 1);
        assert_eq!(all, initial(&network, spaces, 1));
        let other = initial(&network, spaces, 2);
        let count = network.parameters(spaces).len();
        for (i, tensor) in all.iter().enumerate() {
            if i < count && tensor.name.ends_with("weight") {
                assert_ne!(tensor.data, other[i].data, "{}", tensor.name);
                let same = |other: &&Tensor| other.shape == tensor.shape && other.data == tensor.data;
                assert_eq!(all.iter().filter(same).count(), 1, "{}", tensor.name);
            } else {
                assert!(tensor.data.iter().all(|&x| x == 0.0), "{}", tensor.name);
            }
        }
    }
}
