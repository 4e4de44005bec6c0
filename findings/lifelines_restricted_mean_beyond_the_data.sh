#!/usr/bin/env bash
# lifelines 0.30.3 (scipy 1.17.1, pandas 2.3.3, numpy 2.4.6)
#
# One guesses: a restricted mean survival time up to a time that nobody was watched until is refused, warned
# about, or cut at the last observation (R's survRM2 stops beyond the smaller of the two longest times).
# Seen: `restricted_mean_survival_time` carries the last survival on as far as it is asked, without a word. Of
# four lives, the last censored at 40, the mean up to 40 is 25; up to 100 it is 40; up to 1,000,000 it is
# 250,015; and up to the default, infinity, it is infinite. Comparing two policies at one horizon, of which one
# was watched for less, the difference is made of steps that nobody played.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lifelines==0.30.3 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import math
import warnings

import lifelines
from lifelines import KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

print("lifelines", lifelines.__version__)
curve = KaplanMeierFitter().fit([10, 20, 30, 40], event_observed=[1, 1, 1, 0])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    means = {until: restricted_mean_survival_time(curve, t=until) for until in (40, 100, 1e6)}
    default = restricted_mean_survival_time(curve)
for until, mean in means.items():
    print(f"up to {until:.0f}: {mean}")
print("up to the default:", default, "| warnings:", len(said))
as_before = (
    math.isclose(means[40], 25.0)
    and math.isclose(means[100], 40.0)
    and math.isclose(means[1e6], 250_015.0)
    and math.isinf(default)
    and not said
)
print("as before" if as_before else "CHANGED")
raise SystemExit(0 if as_before else 1)
PYTHON
