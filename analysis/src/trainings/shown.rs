//! What a report shows of a training and of a drift.

use crate::read::log::SAMPLED;

/// A column that gets a figure.
pub(super) struct Measure {
    pub(super) column: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// What it is and what to look for.
    pub(super) caption: &'static str,
}

/// What a report shows of a log.
pub(super) struct Shown {
    pub(super) question: &'static str,
    pub(super) kind: &'static str,
    /// The first says how well it goes.
    pub(super) measures: &'static [Measure],
    /// Whether less is better.
    pub(super) less: bool,
}

pub(super) const TRAINING: Shown = Shown {
    question: "Did the training learn?",
    kind: "training",
    measures: &[
        Measure {
            column: "return_mean",
            title: "Return while training",
            unit: "mean return of up to 100 episodes",
            caption: "Mean return of the last 100 training episodes, or of as many as have ended: it rises while the policy learns and levels off when it has.",
        },
        Measure {
            column: SAMPLED,
            title: "Return with sampled actions",
            unit: "mean return of an episode",
            caption: "Mean return of episodes that are not trained on, with actions drawn as in training: before the first update, and later on.",
        },
        Measure {
            column: "greedy_return",
            title: "Return with greedy actions",
            unit: "return of an episode",
            caption: "Return with the most probable action, measured at intervals on episodes that are not trained on.",
        },
        Measure {
            column: "value_loss",
            title: "Value loss",
            unit: "squared normalised return",
            caption: "Squared error of the value network, in normalised returns: small once its predictions are accurate.",
        },
        Measure {
            column: "entropy",
            title: "Entropy of the policy",
            unit: "entropy, nats",
            caption: "How undecided the policy is: 0 is always the same action, the logarithm of the number of actions is uniform guessing.",
        },
    ],
    less: false,
};

pub(super) const DRIFT: Shown = Shown {
    question: "Did the network track the drifting target?",
    kind: "drift",
    measures: &[
        Measure {
            column: "gap_R",
            title: "Error (gap R)",
            unit: "squared error",
            caption: "Squared distance between the network and the drifting target, on a logarithmic scale. Each quarter of the target has a different waveform and amplitude: compare errors with the variance of the quarter.",
        },
        Measure {
            column: "smoothed_risk",
            title: "Smoothed risk",
            unit: "risk (0 to 1)",
            caption: "The risk that the predictor sees, smoothed; the learning rate follows it.",
        },
        Measure {
            column: "lr",
            title: "Learning rate",
            unit: "learning rate",
            caption: "The learning rate that follows from the risk.",
        },
    ],
    less: true,
};
