#!/usr/bin/env bash
# rliable 1.2.0 (arch 7.2.0, numpy 1.26 or later)
#
# One guesses: `get_interval_estimates`, whose default confidence_interval_size is 0.95, gives intervals that hold
# the true value in some 95% of studies, also for the three to five seeds that most papers have.
# Seen: it is a percentile bootstrap of the runs, which can never leave their range. Of normal scores with the true
# mean 0 the interval of the mean holds it in about half of the studies with 2 runs, 7 of 10 with 3, 85% with 5,
# some 90% with 10; no warning is given. Two policies that are the same are told apart far too often, and only more
# runs, or Student's t, help: more resamples do not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rliable==1.2.0 arch==7.2.0 "pandas<3"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import warnings

import numpy as np
from rliable import library, metrics

print("rliable", importlib.metadata.version("rliable"), "arch", importlib.metadata.version("arch"))
random = np.random.default_rng(1)
STUDIES = 300
# Runs, and between which shares of the studies the interval was seen to hold the truth (four standard errors).
expected = {2: (0.38, 0.62), 3: (0.62, 0.85), 5: (0.76, 0.93), 10: (0.85, 0.98)}
as_before = True
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always", UserWarning)
    for runs, (low, high) in expected.items():
        held = 0
        for _ in range(STUDIES):
            scores = {"agent": random.normal(size=(runs, 1))}
            mean = lambda sample: np.array([metrics.aggregate_mean(sample)])
            _, interval = library.get_interval_estimates(scores, mean, reps=500)
            below, above = interval["agent"][:, 0]
            held += below <= 0.0 <= above
        share = held / STUDIES
        as_before &= low < share < high
        print(f"{runs} runs: the 95% interval holds the truth in {share:.0%} of {STUDIES} studies")
    about_size = [str(warning.message) for warning in said if "run" in str(warning.message).lower()]
as_before &= not about_size
print("as before" if as_before else f"CHANGED {about_size}")
raise SystemExit(0 if as_before else 1)
PYTHON
