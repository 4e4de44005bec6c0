"""Runs from Python are those of the program, and end in order."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import resonetics


def files(run):
    """What counts of a run: its tables and checkpoints."""
    kept = [path for path in Path(run).rglob("*") if path.suffix in {".csv", ".safetensors"}]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in kept}


def test_a_training_is_that_of_the_program(trained, program, tmp_path):
    done = program(
        "train", "--steps", 20_000, "--seed", 5, "--set", "max_steps=200", "--out", "other", "--no-monitor", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    assert files(trained) == files("other") and len(files(trained)) >= 3
    assert (trained / "config.toml").read_bytes() == Path("other/config.toml").read_bytes()


def test_threads_change_nothing(trained):
    alone = resonetics.train(steps=20_000, seed=5, max_steps=200, threads=1, progress=False)
    assert files(alone) == files(trained)
    assert alone == Path("runs/train-0001")
    record = json.loads((alone / "run.json").read_text())
    assert record["called_from"] == "Python" and record["arguments"] == [] and record["threads"] == 1


def test_an_evaluation_is_that_of_the_program(trained, program):
    found, folder = resonetics.evaluate(trained, episodes=20, seed=3, drift_scale=2.0, obs_noise=0.1, out="ours")
    words = ["--episodes", 20, "--seed", 3, "--drift-scale", 2, "--obs-noise", 0.1]
    done = program("eval", "--run", trained, *words, "--out", "other", "--quiet")
    assert done.returncode == 0, done.stderr
    assert files("ours") == files("other")
    assert found == json.loads(Path("other/eval.json").read_text()) and folder == Path("ours")


def test_a_limit_is_that_of_the_program(program):
    found, folder = resonetics.limit(["heuristic", "idle"], life=300, episodes=20, seed=2, out="ours")
    words = ["--agents", "heuristic,idle", "--life", 300, "--episodes", 20, "--seed", 2]
    done = program("limit", *words, "--out", "other", "--quiet")
    assert done.returncode == 0, done.stderr
    assert files("ours") == files("other")
    answer = found.pop("answer")
    assert found == json.loads(Path("other/limits.json").read_text()) and folder == Path("ours")
    said = program(*["limit", *words, "--out", "third"]).stdout
    assert answer in said and "heuristic carries the most" in answer


def test_a_comparison_is_that_of_the_program(trained, program):
    agents = ["random", f"prophet:{trained}"]
    analysis, folder = resonetics.compare(agents, episodes=12, seed=4, max_steps=200, mem_drift_mu=0.02, out="ours")
    words = ["--agents", ",".join(agents), "--episodes", 12, "--seed", 4, "--set", "max_steps=200", "--set", "mem_drift_mu=0.02"]
    done = program("benchmark", *words, "--out", "other", "--quiet")
    (lives,) = analysis["lives"]
    assert lives["sentence"] in done.stdout and lives["baseline"] == "random"
    rows = [line.split(",") for line in Path("other/episodes.csv").read_text().splitlines()[1:]]
    steps = np.array([int(row[4]) for row in rows]).reshape(2, 12)
    assert abs(lives["difference"] - (steps[1] - steps[0]).mean()) < 1e-9
    assert lives["verdict"] == "longer" and 0 < lives["low"] < lives["difference"] < lives["high"]
    assert done.returncode == 0, done.stderr
    assert files("ours") == files("other")
    assert analysis["parts"][0]["findings"]["kind"] == "agents"
    assert (folder / "analysis/report.html").is_file()


def test_a_function_is_played_as_the_agent_that_it_is(trained):
    """On the same seeds a function that does what an agent does lives the same episodes."""
    policy = resonetics.load_policy(trained)
    agents = {f"prophet:{trained}": f"prophet:{trained}", "the same": policy}
    analysis, folder = resonetics.compare(agents, episodes=40, seed=4, max_steps=200, mem_drift_mu=0.03)
    rows = [line.split(",") for line in (folder / "episodes.csv").read_text().splitlines()[1:]]
    half = len(rows) // 2
    assert half == 40 and [row[1:] for row in rows[:half]] == [row[1:] for row in rows[half:]]
    assert len({row[3] for row in rows}) > 10


def test_a_function_in_the_garden_sees_masks():
    seen = []

    def first_allowed(observations, masks):
        seen.append((observations.shape[1], masks.shape[1], observations.shape[0] == masks.shape[0]))
        return masks.argmax(axis=1)

    agents = {"evolved": "evolved", "mine": first_allowed}
    analysis, _ = resonetics.compare(agents, "gardener", episodes=3, seed=1, max_generations=20)
    assert set(seen) == {(54, 6, True)}
    assert len(analysis["parts"][0]["findings"]["worlds"][0]["agents"]) == 2


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda o: 1 / 0, ZeroDivisionError, "division"),
        (lambda o: np.zeros(3, int), ValueError, r"'mine' gave actions of the shape \(3,\)"),
        (lambda o: np.full(len(o), 6), ValueError, "'mine' gave an action beyond 0 to 5"),
        (lambda o: np.zeros(len(o)), TypeError, "'mine' gave actions of the type float64"),
    ],
)
def test_what_a_function_does_wrong_is_raised(function, error, words):
    with pytest.raises(error, match=words):
        resonetics.compare({"heuristic": "heuristic", "mine": function}, episodes=10, seed=1)
    assert json.loads(Path("runs/benchmark-0001/run.json").read_text())["status"] == "interrupted"


def test_a_run_with_functions_is_not_repeated(program):
    _, folder = resonetics.compare({"mine": lambda o: np.zeros(len(o), int)}, episodes=3, seed=1)
    done = program("rerun", folder)
    assert done.returncode == 2 and "agent `mine` is a function" in done.stderr


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        ({"env": "k9s"}, ValueError, "unknown environment `k9s`; known are: k8s, k8s-v4.6, gardener"),
        ({"steps": 0}, ValueError, "steps 0: allowed are whole numbers from 1"),
        ({"steps": 1e5}, TypeError, "steps 100000.0: allowed are whole numbers"),
        ({"mem_drift": 1}, ValueError, "settings: `mem_drift = 1`: unknown key; did you mean `mem_drift_mu`"),
        ({"train": {"gama": 1}}, ValueError, "unknown key; did you mean `train.gamma`"),
        ({"train": {"gamma": 2.0}}, ValueError, "train.gamma = 2.0`: allowed are"),
        ({"recipe": "x"}, ValueError, "allowed are 'standard' and 'large'"),
        ({"preset": "x"}, ValueError, "preset"),
        ({"config": "nowhere"}, FileNotFoundError, "cannot read nowhere"),
        ({"start": "nowhere"}, FileNotFoundError, "cannot read nowhere"),
        ({"seed": -1}, ValueError, "seed -1: allowed are whole numbers from 0"),
        ({"threads": 0}, ValueError, "threads 0"),
        ({"train": {"num_envs": 100_000, "horizon": 100_000}}, ValueError, "memory|allowed"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(words, error, match):
    with pytest.raises(error, match=match):
        resonetics.train(**{"steps": 1000, **words})
    assert not Path("runs").exists()


def test_nothing_is_overwritten(trained):
    before = files(trained)
    with pytest.raises(ValueError, match="already holds .*: choose another out or remove it"):
        resonetics.train(steps=1000, out=trained)
    assert files(trained) == before
    with pytest.raises(ValueError, match="cannot read nowhere"):
        resonetics.resume("nowhere")
    with pytest.raises(ValueError, match="not a training"):
        Path("other").mkdir()
        Path("other/config.toml").write_text('command = "benchmark"\n')
        resonetics.load_policy("other")


def test_progress_is_told_and_what_it_raises_ends_the_work_in_order():
    told = []

    def progress(done, total, message):
        told.append((done, total))
        if done > 5:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        resonetics.train(steps=10**9, seed=1, out="run", progress=progress, train={"checkpoint_every": 2})
    totals = {total for _, total in told if total}
    assert told[-1][0] > 5 and len(totals) == 1 and totals.pop() > 100_000
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"


def test_two_threads_train_and_one_is_stopped():
    def stop(done, total, message):
        if done > 3:
            raise RuntimeError("enough")

    ended = []

    def one(out, progress):
        try:
            resonetics.train(steps=20_000, seed=5, max_steps=200, out=out, progress=progress, threads=1)
            ended.append(out)
        except RuntimeError:
            ended.append("stopped")

    threads = [threading.Thread(target=one, args=pair) for pair in [("whole", False), ("cut", stop)]]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(ended) == ["stopped", "whole"]


UNTIL_STOPPED = """
import resonetics
resonetics.train(steps=150_000, seed=8, max_steps=200, out="cut", progress=False, train={"checkpoint_every": 5})
"""


def test_keyboard_interrupt_ends_in_order_and_the_run_goes_on():
    """SIGINT to a process of its own, as Ctrl-C sends it."""
    # Where tests run in the background of a shell, SIGINT is ignored: not by those who press Ctrl-C.
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    words = [sys.executable, "-c", UNTIL_STOPPED]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    log = Path("cut/training.csv")
    while not log.exists() or log.stat().st_size < 2000:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and said.rstrip().endswith("KeyboardInterrupt"), said
    assert json.loads(Path("cut/run.json").read_text())["status"] == "interrupted"
    before = len(log.read_bytes())
    assert resonetics.resume("cut", progress=False) == Path("cut")
    whole = resonetics.train(
        steps=150_000, seed=8, max_steps=200, out="whole", progress=False, train={"checkpoint_every": 5}
    )
    assert files("cut") == files(whole) and len(log.read_bytes()) > before
    assert json.loads(Path("cut/run.json").read_text())["status"] == "finished"
    # Finished: nothing happens. More steps: it goes on.
    assert resonetics.resume("cut") == Path("cut") and files("cut") == files(whole)
    with pytest.raises(ValueError, match="steps 50000: cut has"):
        resonetics.resume("cut", steps=50_000)


def test_an_analysis_is_a_dict_and_a_page(trained):
    analysis, page = resonetics.analyze(trained, progress=False)
    assert page == Path("runs/analyze-0001/report.html") and page.read_text().startswith("<!DOCTYPE html>")
    assert analysis == json.loads((page.parent / "analysis.json").read_text())
    assert analysis["parts"] and analysis["made_by"].startswith("resonetics.analyze(")
    with pytest.raises(ValueError, match="at least one"):
        resonetics.analyze([])
    with pytest.raises(FileNotFoundError):
        resonetics.analyze("nowhere")


def test_who_asks_for_functions_where_there_are_none_is_told():
    for agents in [{"mine": lambda o: o}, [lambda o: o]]:
        with pytest.raises(TypeError, match=r"functions are played by compare\(\) alone"):
            resonetics.limit(agents)


@pytest.mark.parametrize(("words", "match"), [({"obs_noise": "x"}, "obs_noise 'x'"), ({"drift_scale": None}, "drift_scale None")])
def test_a_factor_is_a_number(trained, words, match):
    with pytest.raises(TypeError, match=match):
        resonetics.evaluate(trained, **words)


def test_a_sweep_is_that_of_the_program(program):
    Path("plan.toml").write_text("steps = 2048\nseeds = [1, 2]\nevaluate = 5\n[settings]\nmax_steps = 50\n")
    ours = resonetics.sweep("plan.toml", out="ours", progress=False)
    done = program("sweep", "plan.toml", "--out", "other", "--quiet")
    assert done.returncode == 0, done.stderr
    assert files(ours) == files("other") and "table.csv" in files(ours)
    before = {path: path.stat().st_mtime_ns for path in ours.rglob("*")}
    assert resonetics.sweep(resume=ours) == ours
    assert {path: path.stat().st_mtime_ns for path in ours.rglob("*")} == before
    for words in [{}, {"plan": "plan.toml", "resume": ours}]:
        with pytest.raises(TypeError, match="one of them is needed"):
            resonetics.sweep(**words)
