//! Weights: fresh, bred, padded.
use super::*;
use crate::stream::Domain;

const VIEWS: [usize; 4] = [5, 7, 9, 15];
const SLOTS: usize = 400;

fn key(slot: usize) -> Key {
    Key::new(21, Domain::Brain, slot as u64)
}

fn fresh(view: usize) -> Brains {
    let mut brains = Brains::new(SLOTS, view);
    (0..SLOTS).for_each(|slot| brains.fresh(slot, key(slot)));
    brains
}

/// Number `i` of a tensor takes part, where it is not padding of the linear layer.
fn used(layout: &Layout, i: usize) -> bool {
    i < layout.policy || (i - layout.policy) % OUT < ACTIONS
}

/// RULES 2.1 in numbers: (name, elements, bound of fresh weights, mutation scale at rate 1).
fn expected(view: usize) -> [(&'static str, usize, f64, f64); 8] {
    let features = [(5, 8), (7, 32), (9, 72), (15, 288)].into_iter().find(|(v, _)| *v == view).unwrap().1;
    let root = |fan_in: usize| 1.0 / (fan_in as f64).sqrt();
    [
        ("conv_weight", 72, root(9), 1.0),
        ("conv_bias", 8, root(9), 1.0),
        ("lstm_weight_ih", 64 * features, root(16), root(features)),
        ("lstm_weight_hh", 64 * 16, root(16), root(16)),
        ("lstm_bias_ih", 64, root(16), 1.0),
        ("lstm_bias_hh", 64, root(16), 1.0),
        ("policy_weight", 6 * 16, root(16), root(16)),
        ("policy_bias", 6, root(16), 1.0),
    ]
}

/// The used elements of one tensor of one slot.
fn tensor(brains: &Brains, slot: usize, range: &std::ops::Range<usize>) -> Vec<f64> {
    let layout = brains.layout;
    let row = &brains.weights[slot * layout.len..(slot + 1) * layout.len];
    range.clone().filter(|&i| used(&layout, i)).map(|i| f64::from(row[i])).collect()
}

#[test]
fn fresh_weights_fill_their_bounds_evenly() {
    for view in VIEWS {
        let brains = fresh(view);
        for ((range, ..), (name, count, bound, _)) in brains.layout.tensors().into_iter().zip(expected(view))
        {
            let values: Vec<f64> = (0..SLOTS).flat_map(|slot| tensor(&brains, slot, &range)).collect();
            assert_eq!(values.len(), SLOTS * count, "{name}");
            let n = values.len() as f64;
            assert!(values.iter().all(|value| value.abs() <= bound * (1.0 + 1e-6)), "{name}");
            // A uniform's mean errs by bound / sqrt(3n), its mean square by bound^2 * sqrt(4 / 45n).
            let mean = values.iter().sum::<f64>() / n;
            assert!(mean.abs() < 5.0 * bound / (3.0 * n).sqrt(), "{name}: {mean}");
            let square = values.iter().map(|value| value * value).sum::<f64>() / n;
            let error = (square - bound * bound / 3.0).abs();
            assert!(error < 5.0 * bound * bound * (4.0 / (45.0 * n)).sqrt(), "{name}: {square}");
        }
    }
}

#[test]
fn mutation_is_normal_with_the_scale_of_its_tensor() {
    for view in VIEWS {
        let mut brains = fresh(view);
        let rate = 0.02;
        (1..SLOTS).for_each(|slot| brains.breed(slot, 0, rate, key(slot)));
        for ((range, ..), (name, _, _, scale)) in brains.layout.tensors().into_iter().zip(expected(view)) {
            let parent = tensor(&brains, 0, &range);
            let noise = (1..SLOTS).flat_map(|slot| {
                tensor(&brains, slot, &range).into_iter().zip(parent.clone()).map(|(child, old)| child - old)
            });
            let noise: Vec<f64> = noise.map(|difference| difference / (rate * scale)).collect();
            let n = noise.len() as f64;
            let moment = |power| noise.iter().map(|z| z.powi(power)).sum::<f64>() / n;
            // Five standard deviations of a standard normal's first, second and fourth moment.
            assert!(moment(1).abs() < 5.0 / n.sqrt(), "{name}: mean {}", moment(1));
            assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{name}: variance {}", moment(2));
            assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / n).sqrt(), "{name}: fourth {}", moment(4));
        }
    }
}

#[test]
fn breeding_at_rate_0_copies_the_weights_and_not_the_memory() {
    let mut brains = fresh(7);
    brains.forward(3, &[0.5; 49]);
    brains.forward(8, &[0.5; 49]);
    brains.breed(8, 3, 0.0, key(99));
    let len = brains.layout.len;
    let row = |slot: usize| brains.weights[slot * len..(slot + 1) * len].to_vec();
    assert_eq!(row(8), row(3));
    assert_ne!(row(7), row(3));
    assert_eq!(row(9), fresh(7).weights[9 * len..10 * len], "the next slot is untouched");
    assert_eq!(brains.memory(8), (&[0.0; HIDDEN], &[0.0; HIDDEN]));
    assert_ne!(brains.memory(3).0, &[0.0; HIDDEN]);
}

#[test]
fn padding_stays_zero() {
    let mut brains = fresh(7);
    brains.breed(1, 0, 1.0, key(5));
    let layout = brains.layout;
    for slot in 0..2 {
        let row = &brains.weights[slot * layout.len..(slot + 1) * layout.len];
        assert!((0..layout.len).all(|i| used(&layout, i) || row[i] == 0.0));
    }
}
