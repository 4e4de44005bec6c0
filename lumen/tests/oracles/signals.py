"""Records what scipy says of series that signals are taken of: `python signals.py > signals.json` (scipy 1.x, numpy).

Nothing here is of this project: the series are made, and each value is computed, by scipy and numpy alone.
"""

import json

import numpy as np
import scipy
from scipy import signal, stats

ROWS, SEGMENT, HOP = 144, 32, 16


def phase(x, y):
    """Strongest common frequency (not 0), its phase, and its coherence."""
    args = dict(window="hann", nperseg=SEGMENT, noverlap=SEGMENT - HOP, detrend="constant")
    frequency, cross = signal.csd(x, y, **args)
    _, coherence = signal.coherence(x, y, **args)
    at = 1 + int(np.argmax(np.abs(cross[1:])))
    return {"frequency": frequency[at], "phase": float(np.angle(cross[at])), "coherence": coherence[at]}


def autoregressive(rng, rho, n):
    noise = rng.standard_normal(n)
    series = np.zeros(n)
    for i in range(1, n):
        series[i] = rho * series[i - 1] + noise[i]
    return series


def conditional(symbols):
    """Entropy of a symbol given the one before, in nats, by scipy, with the Miller-Madow corrections."""
    pairs = np.zeros((6, 6))
    for before, after in zip(symbols, symbols[1:]):
        pairs[before, after] += 1
    n = pairs.sum()
    corrected = lambda counts: stats.entropy(counts) + ((counts > 0).sum() - 1) / (2 * n)
    return pairs, corrected(pairs.ravel()) - corrected(pairs.sum(axis=1))


def main():
    rng = np.random.default_rng(15)
    series = []
    for name, rho, share, lag in [
        ("independent", 0.0, 0.0, 0),
        ("independent, slow", 0.9, 0.0, 0),
        ("follows after two rows", 0.0, 0.95, 2),
        ("follows after three rows, slow", 0.8, 0.9, 3),
        ("with a trend", 0.5, 0.6, 1),
    ]:
        cause = autoregressive(rng, rho, ROWS + lag)
        x, echo = cause[lag:], cause[: ROWS]
        y = share * echo + (1 - share) * autoregressive(rng, rho, ROWS)
        if "trend" in name:
            x = x + np.linspace(0, 5, ROWS)
        series.append({"name": name, "x": x.tolist(), "y": y.tolist(), **phase(x, y)})
    symbols = []
    for weight in [0.0, 0.5, 0.95]:
        drawn = [0]
        for _ in range(300):
            drawn.append((drawn[-1] + 1) % 6 if rng.random() < weight else int(rng.integers(6)))
        pairs, rate = conditional(drawn)
        symbols.append({"counts": pairs.astype(int).tolist(), "nats": float(rate)})
    lanes = rng.standard_normal((5, 40)) + 0.8 * rng.standard_normal(40)
    correlations = np.corrcoef(lanes)
    pairs = [correlations[i, j] for i in range(5) for j in range(i)]
    print(
        json.dumps(
            {
                "made_by": f"scipy {scipy.__version__}, numpy {np.__version__}",
                "phase": series,
                "entropy": symbols,
                "coupling": {"residuals": lanes.tolist(), "mean": float(np.mean(pairs))},
            }
        )
    )


main()
