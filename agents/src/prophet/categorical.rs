//! The categorical distribution over actions that logits define.

use resonetics_envs::math::{self, LANES, Lanes};

/// What a forbidden action's logit becomes: its probability is then 0.
pub(super) const FORBIDDEN: f32 = -1e8;

/// Makes `logits` those of allowed actions only. `mask` has one element an action, or none where all
/// are allowed.
#[inline(always)]
pub fn forbid(logits: &mut [f32], mask: &[bool]) {
    for (logit, &allowed) in logits.iter_mut().zip(mask) {
        if !allowed {
            *logit = FORBIDDEN;
        }
    }
}

/// Turns `logits` into log-probabilities and writes the probabilities, 0 for one that has faded.
#[inline(always)]
pub fn log_softmax(logits: &mut [f32], probabilities: &mut [f32]) {
    let mut max = f32::MIN;
    for &logit in &*logits {
        max = max.max(logit);
    }
    let mut sum = 0.0;
    for (logit, p) in logits.iter_mut().zip(&mut *probabilities) {
        *logit -= max;
        *p = math::flush(math::exp(*logit));
        sum += *p;
    }
    let log_sum = math::ln(sum);
    for (logit, p) in logits.iter_mut().zip(probabilities) {
        *logit -= log_sum;
        *p /= sum;
    }
}

/// [`log_softmax`] of [`LANES`] rows side by side, `[A]` vectors of a number a row: the same bits, in a
/// fraction of the time where it is compiled for vectors.
#[inline(always)]
pub fn log_softmax_lanes(logits: &mut [Lanes], probabilities: &mut [Lanes]) {
    let mut max = [f32::MIN; LANES];
    for logits in &*logits {
        for i in 0..LANES {
            max[i] = max[i].max(logits[i]);
        }
    }
    let mut sum = [0.0; LANES];
    for (logits, p) in logits.iter_mut().zip(&mut *probabilities) {
        for i in 0..LANES {
            logits[i] -= max[i];
            p[i] = math::flush(math::exp(logits[i]));
            sum[i] += p[i];
        }
    }
    let mut log_sum = [0.0; LANES];
    for i in 0..LANES {
        log_sum[i] = math::ln(sum[i]);
    }
    for (logits, p) in logits.iter_mut().zip(probabilities) {
        for i in 0..LANES {
            logits[i] -= log_sum[i];
            p[i] /= sum[i];
        }
    }
}

/// The action in whose share of [0, 1) `uniform` lies.
#[inline(always)]
pub fn choose(probabilities: &[f32], uniform: f32) -> usize {
    let mut below = 0.0;
    let mut chosen = 0;
    for (action, &p) in probabilities.iter().enumerate() {
        // What rounding leaves above the last sum falls to the last action that can be chosen.
        if p > 1e-30 {
            chosen = action;
        }
        below += p;
        if uniform < below && p > 1e-30 {
            return action;
        }
    }
    chosen
}

/// The likeliest allowed action, the first of equals.
pub fn likeliest(logits: &[f32], mask: &[bool]) -> usize {
    let mut best = None;
    for (action, &logit) in logits.iter().enumerate() {
        let allowed = mask.is_empty() || mask[action];
        if allowed && best.is_none_or(|best: usize| logit > logits[best]) {
            best = Some(action);
        }
    }
    best.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // an oracle's mathematics is the standard library's
    fn probabilities_sum_to_one_and_forbidden_ones_are_none() {
        let mut logits = [1.0, 2.0, 30.0, -1.0];
        forbid(&mut logits, &[true, true, false, true]);
        let mut p = [0.0; 4];
        log_softmax(&mut logits, &mut p);
        let exact = |x: f64| x.exp() / (1.0_f64.exp() + 2.0_f64.exp() + (-1.0_f64).exp());
        for (i, x) in [(0, 1.0), (1, 2.0), (3, -1.0)] {
            assert!((f64::from(p[i]) - exact(x)).abs() < 1e-6);
            assert!((f64::from(logits[i]) - exact(x).ln()).abs() < 1e-6);
        }
        assert_eq!(p[2], 0.0);
    }

    #[test]
    fn rows_side_by_side_are_rows_alone() {
        let key = resonetics_envs::stream::Key::new(1, resonetics_envs::stream::Domain::Space, 0);
        for actions in [1, 2, 6, 17] {
            let mut side: Vec<Lanes> =
                (0..actions).map(|action| key.normals(action, 0).0.map(|x| 3.0 * x)).collect();
            side[0][3] = FORBIDDEN;
            let alone = side.clone();
            let mut p = vec![[0.0; LANES]; side.len()];
            log_softmax_lanes(&mut side, &mut p);
            for lane in 0..LANES {
                let mut logits: Vec<f32> = alone.iter().map(|logits| logits[lane]).collect();
                let mut q = vec![0.0; logits.len()];
                log_softmax(&mut logits, &mut q);
                assert!((0..logits.len()).all(|i| logits[i] == side[i][lane] && q[i] == p[i][lane]));
            }
        }
    }

    /// ln 2 where two of four actions are allowed and alike; 0 where there is one.
    #[test]
    fn forbidden_actions_have_no_part_in_the_entropy() {
        for (mask, expected) in
            [([true, false, true, false], std::f32::consts::LN_2), ([false, false, false, true], 0.0)]
        {
            let mut log_p = [0.5, 9.0, 0.5, -80.0];
            forbid(&mut log_p, &mask);
            let mut p = [0.0; 4];
            log_softmax(&mut log_p, &mut p);
            let entropy: f32 = -p.iter().zip(&log_p).map(|(p, log_p)| p * log_p).sum::<f32>();
            assert!((entropy - expected).abs() < 1e-6, "{entropy}");
        }
    }

    /// Whatever the logits: also where all that is allowed is far less likely than what is not.
    #[test]
    fn a_forbidden_action_is_never_chosen() {
        let key = resonetics_envs::stream::Key::new(1, resonetics_envs::stream::Domain::Policy, 0);
        for i in 0..100_000 {
            let mut logits = [0.0; 5];
            let mut mask = [false; 5];
            for j in 0..5 {
                let (x, y) = key.words(i, j as u32);
                logits[j] = 200.0 * (math::uniform(x) - 0.5);
                mask[j] = y >> 31 == 1 || j as u32 == i % 5;
            }
            let mut p = [0.0; 5];
            forbid(&mut logits, &mask);
            log_softmax(&mut logits, &mut p);
            // The largest numbers that are drawn, and any.
            for uniform in [0.999_999_94, 0.0, key.uniform(i, 9)] {
                let chosen = choose(&p, uniform);
                assert!(mask[chosen] && logits[chosen].is_finite(), "{logits:?} {mask:?} {uniform}");
            }
        }
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let (mut logits, mut p) = ([3e4, 3e4, -3e4], [0.0; 3]);
        log_softmax(&mut logits, &mut p);
        assert_eq!(p, [0.5, 0.5, 0.0]);
        assert_eq!(logits[..2], [-std::f32::consts::LN_2; 2]);
        assert!((logits[2] + 60_000.69).abs() < 0.01, "{logits:?}");
    }

    #[test]
    fn choose_gives_each_action_its_share() {
        let p = [0.25, 0.0, 0.5, 0.25];
        let counts = (0..1000).fold([0; 4], |mut counts, i| {
            counts[choose(&p, i as f32 / 1000.0)] += 1;
            counts
        });
        assert_eq!(counts, [250, 0, 500, 250]);
        assert_eq!(choose(&[0.5, 0.499_999, 0.0], 0.999_999_9), 1);
    }

    #[test]
    fn likeliest_looks_at_allowed_actions_only() {
        assert_eq!(likeliest(&[1.0, 3.0, 2.0], &[]), 1);
        assert_eq!(likeliest(&[1.0, 3.0, 2.0], &[true, false, true]), 2);
        assert_eq!(likeliest(&[1.0, 1.0], &[]), 0);
    }
}
