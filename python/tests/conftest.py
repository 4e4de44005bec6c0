"""What several files of tests need."""

import os
import subprocess
from pathlib import Path

import pytest

import resonetics


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Runs go into a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A short training."""
    out = tmp_path_factory.mktemp("trained") / "run"
    return resonetics.train(steps=20_000, seed=5, out=out, max_steps=200, progress=False)


@pytest.fixture(scope="session")
def remembering(tmp_path_factory):
    """A short training of networks with a memory."""
    out = tmp_path_factory.mktemp("remembering") / "run"
    train = {"network": {"memory": 16}}
    return resonetics.train(steps=20_000, seed=6, out=out, max_steps=200, train=train, progress=False)


@pytest.fixture(scope="session")
def program():
    """Calls the program `resonetics`, which `cargo xtask python` builds."""
    path = os.environ.get("RESONETICS_PROGRAM")
    if not path:
        pytest.skip("RESONETICS_PROGRAM does not say where the program is")

    def call(*words, folder=None):
        done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, cwd=folder or Path.cwd())
        return done

    return call
