"""The examples of the README and of the guide run as printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "python/README.md", ROOT / "docs/guide/src/from-python.md"]


def examples():
    for page in PAGES:
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S)):
            yield pytest.param(code, id=f"{page.name}-{number}")


@pytest.mark.parametrize("code", list(examples()))
def test_it_runs(code):
    if "sb3" in code:
        pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")
    exec(compile(code, "example", "exec"), {})
