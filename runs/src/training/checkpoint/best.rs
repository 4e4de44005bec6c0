//! Which checkpoint is the best.

use resonetics_agents::prophet::trainer::Earned;
use serde::{Deserialize, Serialize};

/// The best checkpoint so far, by what the greedy policy earns on seeds of its own: the last one that is within one standard
/// error, of the differences of the same episodes, of the highest mean. The highest mean itself often belongs to one that was
/// lucky in those episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The update behind it; where the training was told to go back, its clock, which never does.
    pub update: u64,
    /// Its mean return.
    pub greedy_return: f64,
    /// The returns, episode by episode, of the one with the highest mean. An earlier version, for which that was the best
    /// itself, wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highest: Vec<f64>,
}

impl Best {
    /// The best once the policy behind `update` has earned so much, if it is that one.
    pub fn after(best: Option<&Best>, update: u64, earned: Earned) -> Option<Best> {
        let greedy_return = earned.mean();
        // JSON has no other numbers.
        if !greedy_return.is_finite() {
            return None;
        }
        let Earned { returns } = earned;
        let Some(Best { greedy_return: before, highest, .. }) = best else {
            return Some(Best { update, greedy_return, highest: returns });
        };
        let differences: Vec<f64> = returns.iter().zip(highest).map(|(own, other)| own - other).collect();
        if differences.is_empty() {
            return (greedy_return > *before).then_some(Best { update, greedy_return, highest: returns });
        }
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count;
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        // Of a single episode there is no standard error.
        let standard_error = if count > 1.0 { (squares / (count - 1.0) / count).sqrt() } else { 0.0 };
        let highest = if mean > 0.0 { returns } else { highest.clone() };
        (mean >= -standard_error).then_some(Best { update, greedy_return, highest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, of four episodes: what differs by -1, -1, -1, -1 is below with certainty, what differs by -3, 1, 1, -3 has a
    /// mean of -1 and a standard error of 2.309 / 2 = 1.155.
    #[test]
    fn the_best_is_the_last_within_a_standard_error_of_the_highest() {
        let mut best: Option<Best> = None;
        let mut kept = Vec::new();
        for (update, differences) in
            [[0.0; 4], [-1.0; 4], [-3.0, 1.0, 1.0, -3.0], [0.5; 4], [0.0; 4], [f64::NAN; 4]]
                .into_iter()
                .enumerate()
        {
            let returns = [10.0, 20.0, 30.0, 40.0].iter().zip(differences).map(|(a, b)| a + b).collect();
            best = Best::after(best.as_ref(), update as u64, Earned { returns }).or(best);
            kept.push(best.clone().map(|best| (best.update, best.greedy_return, best.highest[0])).unwrap());
        }
        let expected = [
            (0, 25.0, 10.0),
            (0, 25.0, 10.0),
            (2, 24.0, 10.0),
            (3, 25.5, 10.5),
            (3, 25.5, 10.5),
            (3, 25.5, 10.5),
        ];
        assert_eq!(kept, expected);
        // One from before has only its mean.
        let before = Best { update: 3, greedy_return: 12.0, highest: Vec::new() };
        let after = |mean| Best::after(Some(&before), 4, Earned { returns: vec![mean; 2] });
        assert_eq!((after(12.0), after(12.5).map(|best| best.highest)), (None, Some(vec![12.5; 2])));
        let alone = |earned| Best::after(Some(&Best { highest: vec![2.0], ..before.clone() }), 5, earned);
        assert_eq!(alone(Earned { returns: vec![1.9] }), None);
        assert_eq!(alone(Earned { returns: vec![f64::INFINITY] }), None);
        assert_eq!(Best::after(None, 1, Earned { returns: Vec::new() }), None);
    }
}
