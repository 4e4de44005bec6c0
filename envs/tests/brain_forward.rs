//! The brain's forward pass against a naive one in f64 (RULES section 2.1).
#![allow(clippy::unwrap_used)] // helpers of tests
#![allow(clippy::disallowed_methods)] // f64's own functions are the oracle here

use resonetics_envs::gardener::{BrainWeights, Brains, softmax};
use resonetics_envs::stream::{Domain, Key};

const CHANNELS: usize = 8;
const HIDDEN: usize = 16;
const ACTIONS: usize = 6;

fn numbers(tag: u32, count: usize, scale: f32) -> Vec<f32> {
    let key = Key::new(8, Domain::Space, 0).derive(tag, 0);
    (0..count as u32).map(|i| scale * (2.0 * key.uniform(0, i) - 1.0)).collect()
}

fn pooled(view: usize) -> usize {
    (view - 2) / 2
}

/// Weights large enough that the gates leave their linear part.
fn weights(view: usize) -> BrainWeights {
    let features = CHANNELS * pooled(view) * pooled(view);
    let gates = 4 * HIDDEN;
    BrainWeights {
        conv_weight: numbers(1, CHANNELS * 9, 0.6),
        conv_bias: numbers(2, CHANNELS, 0.4),
        lstm_weight_ih: numbers(3, gates * features, 2.0 / (features as f32).sqrt()),
        lstm_weight_hh: numbers(4, gates * HIDDEN, 0.5),
        lstm_bias_ih: numbers(5, gates, 0.5),
        lstm_bias_hh: numbers(6, gates, 0.5),
        policy_weight: numbers(7, ACTIONS * HIDDEN, 1.0),
        policy_bias: numbers(8, ACTIONS, 0.5),
    }
}

fn view(size: usize, step: usize) -> Vec<f32> {
    numbers(100 + step as u32, size * size, 0.5).iter().map(|value| value + 0.5).collect()
}

fn features(weights: &BrainWeights, size: usize, view: &[f32]) -> Vec<f64> {
    let conv = |channel: usize, y: usize, x: usize| {
        let mut sum = f64::from(weights.conv_bias[channel]);
        for ky in 0..3 {
            for kx in 0..3 {
                let weight = weights.conv_weight[channel * 9 + ky * 3 + kx];
                sum += f64::from(weight) * f64::from(view[(y + ky) * size + x + kx]);
            }
        }
        sum.max(0.0)
    };
    let mut features = Vec::new();
    for channel in 0..CHANNELS {
        for py in 0..pooled(size) {
            for px in 0..pooled(size) {
                let corners = [(0, 0), (0, 1), (1, 0), (1, 1)];
                let values = corners.map(|(dy, dx)| conv(channel, 2 * py + dy, 2 * px + dx));
                features.push(values.into_iter().fold(f64::MIN, f64::max));
            }
        }
    }
    features
}

/// One row of `matrix`, which has a column for each of `inputs`, times `inputs`.
fn dot(matrix: &[f32], row: usize, inputs: &[f64]) -> f64 {
    let row = &matrix[row * inputs.len()..(row + 1) * inputs.len()];
    row.iter().zip(inputs).map(|(&weight, input)| f64::from(weight) * input).sum()
}

/// Moves (hidden, cell) on and yields the logits.
fn naive(weights: &BrainWeights, size: usize, view: &[f32], memory: &mut (Vec<f64>, Vec<f64>)) -> Vec<f64> {
    let features = features(weights, size, view);
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let gates: Vec<f64> = (0..4 * HIDDEN)
        .map(|row| {
            f64::from(weights.lstm_bias_ih[row])
                + f64::from(weights.lstm_bias_hh[row])
                + dot(&weights.lstm_weight_ih, row, &features)
                + dot(&weights.lstm_weight_hh, row, &memory.0)
        })
        .collect();
    for i in 0..HIDDEN {
        let [input, forget, output] = [0, 1, 3].map(|gate| logistic(gates[gate * HIDDEN + i]));
        memory.1[i] = forget * memory.1[i] + input * gates[2 * HIDDEN + i].tanh();
        memory.0[i] = output * memory.1[i].tanh();
    }
    let logit = |row| f64::from(weights.policy_bias[row]) + dot(&weights.policy_weight, row, &memory.0);
    (0..ACTIONS).map(logit).collect()
}

fn close(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{what}: {found}, not {expected}");
    }
}

#[test]
fn forward_is_the_naive_one_for_every_view_and_as_memory_grows() {
    for size in [5, 7, 9, 15] {
        let weights = weights(size);
        let mut brains = Brains::new(2, size);
        brains.load(1, &weights).unwrap();
        let mut memory = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
        for step in 0..10 {
            let view = view(size, step);
            let logits = brains.forward(1, &view);
            let what = format!("view {size}, step {step}");
            close(&what, &logits, &naive(&weights, size, &view, &mut memory));
            let (hidden, cell) = brains.memory(1);
            close(&what, hidden, &memory.0);
            close(&what, cell, &memory.1);
        }
        assert!(memory.1.iter().any(|cell| cell.abs() > 0.5), "the memory is in use");
    }
}

#[test]
fn a_brain_thinks_the_same_whoever_is_beside_it() {
    let (mut many, mut one) = (Brains::new(5, 7), Brains::new(1, 7));
    let key = |slot: usize| Key::new(1, Domain::Brain, slot as u64);
    (0..5).for_each(|slot| many.fresh(slot, key(slot)));
    one.fresh(0, key(3));
    for step in 0..6 {
        let all: Vec<_> = (0..5).map(|slot| many.forward(slot, &view(7, step + slot))).collect();
        assert_eq!(one.forward(0, &view(7, step + 3)), all[3]);
        assert!((0..5).all(|slot| slot == 3 || all[slot] != all[3]));
    }
    assert_eq!(one.memory(0), many.memory(3));
}

/// A gate that evolution has closed for good would else leave a number that slows every later thought.
#[test]
fn closed_gates_leave_no_subnormal_number_in_a_memory() {
    let mut closed = weights(7);
    closed.lstm_bias_ih[..HIDDEN].fill(-100.0);
    let mut forgetful = weights(7);
    forgetful.lstm_bias_ih[..HIDDEN].fill(-40.0);
    forgetful.lstm_bias_ih[HIDDEN..2 * HIDDEN].fill(-5.0);
    for weights in [closed, forgetful] {
        let mut brains = Brains::new(1, 7);
        brains.load(0, &weights).unwrap();
        for step in 0..50 {
            brains.forward(0, &view(7, step));
            let (hidden, cell) = brains.memory(0);
            assert!(!hidden.iter().chain(cell).any(|x| x.is_subnormal()), "step {step}: {cell:?}");
        }
    }
}

#[test]
fn forgetting_clears_one_memory_and_keeps_the_weights() {
    let mut brains = Brains::new(2, 7);
    (0..2).for_each(|slot| brains.fresh(slot, Key::new(1, Domain::Brain, 0)));
    let first = brains.forward(0, &view(7, 0));
    brains.forward(1, &view(7, 0));
    assert_ne!(brains.forward(0, &view(7, 0)), first);
    let other = (*brains.memory(1).0, *brains.memory(1).1);
    brains.forget(0);
    assert_eq!(brains.memory(0), (&[0.0; HIDDEN], &[0.0; HIDDEN]));
    assert_eq!((*brains.memory(1).0, *brains.memory(1).1), other);
    assert_eq!(brains.forward(0, &view(7, 0)), first);
}

#[test]
fn weights_of_another_shape_are_refused_by_name() {
    let mut brains = Brains::new(1, 7);
    assert!(brains.load(0, &weights(9)).unwrap_err().contains("lstm_weight_ih"));
    let short = BrainWeights { policy_bias: vec![0.0; 5], ..weights(7) };
    assert_eq!(brains.load(0, &short).unwrap_err(), "policy_bias has 5 elements, expected 6");
}

#[test]
fn softmax_is_a_distribution_in_the_logits_order() {
    let found = softmax(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let total: f64 = (0..6).map(|i| f64::from(i).exp()).sum();
    close("softmax", &found, &(0..6).map(|i| f64::from(i).exp() / total).collect::<Vec<_>>());
    // Beyond what e^x can hold: 1 / (1 + 1/e) and the rest.
    let far = softmax(&[-1e4, 200.0, 0.0, 199.0, -3.0, 0.0]);
    close("far apart", &far, &[0.0, 0.731_058_6, 0.0, 0.268_941_4, 0.0, 0.0]);
}
