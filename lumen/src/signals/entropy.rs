//! Entropies in nats, from counts.

/// Symbols that can be told apart at most: the actions of both worlds.
pub const SYMBOLS: usize = 6;

/// How often each symbol followed each: `counts[before][after]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    /// `[before][after]`
    pub counts: [[u32; SYMBOLS]; SYMBOLS],
}

impl Transitions {
    /// Counts `after` behind `before`; symbols that there are not are left out.
    pub fn add(&mut self, before: usize, after: usize) {
        if let Some(count) = self.counts.get_mut(before).and_then(|counts| counts.get_mut(after)) {
            *count += 1;
        }
    }

    /// Counts all of `other` too.
    pub fn merge(&mut self, other: &Transitions) {
        for (mine, theirs) in self.counts.as_flattened_mut().iter_mut().zip(other.counts.as_flattened()) {
            *mine += theirs;
        }
    }

    /// Entropy of a symbol given the one before, over that of `symbols` equally likely ones: in `[0, 1]`. None without a
    /// transition, or with fewer than two symbols.
    ///
    /// With the correction of Miller and Madow for the entropies of pairs and of the symbols before, whose difference
    /// it is.
    pub fn rate(&self, symbols: usize) -> Option<f64> {
        if symbols < 2 {
            return None;
        }
        let before: Vec<u32> = self.counts.iter().map(|counts| counts.iter().sum()).collect();
        let joint = miller_madow(self.counts.as_flattened())?;
        Some(((joint - miller_madow(&before)?) / (symbols as f64).ln()).clamp(0.0, 1.0))
    }
}

/// Entropy in nats with the correction (seen symbols - 1) / (2 n); none without a count.
pub fn miller_madow(counts: &[u32]) -> Option<f64> {
    let n: f64 = counts.iter().copied().map(f64::from).sum();
    let seen = counts.iter().filter(|&&count| count > 0);
    let plain: f64 = seen.clone().map(|&count| f64::from(count) / n).map(|p| -p * p.ln()).sum();
    (n > 0.0).then(|| plain + (seen.count() as f64 - 1.0) / (2.0 * n))
}

/// Entropy in bits; none without a count.
pub fn bits(counts: &[u64]) -> Option<f64> {
    let n = counts.iter().sum::<u64>() as f64;
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / n);
    (n > 0.0).then(|| shares.map(|p| -p * p.log2()).sum::<f64>().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_follows_from_the_one_before_has_no_entropy() {
        let mut turns = Transitions::default();
        assert_eq!(turns.rate(6), None);
        for i in 0..60 {
            turns.add(i % 3, (i + 1) % 3);
        }
        // Pairs and symbols before have the same counts: the corrections are the same, too.
        assert_eq!(turns.rate(6), Some(0.0));
        assert_eq!(turns.rate(1), None);
    }

    #[test]
    fn symbols_that_follow_evenly_have_it_all() {
        let mut turns = Transitions::default();
        for pair in 0..36 {
            (0..1000).for_each(|_| turns.add(pair / 6, pair % 6));
        }
        // ln 6 + (35 - 5) / (2 * 36,000), over ln 6, is cut to 1.
        assert_eq!(turns.rate(6), Some(1.0));
        turns.add(6, 0);
        turns.add(0, 6);
        assert_eq!(turns.counts.as_flattened().iter().sum::<u32>(), 36_000);
    }

    #[test]
    fn the_correction_is_that_of_miller_and_madow() {
        // H(1/2, 1/4, 1/4) = 1.5 ln 2 by hand, and 2 / (2 * 8).
        assert!((miller_madow(&[4, 2, 2, 0]).unwrap() - (1.5 * 2.0_f64.ln() + 0.125)).abs() < 1e-12);
        assert_eq!(miller_madow(&[0, 0]), None);
        assert!((bits(&[4, 2, 2, 0]).unwrap() - 1.5).abs() < 1e-12);
        assert_eq!((bits(&[7]), bits(&[])), (Some(0.0), None));
    }
}
