"""A sweep on a Ray cluster of two machines, of which workers and one machine are killed: the table is that of the sweep alone."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402

import resonetics  # noqa: E402
from resonetics.ray_sweep import ray_sweep  # noqa: E402

PLAN = """
steps = {steps}
seeds = [1, 2, 3]
evaluate = 20

[settings]
max_steps = 200

[grid]
train.learning_rate = [0.0003, 0.003]
mem_drift_mu = [0.01, 0.02]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two machines, as far as Ray can tell."""
    with pytest.MonkeyPatch.context() as patched:
        # It writes a token into the home, and asks for it.
        patched.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patched.setenv("RAY_AUTH_MODE", "disabled")
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        machines.add_node(num_cpus=1)
        machines.add_node(num_cpus=1)
        ray.init(address=machines.address, log_to_driver=False)
        yield machines
        ray.shutdown()
        machines.shutdown()


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(steps=20_000))
    return path


def outcome(folder):
    """What does not depend on when and where cells were trained."""
    kept = [
        path
        for path in Path(folder).rglob("*")
        if path.suffix in {".csv", ".safetensors"} or path.name == "evaluation.json"
    ]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def training_workers():
    """Processes that are at a cell now."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name = (folder / "cmdline").read_bytes().split(b"\0")[0]
            except OSError:
                continue
            if name.startswith(b"ray::train"):
                found.append(int(folder.name))
    return found


def test_the_table_is_that_of_a_sweep_alone(cluster, plan):
    alone = resonetics.sweep(plan, out="alone", progress=False)
    there = ray_sweep(plan, out="there", twice=True, progress=False)
    assert outcome(there) == outcome(alone)
    assert len(outcome(alone)) > 50 and len(resonetics_rows(alone)) == 12
    before = {path: path.stat().st_mtime_ns for path in Path(there).rglob("*")}
    assert ray_sweep(resume=there) == there
    assert {path: path.stat().st_mtime_ns for path in Path(there).rglob("*")} == before
    assert not list((there / "cells").glob(".tmp-*"))


def resonetics_rows(folder):
    return (Path(folder) / "table.csv").read_text().splitlines()[1:]


def test_killed_workers_and_a_machine_change_nothing(cluster, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(steps=60_000))
    alone = resonetics.sweep(plan, out="alone", progress=False)
    killed, over, choose = [], threading.Event(), random.Random(3)

    def kill():
        while not over.wait(choose.uniform(0.3, 1.2)):
            workers = training_workers()
            if workers and len(killed) < 6:
                pid = choose.choice(workers)
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            if len(killed) == 3 and "machine" not in killed:
                cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
                killed.append("machine")

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        there = ray_sweep(plan, out="there", max_retries=-1, progress=False)
    finally:
        over.set()
        thread.join()
        cluster.add_node(num_cpus=1)
    assert "machine" in killed and len(killed) >= 4, killed
    assert outcome(there) == outcome(alone)


def test_a_difference_is_told_as_what_it_is(cluster, plan):
    folder = ray_sweep(plan, out="there", progress=False)
    cell = folder / "cells" / resonetics_rows(folder)[4].split(",")[0]
    log = (cell / "training.csv").read_text()
    (cell / "training.csv").write_text(log.replace("\n3,", "\n4,", 1))
    record = (folder / "run.json").read_text()
    (folder / "run.json").write_text(record.replace('"finished"', '"running"'))
    with pytest.raises(RuntimeError, match=rf"cell {cell.name} was trained twice with different results: training.csv .*line 5"):
        ray_sweep(resume=folder, twice=True, progress=False)


def test_what_is_refused_is_refused_before_anything_runs(cluster, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text("[grid]\nmem_drift = [1.0]\n")
    with pytest.raises(ValueError, match="unknown key; did you mean `mem_drift_mu`"):
        ray_sweep(plan)
    with pytest.raises(TypeError, match="one of them"):
        ray_sweep()
    assert not Path("runs").exists()


COMMAND = [sys.executable, "-m", "resonetics.ray_sweep"]


def test_the_command_is_interrupted_and_goes_on(cluster, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(steps=100_000))
    words = [*COMMAND, str(plan), "--out", "there", "--address", cluster.address]
    # Where tests run in the background of a shell, SIGINT is ignored.
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    cells = Path("there/cells")
    while len(list(cells.glob("[0-9a-f]*"))) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert '"interrupted"' in Path("there/run.json").read_text()
    assert len(resonetics_rows("there")) < 12
    done = subprocess.run(
        [*COMMAND, "--resume", "there", "--address", cluster.address], capture_output=True, text=True
    )
    assert done.returncode == 0 and "wrote there" in done.stdout, done.stderr
    assert len(resonetics_rows("there")) == 12
    wrong = subprocess.run([*COMMAND, "nowhere.toml"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "cannot read nowhere.toml" in wrong.stderr
