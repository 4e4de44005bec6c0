//! The trimmed Spearman-Karber estimate, and what it needs: doses that ascend and shares that never fall.

/// Whether there is a dose and all are finite and distinct, in ascending order.
pub(super) fn ascend(doses: &[f64]) -> bool {
    !doses.is_empty()
        && doses.iter().all(|dose| dose.is_finite())
        && doses.windows(2).all(|pair| pair[0] < pair[1])
}

/// The nearest sequence that never falls: neighbours that do are replaced by their mean, weighed, until none is left
/// (Ayer, Brunk, Ewing, Reid and Silverman 1955, "An empirical distribution function for sampling with incomplete
/// information").
///
/// `None` for different lengths, a value that is not finite, or a weight that is not above 0.
pub fn pool_adjacent_violators(values: &[f64], weights: &[f64]) -> Option<Vec<f64>> {
    let usable = values.iter().all(|value| value.is_finite())
        && weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
    if values.len() != weights.len() || !usable {
        return None;
    }
    // Weight, weighed sum and number of the values of each block.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values.iter().zip(weights) {
        let mut block = (*weight, value * weight, 1);
        while let Some(before) = blocks.last().filter(|before| before.1 / before.0 > block.1 / block.0) {
            block = (before.0 + block.0, before.1 + block.1, before.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    Some(blocks.iter().flat_map(|block| vec![block.1 / block.0; block.2]).collect())
}

/// The least trim in [0, 0.5) with which [`spearman_karber`] has a value: shares below it and above 1 - it were not seen.
///
/// This is the automatic trim of the program that the method is known by (US EPA, "Trimmed Spearman-Karber",
/// version 1.5). `None` unless `lost` begins below a half and ends above it.
pub fn least_trim(lost: &[f64]) -> Option<f64> {
    let trim = lost.first()?.max(1.0 - lost.last()?).max(0.0);
    (trim < 0.5).then_some(trim)
}

/// The trimmed Spearman-Karber estimate of the dose at which half are lost, in the unit of `doses`.
///
/// The mean of the distribution whose share up to each of `doses` is that of `lost`, straight in between, without the
/// share `trim` at each end. `lost` are shares in [0, 1] that never fall ([`pool_adjacent_violators`]).
/// `None` for doses that do not ascend, other shares, a trim outside [0, 0.5), and where `lost` does not
/// reach from `trim` to 1 - `trim`.
pub fn spearman_karber(doses: &[f64], lost: &[f64], trim: f64) -> Option<f64> {
    let shares = lost.iter().all(|share| (0.0..=1.0).contains(share));
    let rise = lost.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascend(doses) || doses.len() != lost.len() || !shares || !rise || !(0.0..0.5).contains(&trim) {
        return None;
    }
    let (bottom, top) = (trim, 1.0 - trim);
    if *lost.first()? > bottom || *lost.last()? < top {
        return None;
    }
    // Each piece is straight, so the mean of what it keeps is the middle of where it is cut.
    let piece = |(dose, lost): (&[f64], &[f64])| {
        let (from, to) = (lost[0].max(bottom), lost[1].min(top));
        if to <= from {
            return 0.0;
        }
        let at = |share: f64| dose[0] + (dose[1] - dose[0]) * (share - lost[0]) / (lost[1] - lost[0]);
        (to - from) * f64::midpoint(at(from), at(to))
    };
    let sum: f64 = doses.windows(2).zip(lost.windows(2)).map(piece).sum();
    let limit = sum / (top - bottom);
    limit.is_finite().then_some(limit)
}
