#!/usr/bin/env bash
# ray[tune] 2.60.0
#
# One guesses: when a stop criterion or a scheduler ends a trial, the training function's own cleanup is run as in any
# Python program: `finally` blocks to their end, and `Tuner.fit()` returns when they are over. So a trainer that closes its logs or
# writes a last checkpoint there can be read when fit() has returned.
# Seen: with the function API the next `tune.report` raises SystemExit, so the `finally` block is entered, but nobody waits for
# it: fit() returns while it is at work, and the process is ended in the midst of it. A block that takes three seconds
# never gets to its end. With the class API `cleanup()` is run to its end before fit() returns.
# Who measures runs by what they leave at their end counts stopped trials as broken ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[tune]==2.60.0"
HOME="$folder" RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" - "$folder" <<'PYTHON' 2>/dev/null
import pathlib
import sys
import time

import ray
from ray import tune

place = pathlib.Path(sys.argv[1])
# The cleanup's seconds: longer than fit() takes to return after the last report.
SECONDS = 3.0


def function(config):
    try:
        for step in range(1000):
            tune.report({"step": step})
            time.sleep(0.02)
    finally:
        (place / "function-began").touch()
        time.sleep(SECONDS)
        (place / "function-ended").touch()


class Class(tune.Trainable):
    def setup(self, config):
        self.steps = 0

    def step(self):
        self.steps += 1
        return {"step": self.steps}

    def save_checkpoint(self, checkpoint_dir):
        """Tune asks for one at the end."""

    def cleanup(self):
        (place / "class-began").touch()
        time.sleep(SECONDS)
        (place / "class-ended").touch()


def fit(trainable, name):
    config = tune.RunConfig(stop={"step": 5}, storage_path=str(place / "results"), name=name, verbose=0)
    tune.Tuner(trainable, run_config=config).fit()
    return {file.name for file in place.glob(f"{name}-*")}


ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
print("ray", ray.__version__)
function_then = fit(function, "function")
class_then = fit(Class, "class")
time.sleep(3 * SECONDS)
later = {file.name for file in place.glob("function-*")}
seen = {
    "a function's finally block has begun when fit() returns": "function-began" in function_then,
    "it has not ended then": "function-ended" not in function_then,
    "it never ends": "function-ended" not in later,
    "a class's cleanup() has ended when fit() returns": "class-ended" in class_then,
}
for what, holds in seen.items():
    print("as before:" if holds else "CHANGED:  ", what)
raise SystemExit(0 if all(seen.values()) else 1)
PYTHON
