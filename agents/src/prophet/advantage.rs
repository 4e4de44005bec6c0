//! Generalised advantage estimation (Schulman et al. 2016, "High-dimensional continuous control
//! using generalized advantage estimation", equation 16).

/// A rollout of T steps in N rows, `[T, N]` each, step by step.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a> {
    /// Of the transition from step t to t + 1.
    pub rewards: &'a [f32],
    /// `V(x_t)`.
    pub values: &'a [f32],
    /// Nothing of value follows the transition: its episode terminated, or its agent died.
    pub terminated: &'a [bool],
    /// Time ran out in the transition: what follows it is worth `bootstrap`.
    pub truncated: &'a [bool],
    /// V of the last observation of an episode that was truncated; read only there.
    pub bootstrap: &'a [f32],
    /// Whether there was anybody in the row at step t.
    pub alive: &'a [bool],
    /// Whether the row chose its action. Where it did not there is no advantage, and no value is learned:
    /// V of such a step is not used.
    pub asked: &'a [bool],
    /// `[N]`: `V(x_T)`.
    pub last_values: &'a [f32],
}

/// Writes `advantages` and `returns` `[T, N]`: `A_t = delta_t + gamma lambda A_(t+1)` within an episode,
/// `delta_t = r_t + gamma V(what follows) - V(x_t)`, `return = A_t + V(x_t)`; 0 where nobody was. Where
/// somebody was not asked A is 0, and the return stands for V: steps that nothing is chosen in belong to
/// the choice before them.
pub fn advantages(steps: &Steps<'_>, gamma: f32, lambda: f32, advantages: &mut [f32], returns: &mut [f32]) {
    let rows = steps.last_values.len();
    let mut next_values = steps.last_values.to_vec();
    let mut following = vec![0.0; rows];
    for t in (0..steps.rewards.len() / rows.max(1)).rev() {
        for row in 0..rows {
            let i = t * rows + row;
            if !steps.alive[i] {
                (advantages[i], returns[i], following[row]) = (0.0, 0.0, 0.0);
                next_values[row] = steps.values[i];
                continue;
            }
            let (next_value, rest) = if steps.terminated[i] {
                (0.0, 0.0)
            } else if steps.truncated[i] {
                (steps.bootstrap[i], 0.0)
            } else {
                (next_values[row], following[row])
            };
            if !steps.asked[i] {
                (advantages[i], following[row]) = (0.0, 0.0);
                returns[i] = steps.rewards[i] + gamma * (next_value + lambda * rest);
                next_values[row] = returns[i];
                continue;
            }
            let delta = steps.rewards[i] + gamma * next_value - steps.values[i];
            let advantage = delta + gamma * lambda * rest;
            advantages[i] = advantage;
            returns[i] = advantage + steps.values[i];
            following[row] = advantage;
            next_values[row] = steps.values[i];
        }
    }
}

/// Mean, and 1 / standard deviation, of the advantages of `rows`; 0 and 1 for a single row, which would
/// have nothing left to learn from.
pub(super) fn standardized(advantages: &[f32], rows: &[u32]) -> (f32, f32) {
    if rows.len() < 2 {
        return (0.0, 1.0);
    }
    let of = || rows.iter().map(|&row| f64::from(advantages[row as usize]));
    let count = rows.len() as f64;
    let mean = of().sum::<f64>() / count;
    let variance = of().map(|a| (a - mean) * (a - mean)).sum::<f64>() / (count - 1.0);
    (mean as f32, (1.0 / (variance.sqrt() + 1e-8)) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four rows of three steps by hand, gamma 0.5, lambda 0.5: going on, terminated at step 1,
    /// truncated at step 1, and nobody there until step 1.
    #[test]
    fn termination_truncation_and_absence_by_hand() {
        let rewards = [1.0, 1.0, 1.0, 9.0, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0];
        let values = [1.0, 1.0, 1.0, 9.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0];
        let mut terminated = [false; 12];
        let mut truncated = [false; 12];
        let mut alive = [true; 12];
        let mut bootstrap = [f32::NAN; 12];
        terminated[5] = true;
        truncated[6] = true;
        bootstrap[6] = 8.0;
        alive[3] = false;
        let steps = Steps {
            rewards: &rewards,
            values: &values,
            terminated: &terminated,
            truncated: &truncated,
            bootstrap: &bootstrap,
            alive: &alive,
            asked: &alive,
            last_values: &[6.0; 4],
        };
        let (mut a, mut r) = ([7.0; 12], [7.0; 12]);
        advantages(&steps, 0.5, 0.5, &mut a, &mut r);
        // Step 2 of every row: 4 + 0.5 * 6 - 3 = 4.
        assert_eq!(a[8..], [4.0; 4]);
        // Step 1: 2 + 0.5 * 3 - 2 + 0.25 * 4 = 2.5; terminated 2 - 2 = 0; truncated 2 + 0.5 * 8 - 2 = 4.
        assert_eq!(a[4..8], [2.5, 0.0, 4.0, 2.5]);
        // Step 0: 1 + 0.5 * 2 - 1 + 0.25 * (2.5, 0, 4) = 1.625, 1, 2; nobody.
        assert_eq!(a[..4], [1.625, 1.0, 2.0, 0.0]);
        assert_eq!(r[..4], [2.625, 2.0, 3.0, 0.0]);
        assert_eq!(r[8], 7.0);
    }

    /// Somebody dies at step 0 and another is born in the same row, at once (row 0) or after a step of
    /// nobody (row 1); what the newborn earns is not the dead one's. Row 2: died as time ran out.
    #[test]
    fn a_row_with_another_life_behind_it_begins_anew() {
        let (f, t) = (false, true);
        let steps = Steps {
            rewards: &[1.0, 1.0, 1.0, 5.0, 99.0, 5.0, 7.0, 7.0, 7.0],
            values: &[0.5; 9],
            terminated: &[t, t, t, f, f, f, f, f, f],
            truncated: &[f, f, t, f, f, f, f, f, f],
            bootstrap: &[f32::NAN; 9],
            alive: &[t, t, t, t, f, t, t, t, t],
            asked: &[t, t, t, t, f, t, t, t, t],
            last_values: &[2.0; 3],
        };
        let (mut a, mut r) = ([9.0; 9], [9.0; 9]);
        advantages(&steps, 0.5, 1.0, &mut a, &mut r);
        // 7 + 0.5 * 2, then 5 + 0.5 * 8; nobody; what the dead have is their own reward.
        assert_eq!(r, [1.0, 1.0, 1.0, 9.0, 0.0, 9.0, 8.0, 8.0, 8.0]);
        assert_eq!(a, [0.5, 0.5, 0.5, 8.5, 0.0, 8.5, 7.5, 7.5, 7.5]);
    }

    /// One row that is not asked at steps 1 and 2: whatever their values are, step 0 is followed by
    /// what was earned in them and the value of step 3.
    #[test]
    fn values_of_steps_that_nothing_is_chosen_in_are_not_used() {
        for lambda in [0.0, 0.5, 1.0] {
            let steps = Steps {
                rewards: &[1.0, 2.0, 4.0, 8.0],
                values: &[3.0, f32::NAN, f32::NAN, 6.0],
                terminated: &[false; 4],
                truncated: &[false; 4],
                bootstrap: &[f32::NAN; 4],
                alive: &[true; 4],
                asked: &[true, false, false, true],
                last_values: &[16.0],
            };
            let (mut a, mut r) = ([9.0; 4], [9.0; 4]);
            advantages(&steps, 0.5, lambda, &mut a, &mut r);
            // Step 3: 8 + 0.5 * 16 = 16, 10 more than its value.
            let (third, second) = (16.0, 4.0 + 0.5 * (6.0 + lambda * 10.0));
            let first = 2.0 + 0.5 * second;
            assert_eq!(r, [1.0 + 0.5 * first, first, second, third]);
            assert_eq!(a, [1.0 + 0.5 * first - 3.0, 0.0, 0.0, 10.0]);
        }
    }

    /// With lambda 1 the returns are the discounted sums, with lambda 0 one step and a value.
    #[test]
    fn lambda_goes_from_one_step_to_all() {
        let rewards = [1.0, 2.0, 4.0];
        let no = [false; 3];
        let steps = Steps {
            rewards: &rewards,
            values: &[3.0, 5.0, 7.0],
            terminated: &no,
            truncated: &no,
            bootstrap: &[f32::NAN; 3],
            alive: &[true; 3],
            asked: &[true; 3],
            last_values: &[8.0],
        };
        let (mut a, mut r) = ([0.0; 3], [0.0; 3]);
        advantages(&steps, 0.5, 1.0, &mut a, &mut r);
        assert_eq!(r, [1.0 + 0.5 * 2.0 + 0.25 * 4.0 + 0.125 * 8.0, 2.0 + 0.5 * 4.0 + 0.25 * 8.0, 8.0]);
        advantages(&steps, 0.5, 0.0, &mut a, &mut r);
        assert_eq!(r, [1.0 + 0.5 * 5.0, 2.0 + 0.5 * 7.0, 8.0]);
        advantages(&steps, 0.0, 1.0, &mut a, &mut r);
        assert_eq!(r, rewards);
    }

    #[test]
    fn advantages_get_mean_0_and_deviation_1_and_a_single_one_stays() {
        let (mean, scale) = standardized(&[9.0, 1.0, 9.0, 3.0, 5.0], &[1, 3, 4]);
        assert_eq!((mean, scale), (3.0, 0.5));
        assert_eq!(standardized(&[9.0, 1.0], &[1]), (0.0, 1.0));
        // All alike: nothing to prefer.
        let (mean, scale) = standardized(&[0.1; 7], &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((0.1 - mean) * scale, 0.0);
    }
}
