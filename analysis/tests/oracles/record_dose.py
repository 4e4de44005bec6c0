"""Records what statsmodels, scikit-learn and scipy say of fixed data, as dose.json beside this file.

pip install statsmodels==0.15.0 scipy==1.17.1 scikit-learn==1.9.1; python record_dose.py
"""

import json
import pathlib
from fractions import Fraction

import numpy as np
import statsmodels.api as sm
from scipy import stats
from sklearn.isotonic import IsotonicRegression

rng = np.random.default_rng(13)


def fit(doses, survived, episodes):
    """Intercept, slope, and the dose at which half survive."""
    counts = np.column_stack([survived, np.array(episodes) - np.array(survived)])
    design = sm.add_constant(np.array(doses, dtype=float))
    found = sm.GLM(counts, design, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200)
    intercept, slope = found.params
    return float(intercept), float(slope), float(-intercept / slope)


# Doses of drift, bioassays, far from 0, uneven numbers, nearly separated, hardly falling.
sets = [
    ([0.016, 0.018, 0.02, 0.022, 0.024, 0.026], [300, 297, 281, 180, 42, 3], [300] * 6),
    ([0.005, 0.02, 0.05], [19, 10, 2], [20] * 3),
    ([1000.0, 1000.5, 1001.0, 1003.0], [40, 31, 22, 1], [40, 33, 50, 45]),
    ([-2.0, -1.0, 0.0, 1.0, 2.0], [50, 50, 49, 1, 0], [50] * 5),
    ([1.0, 2.0, 3.0, 4.0], [6, 5, 6, 4], [10] * 4),
    ([0.01, 0.011], [99, 1], [100, 100]),
]
logistic = []
for doses, survived, episodes in sets:
    intercept, slope, limit = fit(doses, survived, episodes)
    logistic.append({
        "doses": doses, "survived": survived, "episodes": episodes,
        "intercept": intercept, "slope": slope, "limit": limit,
    })


def isotonic(values, weights):
    model = IsotonicRegression()
    return model.fit_transform(np.arange(len(values)), values, sample_weight=weights).tolist()


pooled = []
for values, weights in [
    ([0.1, 0.05, 0.3, 0.2, 0.25, 0.9], [20, 10, 19, 30, 7, 12]),
    ([5.0, 4.0, 3.0, 2.0], [1, 1, 1, 1]),
    (np.round(rng.random(30), 1).tolist(), rng.integers(1, 40, 30).tolist()),
]:
    pooled.append({"values": values, "weights": weights, "pooled": isotonic(values, weights)})


def spearman_karber(doses, lost, trim):
    """The mean of the inverse distribution over (trim, 1 - trim), in whatever numbers are given."""
    total = 0
    for (x0, x1), (p0, p1) in zip(zip(doses, doses[1:]), zip(lost, lost[1:])):
        a, b = max(p0, trim), min(p1, 1 - trim)
        if b > a:
            inverse = lambda share: x0 + (x1 - x0) * (share - p0) / (p1 - p0)
            total += (b - a) * (inverse(a) + inverse(b)) / 2
    return total / (1 - 2 * trim)


# In whole numbers and fractions; drift in millionths.
exact = []
for doses, lost, of, trim in [
    ([16_000, 18_000, 20_000, 22_000, 24_000, 26_000], [0, 3, 19, 120, 258, 300], 300, Fraction(0)),
    ([16_000, 18_000, 20_000, 22_000, 24_000, 26_000], [0, 3, 19, 120, 258, 300], 300, Fraction(1, 10)),
    ([5, 7, 11], [2, 3, 9], 10, Fraction(1, 5)),
]:
    value = spearman_karber([Fraction(d) for d in doses], [Fraction(n, of) for n in lost], trim)
    exact.append({
        "doses": doses, "lost": lost, "of": of, "trim": float(trim),
        "fraction": f"{value.numerator}/{value.denominator}", "limit": float(value),
    })

# McNemar's exact test, on the side of a rise.
rises = [
    {"up": up, "down": down, "p": float(stats.binomtest(up, up + down, 0.5, alternative="greater").pvalue)}
    for up, down in [(5, 0), (9, 2), (30, 12), (51, 40), (3, 3)]
]

# Sixty systems, each with the dose that it bears and a little luck at every dose: paired, not alike.
doses = [0.016, 0.018, 0.02, 0.021, 0.022, 0.024, 0.026, 0.028]
borne = rng.logistic(0.0215, 0.0012, 60)
alive = np.array([borne + rng.normal(0, 0.0008, 60) > dose for dose in doses])


def sk_limit(alive):
    lost = isotonic((1 - alive.mean(axis=1)).tolist(), [1] * len(doses))
    trim = max(lost[0], 1 - lost[-1], 0.2)
    return spearman_karber(doses, lost, trim)


def logistic_limit(alive):
    return fit(doses, alive.sum(axis=1), [alive.shape[1]] * len(doses))[2]


# Shares beyond the ends: those of Hesterberg's widened interval for 60 values.
n = 60
tail = float(stats.norm.cdf(-np.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1)))
bootstrap = {"doses": doses, "alive": alive.astype(int).tolist()}
for name, limit, resamples in [("spearman-karber", sk_limit, 20_000), ("logistic", logistic_limit, 10_000)]:
    draws = [limit(alive[:, rng.integers(0, n, n)]) for _ in range(resamples)]
    low, high = np.quantile(draws, [tail, 1 - tail])
    bootstrap[name] = {"limit": limit(alive), "low": float(low), "high": float(high)}

record = {
    "made_by": "record_dose.py with statsmodels 0.15.0, scipy 1.17.1, scikit-learn 1.9.1",
    "logistic": logistic,
    "pooled": pooled,
    "exact": exact,
    "rises": rises,
    "bootstrap": bootstrap,
}
path = pathlib.Path(__file__).with_name("dose.json")
path.write_text(json.dumps(record, indent=1) + "\n")
