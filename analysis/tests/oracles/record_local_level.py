"""Records what statsmodels' UnobservedComponents says of local levels with control series, as local_level.json beside
this file.

pip install statsmodels==0.15.0 scipy==1.17.1; python record_local_level.py
"""

import json
import pathlib

import numpy as np
from scipy import optimize
from statsmodels.tsa.statespace.structural import UnobservedComponents

rng = np.random.default_rng(31)


def series(n, controls, level, irregular, outside):
    """A level that wanders, controls with coefficients of their own, noise; and rows after them."""
    x = np.round(np.cumsum(rng.normal(0, 0.3, (n + outside, controls)), axis=0) + rng.normal(0, 1, (n + outside, controls)), 3)
    wander = np.cumsum(rng.normal(0, level, n + outside))
    y = np.round(1.5 + wander + x @ np.linspace(0.8, -0.4, controls) + rng.normal(0, irregular, n + outside), 3)
    return y[:n], x[:n], x[n:]


def model(y, x):
    """Coefficients are states; level and coefficients begin with the variance 1e6, and so many rows are not counted."""
    exog = {"exog": x, "mle_regression": False} if x.shape[1] else {}
    found = UnobservedComponents(y, "llevel", **exog)
    assert found.loglikelihood_burn == 1 + x.shape[1] and found.ssm.initial_variance == 1e6
    return found


def case(n, controls, level, irregular, outside=20):
    y, x, ahead = series(n, controls, level, irregular, outside)
    mod = model(y, x)
    given = []
    for irregular_variance, level_variance in [(1.0, 0.1), (0.3, 1.2), (0.05, 0.001), (1.0, 0.0)]:
        result = mod.smooth([irregular_variance, level_variance])
        forecast = result.get_forecast(outside, **({"exog": ahead} if controls else {}))
        given.append({
            "irregular": irregular_variance,
            "level": level_variance,
            "log_likelihood": float(result.llf),
            "filtered": result.filtered_state[:, -1].tolist(),
            "filtered_variance": np.diag(result.filtered_state_cov[:, :, -1]).tolist(),
            "one_ahead": result.forecasts[0, 1 + controls:].tolist(),
            "forecast": forecast.predicted_mean.tolist(),
            "forecast_se": forecast.se_mean.tolist(),
        })
    # By statsmodels' own maximum, started from several places, and refined without derivatives.
    fits = [mod.fit(start, disp=0, maxiter=1_000) for start in ([1.0, 0.1], [0.1, 1.0], [0.5, 0.01])]
    best = max(fits, key=lambda fit: fit.llf).params
    refined = optimize.minimize(
        lambda roots: -mod.loglike(roots**2), np.sqrt(np.abs(best)), method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4_000},
    )
    return {
        "y": y.tolist(), "controls": x.T.tolist(), "ahead": ahead.T.tolist(), "given": given,
        "best": {
            "irregular": float(refined.x[0] ** 2), "level": float(refined.x[1] ** 2), "log_likelihood": float(-refined.fun),
        },
    }


record = {
    "made_by": "record_local_level.py with statsmodels 0.15.0, scipy 1.17.1",
    "cases": [case(80, 0, 0.3, 1.0), case(120, 1, 0.2, 0.5), case(150, 2, 0.05, 1.0), case(90, 1, 1.0, 0.3)],
}
path = pathlib.Path(__file__).with_name("local_level.json")
path.write_text(json.dumps(record, indent=1) + "\n")
