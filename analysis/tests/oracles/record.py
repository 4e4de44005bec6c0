"""Records what rliable, scipy and scikit-learn say of fixed data, as oracles.json beside this file.

The ends of intervals are drawn anew each time: rliable does not hand its random_state on.

pip install rliable==1.2.0 scipy==1.17.1 scikit-learn==1.9.1 "pandas<3"; python record.py
"""

import json
import pathlib

import numpy as np
from rliable import library, metrics
from scipy import stats
from sklearn import metrics as sk

rng = np.random.default_rng(5)
TAUS = [-1.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 3.0]


def scores(runs, shift):
    """[run, task]: three tasks of different spread, rounded so that there are ties."""
    tasks = [rng.normal(0.6 + shift, 0.3, runs), rng.gamma(2.0, 0.4 + shift / 4, runs), rng.normal(1.1, 0.8, runs)]
    return np.round(np.stack(tasks, axis=1), 2)


a, b = scores(11, 0.3), scores(9, 0.0)
aggregate = lambda x: np.array([
    metrics.aggregate_mean(x),
    metrics.aggregate_median(x),
    metrics.aggregate_iqm(x),
    metrics.aggregate_optimality_gap(x, 1.0),
])
points, intervals = library.get_interval_estimates({"a": a, "b": b}, aggregate, reps=50_000, random_state=np.random.RandomState(1))
improvement, improvement_interval = library.get_interval_estimates(
    {"a,b": (a, b)},
    lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
    reps=50_000,
    random_state=np.random.RandomState(2),
)
profile, _ = library.create_performance_profile({"a": a, "b": b}, TAUS, reps=10)

x = np.round(rng.normal(0.4, 1.0, 14), 1)
y = np.round(rng.normal(0.0, 1.0, 14), 1)
x[3] = y[3]
signed = {
    "x": x.tolist(),
    "y": y.tolist(),
    # All sign patterns of the ranks: exact with ties. Rounded, so that equal differences do tie.
    "exact": float(stats.wilcoxon(np.round(x - y, 9), method=stats.PermutationMethod(n_resamples=np.inf)).pvalue),
    "long_x": (long_x := np.round(rng.normal(0.2, 1.0, 200), 1)).tolist(),
    "long_y": (long_y := np.round(rng.normal(0.0, 1.0, 200), 1)).tolist(),
    "asymptotic": float(stats.wilcoxon(np.round(long_x - long_y, 9), method="asymptotic").pvalue),
}

labels = rng.integers(0, 2, 300)
score = np.round(np.clip(rng.normal(0.45 + 0.1 * labels, 0.2), 0, 1), 2)
fpr, tpr, _ = sk.roc_curve(labels, score, drop_intermediate=False)
roc = {
    "labels": labels.tolist(),
    "scores": score.tolist(),
    "auc": float(sk.roc_auc_score(labels, score)),
    "fpr": fpr.tolist(),
    "tpr": tpr.tolist(),
    "pearson": float(stats.pearsonr(labels, score).statistic),
}

# One task of many runs, its profile with the bootstrap's pointwise band. [run, 1]
many = np.round(rng.normal(0.5, 0.5, 150), 2)
many_profile, many_band = library.create_performance_profile({"many": many[:, None]}, np.array(TAUS), reps=50_000)

record = {
    "made_by": "record.py with rliable 1.2.0, scipy 1.17.1, scikit-learn 1.9.1",
    "scores": {"a": a.T.tolist(), "b": b.T.tolist()},
    "order": ["mean", "median", "iqm", "optimality_gap"],
    "points": {name: value.tolist() for name, value in points.items()},
    "intervals": {name: value.tolist() for name, value in intervals.items()},
    "improvement": float(improvement["a,b"][0]),
    "improvement_interval": improvement_interval["a,b"][:, 0].tolist(),
    "taus": TAUS,
    "profile": {name: value.tolist() for name, value in profile.items()},
    "many": {
        "scores": many.tolist(),
        "profile": many_profile["many"].tolist(),
        "low": many_band["many"][0].tolist(),
        "high": many_band["many"][1].tolist(),
    },
    "signed_rank": signed,
    "roc": roc,
}
path = pathlib.Path(__file__).with_name("oracles.json")
path.write_text(json.dumps(record, indent=1) + "\n")
