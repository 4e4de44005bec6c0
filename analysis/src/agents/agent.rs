//! An agent in one world, and beside the baseline there.

use std::collections::HashMap;

use serde::Serialize;

use crate::read::episodes::{Played, Recipe};
use crate::stats::Interval;
use crate::stats::compare::{improvement_interval, probability_of_improvement};
use crate::stats::paired::{differences, holm, signed_rank_p};
use crate::stats::student::mean_interval;
use crate::stats::summary::mean;

/// What one agent did in one world.
#[derive(Clone, Debug, Serialize)]
pub struct Agent {
    /// Its name; with its run where the same seeds were played twice.
    pub name: String,
    /// Of a trained one how it came about, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// Episodes that were played.
    pub episodes: u64,
    /// Mean return.
    pub mean: Option<f64>,
    /// Its 95% interval by Student's t; that of the optimality gap too, the others by bootstrap.
    pub mean_interval: Option<Interval>,
    /// Median return.
    pub median: Option<f64>,
    /// Its interval.
    pub median_interval: Option<Interval>,
    /// Interquartile mean of the returns.
    pub iqm: Option<f64>,
    /// Its interval.
    pub iqm_interval: Option<Interval>,
    /// By how much the returns fall short of the world's target on average.
    pub optimality_gap: Option<f64>,
    /// Its interval, of the target as it is.
    pub optimality_gap_interval: Option<Interval>,
    /// Mean length of an episode in steps.
    pub steps: Option<f64>,
    /// Share of the episodes that ended by loss.
    pub lost: f64,
    /// How it compares with the baseline; `None` for the baseline itself.
    pub against_baseline: Option<Comparison>,
    #[serde(skip)]
    pub(super) played: Played,
}

/// An agent beside the baseline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// The chance that an episode of it beats one of the baseline, ties counting half.
    pub improvement: Option<f64>,
    /// Its 95% interval.
    pub improvement_interval: Option<Interval>,
    /// Episodes that both played with the same seed.
    pub pairs: usize,
    /// Mean difference of those pairs.
    pub difference: Option<f64>,
    /// Its 95% interval.
    pub difference_interval: Option<Interval>,
    /// Wilcoxon's signed-rank test of those pairs.
    pub p: Option<f64>,
    /// The same, for as many agents as there are (Holm).
    pub p_holm: Option<f64>,
}

pub(super) fn against(played: &Played, baseline: &Played) -> Comparison {
    let (x, y) = (&played.returns, &baseline.returns);
    Comparison {
        improvement: probability_of_improvement(x, y),
        improvement_interval: improvement_interval(x, y),
        ..paired(played, baseline)
    }
}

/// The comparison of the episodes that both played with the same seed.
pub(super) fn paired(played: &Played, baseline: &Played) -> Comparison {
    let by_seed: HashMap<u64, f64> =
        baseline.seeds.iter().copied().zip(baseline.returns.iter().copied()).collect();
    let pairs: Vec<(f64, f64)> = played
        .seeds
        .iter()
        .zip(&played.returns)
        .filter_map(|(seed, &mine)| by_seed.get(seed).map(|&theirs| (mine, theirs)))
        .collect();
    let (mine, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let differences = differences(&mine, &theirs);
    Comparison {
        pairs: pairs.len(),
        difference: mean(&differences),
        difference_interval: mean_interval(&differences),
        p: signed_rank_p(&mine, &theirs),
        ..Comparison::default()
    }
}

pub(super) fn correct_for_many(agents: &mut [Agent]) {
    let tested: Vec<(usize, f64)> = agents
        .iter()
        .enumerate()
        .filter_map(|(index, agent)| Some((index, agent.against_baseline.as_ref()?.p?)))
        .collect();
    let corrected = holm(&tested.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    for ((index, _), p) in tested.iter().zip(corrected) {
        if let Some(comparison) = &mut agents[*index].against_baseline {
            comparison.p_holm = Some(p);
        }
    }
}
