//! The terms of CAPS (Mysore et al. 2021): how far the policy's probabilities move where its observation is perturbed,
//! and from one observation to the next.

use resonetics_envs::cpu::Work;
use resonetics_envs::math::{self, LANES, Lanes};
use resonetics_kernel::dense::padded;

use super::layout::{BLOCK, Net, Pass};
use super::loss::{Part, masked_logits};
use crate::prophet::categorical::log_softmax_lanes;
use crate::prophet::learner::{LossWeights, Samples};

/// What the policy is compared with itself at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// x + `caps_sigma` n
    Perturbed,
    /// The observation of the successor.
    Next,
}

impl Moved {
    /// Those that have a weight, with it.
    pub(super) fn with_weights(weights: LossWeights) -> impl Iterator<Item = (Moved, f32)> {
        let both = [(Moved::Perturbed, weights.caps_spatial), (Moved::Next, weights.caps_temporal)];
        both.into_iter().filter(|(_, weight)| *weight != 0.0)
    }
}

/// The actor at the other observations of a block.
#[derive(Clone, Debug)]
pub(super) struct Aside {
    /// Whose masks hold there.
    pub rows: Vec<u32>,
    /// `[BLOCK, input]`
    pub input: Vec<f32>,
    pub pass: Pass,
    /// `[BLOCK, output]`
    pub d_head: Vec<f32>,
}

impl Aside {
    pub(super) fn new(actor: &Net) -> Aside {
        let zeros = |width: usize| vec![0.0; BLOCK * width];
        let pass: Pass = actor.layers.iter().map(|layer| zeros(layer.output)).collect();
        let d_head = pass.last().cloned().unwrap_or_default();
        Aside { rows: Vec::new(), input: zeros(actor.layers[0].input), pass, d_head }
    }

    /// Fills in the observations, of `width` numbers each.
    pub(super) fn gather(&mut self, moved: Moved, samples: &Samples<'_>, part: Part<'_>, width: usize) {
        self.rows.clear();
        match moved {
            Moved::Perturbed => self.rows.extend(part.rows),
            Moved::Next => self.rows.extend(part.rows.iter().map(|&row| samples.successors[row as usize])),
        }
        let stride = self.input.len() / BLOCK;
        for (i, &row) in self.rows.iter().enumerate() {
            let out = &mut self.input[i * stride..][..width];
            out.copy_from_slice(&samples.observations[row as usize * width..][..width]);
            if moved == Moved::Perturbed {
                for (out, n) in out.iter_mut().zip(&part.noise[i * width..]) {
                    *out += part.weights.caps_sigma * n;
                }
            }
        }
    }
}

/// The squared distances of a block's probabilities from those aside, their gradient with respect to the logits
/// (added) and to those aside.
pub(super) struct CapsLoss<'a> {
    pub samples: &'a Samples<'a>,
    pub part: Part<'a>,
    pub weight: f32,
    /// `[rows, padded(actions)]`
    pub logits: &'a [f32],
    pub d_logits: &'a mut [f32],
    pub aside: &'a mut Aside,
    /// Of logits and of the probabilities here and aside, `[actions]` each.
    pub room: &'a mut [Vec<Lanes>; 3],
    /// Of the distances.
    pub sum: &'a mut f64,
}

impl Work for CapsLoss<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let CapsLoss { samples, part, weight, logits, d_logits, aside, room: [room, here, there], sum } =
            self;
        let Aside { rows: aside_rows, pass, d_head, .. } = aside;
        let moved = pass.last().map_or(&[][..], Vec::as_slice);
        let width = padded(here.len());
        let slope = 2.0 * weight / part.b as f32;
        for (chunk, rows) in part.rows.chunks(LANES).enumerate() {
            let from = chunk * LANES * width;
            masked_logits(samples, &logits[from..], rows, room);
            log_softmax_lanes(room, here);
            masked_logits(samples, &moved[from..], &aside_rows[chunk * LANES..][..rows.len()], room);
            log_softmax_lanes(room, there);
            let (mut distance, mut pull_here, mut pull_there) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for (p, q) in here.iter().zip(&*there) {
                for i in 0..LANES {
                    let gap = p[i] - q[i];
                    distance[i] += gap * gap;
                    pull_here[i] += p[i] * gap;
                    pull_there[i] += q[i] * gap;
                }
            }
            for (p, q) in here.iter_mut().zip(&mut *there) {
                for i in 0..LANES {
                    let gap = p[i] - q[i];
                    p[i] = math::flush(slope * p[i] * (gap - pull_here[i]));
                    q[i] = math::flush(slope * q[i] * (pull_there[i] - gap));
                }
            }
            for lane in 0..rows.len() {
                *sum += f64::from(distance[lane]);
                let at = from + lane * width;
                for (out, d) in d_logits[at..].iter_mut().zip(&*here) {
                    *out = math::flush(*out + d[lane]);
                }
                for (out, d) in d_head[at..].iter_mut().zip(&*there) {
                    *out = d[lane];
                }
            }
        }
    }
}

/// Adds the gradient of `weight` times half the sum of squares of all weights of `net`, which it returns.
pub(super) fn decay(net: &Net, parameters: &[f32], weight: f32, gradient: &mut [f32]) -> f64 {
    let memory = net.memory.iter().flat_map(|cell| [&cell.gates, &cell.head]);
    let mut squares = 0.0;
    for layer in net.layers.iter().chain(memory) {
        let place = layer.weight..layer.bias;
        for (d, &w) in gradient[place.clone()].iter_mut().zip(&parameters[place]) {
            squares += f64::from(w) * f64::from(w);
            *d = math::flush(*d + weight * w);
        }
    }
    0.5 * squares
}
