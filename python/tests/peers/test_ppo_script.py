"""The example of PPO in one file learns."""

import pathlib
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import resonetics  # Registers the environments.

SCRIPT = pathlib.Path(__file__).parents[2] / "examples" / "ppo.py"


def return_of_random_actions(lanes=16):
    envs = gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=lanes)
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
    envs.reset(seed=1)
    choose = np.random.default_rng(1)
    returns = []
    for _ in range(1500):
        infos = envs.step(choose.integers(6, size=lanes))[4]
        if "episode" in infos:
            returns.extend(infos["episode"]["r"][infos["_episode"]])
    return np.mean(returns)


def test_a_short_run_earns_far_more_than_random_actions(tmp_path):
    """Random actions earn 29, and the last 64 episodes of this run 48."""
    command = [sys.executable, str(SCRIPT), "--total-steps", "30000", "--seed", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [words[0] for words in lines] == ["16384", "29696"]
    earned, by_chance = float(lines[-1][-1]), return_of_random_actions()
    assert earned > by_chance + 10.0, (earned, by_chance)
