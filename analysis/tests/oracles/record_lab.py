"""Records what statsmodels and scipy say of fixed data, as lab.json beside this file: rows alike in time, sign-flip
tests, several tests at once, arms of a bandit.

pip install statsmodels==0.15.0 scipy==1.17.1; python record_lab.py
"""

import itertools
import json
import pathlib

import numpy as np
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import S_hac_simple

rng = np.random.default_rng(29)


def ar(n, rho, trend=0.0):
    e = rng.normal(size=n)
    x = np.empty(n)
    x[0] = e[0] / np.sqrt(1 - rho**2)
    for t in range(1, n):
        x[t] = rho * x[t - 1] + e[t]
    return np.round(x + trend * np.arange(n), 3)


def serial(values):
    """Newey and West's variance of a mean: with whole lags by OLS on a constant, with Andrews's bandwidth by weights."""
    n = len(values)
    centered = values - values.mean()
    rho = float(sm.OLS(centered[1:], centered[:-1]).fit().params[0])
    # Andrews 1991, 6.4, for one series: the innovations' variance as it stands there, above and below.
    s2 = float(np.var(centered[1:] - rho * centered[:-1]))
    alpha = (4 * rho**2 * s2**2 / ((1 - rho) ** 6 * (1 + rho) ** 2)) / (s2**2 / (1 - rho) ** 4)
    bandwidth = float(np.clip(1.1447 * (alpha * n) ** (1 / 3), 1, n))
    lags = [0, 1, 4, 12]
    fits = [sm.OLS(values, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": False}) for lag in lags]
    weights = lambda nlags: np.maximum(0.0, 1 - np.arange(nlags + 1) / bandwidth)
    long_run = float(S_hac_simple(centered[:, None], nlags=n - 1, weights_func=weights).item() / n)
    return {
        "values": values.tolist(),
        "mean": float(values.mean()),
        "rho": rho,
        "bandwidth": bandwidth,
        "lags": lags,
        "long_run_by_lags": [float(fit.bse[0] ** 2 * n) for fit in fits],
        "long_run": long_run,
        "effective": float(n * values.var() / long_run),
    }


series = [serial(ar(*of)) for of in [(40, 0.0), (150, 0.5), (150, 0.9), (150, 0.98), (60, -0.6), (80, 0.3, 0.1)]]


def difference(pre, post):
    se = np.sqrt(sum(window["long_run"] / len(window["values"]) for window in (pre, post)))
    delta = post["mean"] - pre["mean"]
    low, high = stats.norm.interval(0.95, loc=delta, scale=se)
    return {"delta": delta, "se": float(se), "low": float(low), "high": float(high)}


def flip(differences):
    """Scipy's test of all sign patterns, two-sided."""
    result = stats.permutation_test(
        (np.asarray(differences),), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True, axis=-1
    )
    return float(result.pvalue)


def invert(differences):
    """The ends of what the test at 5% does not reject, by bisection of scipy's p alone."""
    differences = np.asarray(differences)
    p = lambda shift: flip(differences - shift)
    ends = []
    for far in (differences.min() - 1.0, differences.max() + 1.0):
        rejected, kept = far, float(differences.mean())
        assert p(rejected) <= 0.05 < p(kept)
        for _ in range(60):
            middle = (rejected + kept) / 2
            rejected, kept = (middle, kept) if p(middle) <= 0.05 else (rejected, middle)
        ends.append(kept)
    return ends


flips = []
for differences in [
    np.round(rng.normal(0.5, 1.0, 8), 2),
    np.round(rng.normal(0.0, 1.0, 8), 2),
    np.round(rng.normal(1.5, 1.0, 6), 2),
    np.round(rng.gamma(1.0, 2.0, 10), 2),
    np.round(rng.normal(0.4, 0.5, 9), 1),
]:
    low, high = invert(differences)
    flips.append({"differences": differences.tolist(), "p": flip(differences), "low": low, "high": high})
for differences in [np.round(rng.normal(0.6, 1.0, 16), 2), [0.0, 1.0, -1.0, 2.0, 0.5], [0.1, 0.2, -0.3], [1.0, 2.0]]:
    flips.append({"differences": list(differences), "p": flip(differences)})


def detectable(pairs, draws):
    """The effect, in standard deviations of a difference, that all sign patterns show at 5% in 80% of draws."""
    signs = np.array(list(itertools.product([1, -1], repeat=pairs)))
    noise = rng.normal(size=(draws, pairs))

    def power(effect):
        sums = np.abs((noise + effect) @ signs.T)
        p = (sums >= np.abs((noise + effect).sum(axis=1))[:, None] - 1e-9).mean(axis=1)
        right = (noise + effect).sum(axis=1) > 0
        return float(((p <= 0.05) & right).mean())

    return optimize.bisect(lambda effect: power(effect) - 0.8, 0.1, 8.0, xtol=1e-4)


power = [{"pairs": pairs, "effect": detectable(pairs, 20_000)} for pairs in (6, 8, 10)]

holm = []
for p in [[0.04, 0.01, 0.02], [0.9, 0.8], [0.03], [0.01, 0.01, 0.5, 0.04, 0.013], np.round(rng.random(12) ** 3, 4).tolist()]:
    holm.append({"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()})

PRIOR = {"mean": 0.0, "strength": 0.01, "shape": 0.5, "scale": 0.0006}


def student(x, mean, strength, shape, scale):
    """The posterior of a mean from all rewards at once (Murphy 2007, equations 85 to 89), as scipy's t."""
    n, average = len(x), np.mean(x) if len(x) else 0.0
    total = strength + n
    b = scale + ((x - average) ** 2).sum() / 2 + strength * n * (average - mean) ** 2 / (2 * total)
    a = shape + n / 2
    return stats.t(2 * a, loc=(strength * mean + n * average) / total, scale=np.sqrt(b / (a * total)))


def by_bayes(x, points, mean, strength, shape, scale):
    """The same distribution function by prior times likelihood, summed over a grid of means and variances."""
    t = student(x, mean, strength, shape, scale)
    logs = np.linspace(np.log(scale) - 9, np.log(scale) + 16, 500)[:, None]
    variance = np.exp(logs)
    below = []
    edges = sorted([*points, *t.ppf([1e-9, 1e-7, 1e-5, 1e-3, 0.05, 0.95, 1 - 1e-3, 1 - 1e-5, 1 - 1e-7, 1 - 1e-9])])
    for low, high in zip(edges, edges[1:]):
        mu = np.linspace(low, high, 401)[None, :]
        log_p = stats.invgamma.logpdf(variance, shape, scale=scale) + stats.norm.logpdf(mu, mean, np.sqrt(variance / strength))
        for value in x:
            log_p = log_p + stats.norm.logpdf(value, mu, np.sqrt(variance))
        p = np.exp(log_p - 3 * len(x)) * variance
        below.append(integrate.simpson(integrate.trapezoid(p, logs, axis=0), x=mu[0]))
    total = np.cumsum(below) / np.sum(below)
    return [total[edges.index(point) - 1] for point in points]


def bandit(rewards, margin):
    arms = [student(np.array(x), **PRIOR) for x in rewards]
    ahead = int(np.argmax([arm.mean() for arm in arms]))
    others = [arm for i, arm in enumerate(arms) if i != ahead]
    all_below = lambda x: np.prod([arm.cdf(x) for arm in others])
    reach = (-20.0, 20.0)
    points = [-0.05, -0.01, 0.0, 0.02, 0.06]
    options = {"points": sorted({arm.mean() + d for arm in arms for d in (-0.3, -0.05, 0, 0.05, 0.3)}), "limit": 2_000, "epsabs": 1e-10}
    p_best = integrate.quad(lambda x: arms[ahead].pdf(x) * all_below(x - margin), *reach, **options)[0]
    # E max(M - A, 0) for independent M, A: the integral of P(A < x < M).
    loss = integrate.quad(lambda x: arms[ahead].cdf(x) * (1 - all_below(x)), *reach, **options)[0]
    # What an arm is expected to be worse by than the best: that of the one ahead, and what its mean is behind.
    losses = [loss + arms[ahead].mean() - arm.mean() for arm in arms]
    for x, arm in zip(rewards, arms):
        assert np.allclose(by_bayes(np.array(x), points, **PRIOR), arm.cdf(points), atol=1e-6), (x, arm.cdf(points))
    return {
        "rewards": rewards, "margin": margin, "points": points, "cdf": [arm.cdf(points).tolist() for arm in arms],
        "ahead": ahead, "p_best": p_best, "expected_losses": losses,
    }


drawn = lambda means, n: [np.round(rng.normal(mean, 0.05, n), 3).tolist() for mean in means]
bandits = [bandit(drawn(means, n), 0.005) for means, n in [((0, 0, 0), 5), ((0, 0.05, 0), 8), ((0, 0.09, 0.01), 6)]]
bandits.append(bandit([[0.02, 0.05], [0.01, -0.04, 0.03]], 0.02))

record = {
    "made_by": "record_lab.py with statsmodels 0.15.0, scipy 1.17.1",
    "serial": series,
    "difference": difference(series[1], series[2]),
    "flips": flips,
    "power": power,
    "holm": holm,
    "bandits": bandits,
}
path = pathlib.Path(__file__).with_name("lab.json")
path.write_text(json.dumps(record, indent=1) + "\n")
