"""The example of Ray Tune: weak trials are stopped in order, and the best one is evaluated."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

pytest.importorskip("ray.tune", reason="ray is installed without tune", exc_type=ImportError)

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "ray_tune.py"
# Long enough that a training is under way when it is stopped.
STEPS = 200_000


@pytest.fixture
def ray_folder():
    folder = tempfile.mkdtemp()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_weak_trials_are_stopped_and_the_best_is_evaluated(tmp_path, ray_folder):
    """Four trials, of which ASHA stops at least one."""
    # It writes a token into the home, and asks for it. Its sockets need a short path, so that its own folder is not pytest's.
    ours = {"HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": ray_folder}
    # Two at a time, so that the last ones come to a rung where others have been.
    settings = {"trials": 4, "steps": STEPS, "grace": 20_000, "seed": 1, "cpus": 2}
    command = [sys.executable, str(SCRIPT), *(word for key, value in settings.items() for word in (f"--{key}", str(value)))]
    call = {"cwd": tmp_path, "env": {**os.environ, **ours}, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, **call)
    assert done.returncode == 0, done.stderr
    table = re.findall(r"^ +([\d.]+)  ([\d.]+) +(\d+) +([-\d.]+)  (\w+)$", done.stdout, re.MULTILINE)
    assert len(table) == 4, done.stdout
    assert len({row[0] for row in table}) == 4 and len({row[1] for row in table}) == 4
    returns = [float(row[3]) for row in table]
    assert returns == sorted(returns, reverse=True)

    runs = sorted(tmp_path.glob("tune/*/run"))
    records = [json.loads((run / "run.json").read_text()) for run in runs]
    # None was killed: a run that was says "running".
    statuses = sorted(record["status"] for record in records)
    assert statuses == sorted(row[4] for row in table) and set(statuses) == {"finished", "interrupted"}
    assert {record["threads"] for record in records} == {1}
    for _, _, steps, earned, status in table:
        # The last row that was told is that of the table, and whoever was stopped was so early.
        assert (int(steps) > STEPS - 1000) == (status == "finished"), table
        assert float(earned) > -10.0

    best = re.search(r"The best, (\S+), in 1000 fresh clusters: return ([\d.]+) \(95% ([\d.]+) to ([\d.]+)\)", done.stdout)
    assert best is not None, done.stdout
    mean, low, high = map(float, best.groups()[1:])
    found = json.loads((tmp_path / "tune/evaluation/eval.json").read_text())
    assert pathlib.Path(found["run"]) == tmp_path / "tune" / best[1] / "run"
    told = [json.loads(line) for line in (tmp_path / "tune" / best[1] / "result.json").read_text().splitlines()]
    assert abs(told[-1]["greedy_return"] - returns[0]) < 0.01 and len(told) > 5
    # Random actions earn 29 and the rule of thumb 50.
    assert low < mean < high and mean > 55.0 and abs(mean - found["return_mean"]) < 0.01

    # What is there is not written over, and said before anything is trained.
    again = subprocess.run(command, **call)
    assert again.returncode == 2 and "--out tune exists" in again.stderr
