//! The residual: how near a source is to its loss, in `[0, 1]`, where 1 is the loss.

/// Of a garden with this mean dirt that is lost from `lost_share` on; unknown where that is 0 or less.
pub fn garden(mean_dirt: f64, lost_share: f64) -> Option<f64> {
    share(mean_dirt, lost_share)
}

/// Of a cluster: the nearer of its average load to the load that ends an episode, and of the memory that matters to the
/// memory at which a node fails. The average load alone is nowhere near its limit when clusters are lost.
pub fn cluster(average_load: f64, load_limit: f64, worst_memory: f64, memory_limit: f64) -> Option<f64> {
    match (share(average_load, load_limit), share(worst_memory, memory_limit)) {
        (Some(load), Some(memory)) => Some(load.max(memory)),
        (known, None) | (None, known) => known,
    }
}

/// Of the drift experiment with this gap between target and prediction.
pub fn drift(gap: f64) -> Option<f64> {
    share(gap, 1.0)
}

/// Where a training without a `target_kl` counts as far from its last policy.
const TARGET_KL: f64 = 0.05;

/// Of a training, row after row: how far the greedy return has fallen below the best so far, and how far an update
/// went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Training {
    best: Option<f64>,
    fallen: Option<f64>,
}

impl Training {
    /// The residual after an update with this KL, and the greedy return where it was measured. A number that is not
    /// finite is 1.
    pub fn row(&mut self, greedy: Option<f64>, kl: Option<f64>, target_kl: f64) -> Option<f64> {
        if let Some(greedy) = greedy.filter(|greedy| greedy.is_finite()) {
            let best = self.best.map_or(greedy, |best| best.max(greedy));
            self.best = Some(best);
            self.fallen = Some(((best - greedy) / best.abs().max(1.0)).clamp(0.0, 1.0));
        }
        if greedy.into_iter().chain(kl).any(|number| !number.is_finite()) {
            return Some(1.0);
        }
        let target = if target_kl > 0.0 { target_kl } else { TARGET_KL };
        let far = kl.map(|kl| (kl / (4.0 * target)).clamp(0.0, 1.0));
        match (self.fallen, far) {
            (Some(fallen), Some(far)) => Some(fallen.max(far)),
            (known, None) | (None, known) => known,
        }
    }
}

/// `value` over `limit`, 1 at most. What is no number is as bad as can be; without a limit nothing is known.
fn share(value: f64, limit: f64) -> Option<f64> {
    if limit.is_nan() || limit <= 0.0 {
        return None;
    }
    Some(if value.is_nan() { 1.0 } else { (value / limit).clamp(0.0, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_garden_is_measured_by_the_dirt_at_which_it_is_lost() {
        assert_eq!(garden(0.375, 0.75), Some(0.5));
        assert_eq!(garden(0.9, 0.75), Some(1.0));
        assert_eq!(garden(0.0, 0.75), Some(0.0));
        assert_eq!(garden(0.5, 0.0), None);
        assert_eq!(garden(f64::NAN, 0.75), Some(1.0));
    }

    #[test]
    fn a_cluster_is_measured_by_the_nearer_of_its_limits() {
        assert_eq!(cluster(0.17, 0.85, 0.495, 0.99), Some(0.5));
        assert_eq!(cluster(0.68, 0.85, 0.495, 0.99), Some(0.8));
        assert_eq!(cluster(0.3, 0.85, 1.0, 0.99), Some(1.0));
        assert_eq!(cluster(0.3, 0.0, 0.495, 0.99), Some(0.5));
        assert_eq!(cluster(0.3, 0.0, 0.5, 0.0), None);
    }

    #[test]
    fn a_training_is_measured_by_its_fall_and_by_its_stride() {
        let mut training = Training::default();
        assert_eq!(training.row(None, None, 0.0), None);
        // 0.05 of 4 * 0.05.
        assert_eq!(training.row(None, Some(0.05), 0.0), Some(0.25));
        assert_eq!(training.row(Some(50.0), Some(0.0), 0.0), Some(0.0));
        assert_eq!(training.row(Some(40.0), Some(0.0), 0.0), Some(0.2));
        // What was measured last holds until it is measured again.
        assert_eq!(training.row(None, Some(0.0), 0.0), Some(0.2));
        assert_eq!(training.row(None, Some(0.02), 0.01), Some(0.5));
        assert_eq!(training.row(Some(55.0), Some(0.0), 0.0), Some(0.0));
        assert_eq!(training.row(None, Some(f64::NAN), 0.0), Some(1.0));
        assert_eq!(training.row(Some(f64::INFINITY), None, 0.0), Some(1.0));
        // Small returns are not divided by next to nothing.
        let mut training = Training::default();
        training.row(Some(0.1), None, 0.0);
        assert!((training.row(Some(0.0), None, 0.0).unwrap() - 0.1).abs() < 1e-12);
        // A number that is no number does not become the best.
        assert_eq!(training.row(Some(0.1), Some(0.0), 0.0), Some(0.0));
    }
}
