"""Runs as the program `resonetics` makes them: trainings, evaluations, comparisons, limits and reports.

All of them work on threads of their own while the interpreter is free, show how far they are (`progress`), and stop in
order on KeyboardInterrupt. A run is a folder: `out`, which must be new or empty, or the next free one below `runs` in the current
folder. Keywords that are not named are settings of the world, as in `gymnasium.make`; those of a training are in `train`,
those of the world's agents in `agent`, both dicts.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resonetics import _native
from resonetics.progress import Bar, Remarks, Show, shown
from resonetics.single import drawn_seed
from resonetics.vector import thread_count, whole_number

__all__ = ["analyze", "compare", "evaluate", "limit", "resume", "sweep", "train"]

Place = str | os.PathLike[str]
Observations = NDArray[np.float32]
Masks = NDArray[np.bool_]
Function = Callable[..., ArrayLike]
T = TypeVar("T")


def train(
    env: str = "k8s",
    *,
    steps: int = 400_000,
    seed: int | None = None,
    preset: str = "reference",
    config: Place | None = None,
    recipe: str = "standard",
    start: Place | None = None,
    out: Place | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
    **settings: Any,
) -> Path:
    """Trains a Prophet (PPO) in `env` and yields the run's folder, as `resonetics train` does.

    `steps` are rounded down to whole rollouts. `recipe` is `"standard"` or `"large"`, `start` another training whose networks
    it begins with. The same seed is the same training, bit for bit, on any number of threads. After a
    KeyboardInterrupt :func:`resume` goes on from its last checkpoint (`train.checkpoint_every` updates lie between two), or from the
    beginning where there is none yet.
    """
    return with_bar(
        progress,
        lambda show: _native.train(
            world(env, preset, config, settings),
            whole("steps", steps, 1, 10**15),
            recipe,
            None if start is None else os.fspath(start),
            call(seed, out, threads, show),
        ),
    )


def resume(
    run: Place,
    *,
    steps: int | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
) -> Path:
    """Goes on with a training that was stopped, or to `steps` steps in all; nothing happens to one that is finished."""
    more = None if steps is None else whole("steps", steps, 1, 10**15)
    return with_bar(progress, lambda show: _native.resume(run, more, call(0, None, threads, show)))


def evaluate(
    run: Place,
    *,
    episodes: int = 1000,
    seed: int | None = None,
    obs_noise: float = 0.0,
    drift_scale: float = 1.0,
    sample: bool = False,
    out: Place | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
) -> tuple[dict[str, Any], Path]:
    """Plays the best checkpoint of a training (or `"RUN@last"`, `"RUN@STEP"`) in fresh episodes; yields what it found and its folder.

    `obs_noise` is the standard deviation of noise on each observed number, `drift_scale` how many times as fast the world
    drifts, `sample` draws actions instead of taking the likeliest.
    """
    text, folder = with_bar(
        progress,
        lambda show: _native.evaluate(
            os.fspath(run),
            whole("episodes", episodes, 1, 2**32 - 1),
            real("obs_noise", obs_noise),
            real("drift_scale", drift_scale),
            sample,
            call(seed, out, threads, show),
        ),
    )
    return json.loads(text), folder


def compare(
    agents: Sequence[str] | Mapping[str, str | Function],
    env: str = "k8s",
    *,
    episodes: int = 200,
    seed: int | None = None,
    preset: str = "reference",
    config: Place | None = None,
    sample: bool = False,
    out: Place | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
    **settings: Any,
) -> tuple[dict[str, Any], Path]:
    """Does the system live longer? Plays agents on the same seeds; yields what comes of it and the run's folder.

    `lives` has a dict for each agent beside the first: its `verdict` (`"longer"`, `"shorter"`, `"as long"`, `"no difference shown"` or
    `"too few pairs"`), the mean `difference` of the pairs with its 95% interval `low` to `high`, and all of it as a `sentence`. The rest is
    what `analyze` says, of returns too; its page is in the folder `analysis` of the run.

    An agent is a name (`"random"`, `"heuristic"`, `"patrol"`, `"planner"`, `"prophet:RUN"`), or a function of yours in a dict:
    `{"heuristic": "heuristic", "mine": function}`. It is called with observations `[B, D]` float32, in the garden also with
    masks `[B, 6]` bool of allowed actions, and gives `[B]` whole numbers; rows that have no allowed action are not asked. Rows of
    several episodes come together and in no order: a function must not remember. The first agent is the one that the others are
    compared with; intervals are paired by seeds.
    """
    asked = agents.items() if isinstance(agents, Mapping) else [(name, name) for name in names("agents", agents)]
    cast: list[tuple[str, Any]] = []
    for name, agent in asked:
        if callable(agent):
            cast.append((name, checked(name, agent)))
        elif agent == name:
            cast.append((name, None))
        else:
            raise ValueError(f"agent {name!r}: {agent!r} is neither a function nor that name; name it {agent!r}")
    lives, folder = with_bar(
        progress,
        lambda show: _native.play(
            world(env, preset, config, settings),
            cast,
            whole("episodes", episodes, 1, 2**32 - 1),
            sample,
            call(seed, out, threads, show),
        ),
    )
    analysis, _ = analyze([folder], out=folder / "analysis", progress=False, threads=threads)
    return {"lives": json.loads(lives), **analysis}, folder


def limit(
    agents: Sequence[str] = ("heuristic", "patrol"),
    env: str = "k8s",
    *,
    life: int = 2000,
    dose: str | None = None,
    episodes: int = 200,
    seed: int | None = None,
    preset: str = "reference",
    config: Place | None = None,
    sample: bool = False,
    out: Place | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
    **settings: Any,
) -> tuple[dict[str, Any], Path]:
    """How much drift each agent carries for `life` steps, as `resonetics limit` does; yields what is in limits.json, with the `answer` in
    words, and the folder.

    `dose` is the setting that is doubled and halved: `mem_drift_mu` in the cluster and `dirt_growth` in the garden if nobody says.
    """
    asked = {
        "agents": names("agents", agents),
        "life": whole("life", life, 1, 2**32 - 1),
        "dose": dose,
        "episodes": whole("episodes", episodes, 1, 2**32 - 1),
        "sample": sample,
    }
    text, answer, folder = with_bar(
        progress,
        lambda show: _native.limits(world(env, preset, config, settings), asked, call(seed, out, threads, show)),
    )
    return {"answer": answer, **json.loads(text)}, folder


def sweep(
    plan: Place | None = None,
    *,
    out: Place | None = None,
    resume: Place | None = None,
    jobs: int | None = None,
    progress: bool | Show | None = None,
) -> Path:
    """Trains every cell of a plan, a TOML file, as `resonetics sweep` does; yields its folder, with `table.csv` and `groups.csv` in it.

    `resume` is the folder of one that was stopped, in place of `plan`. `jobs` trainings run at a time, with a thread each. On
    several machines: `python -m resonetics.ray_sweep`.
    """
    begun = begun_sweep(plan, out, resume)
    if isinstance(begun, Path):
        return begun
    with_bar(progress, lambda show: begun.work(thread_count(jobs), call(0, None, 1, show)))
    return begun.dir


def begun_sweep(plan: Place | None, out: Place | None, resume: Place | None) -> _native.Sweep | Path:
    """The sweep of a plan, or the one in a folder; the folder alone if it is finished."""
    if (plan is None) == (resume is None):
        raise TypeError("plan or resume: one of them is needed")
    if plan is not None:
        return _native.Sweep(_native.read_text(plan), out)
    assert resume is not None
    return _native.Sweep.stopped(resume) or Path(resume)


def analyze(
    paths: Place | Iterable[Place],
    *,
    baseline: str | None = None,
    cells: int | None = None,
    out: Place | None = None,
    threads: int | None = None,
    progress: bool | Show | None = None,
) -> tuple[dict[str, Any], Path]:
    """Reads what runs wrote, runs and CSV files; yields the analysis and the path of the report, an HTML file.

    `baseline` is the agent or the group of trainings that others are compared with, `cells` the number of cells of gardens
    that come without a config.toml.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not several:
        raise ValueError("paths: at least one is needed")
    text, folder = with_bar(
        progress,
        lambda show: _native.analyze(
            several,
            baseline,
            None if cells is None else whole("cells", cells, 1, 262_144),
            out,
            thread_count(threads),
            show,
        ),
    )
    return json.loads(text), folder / "report.html"


def with_bar(progress: bool | Show | None, work: Callable[[Remarks], T]) -> T:
    """Does the work and shows how far it is."""
    show = shown(progress)
    try:
        return work(show)
    finally:
        if isinstance(show, Bar):
            show.close()


def world(env: str, preset: str, config: Place | None, settings: dict[str, Any]) -> dict[str, Any]:
    """A world by name, with a file of settings and settings on top."""
    for key, value in [("env", env), ("preset", preset)]:
        if not isinstance(value, str):
            raise TypeError(f"{key} {value!r}: a string is needed")
    return {"env": env, "preset": preset, "config": config, "settings": settings}


def call(seed: int | None, out: Place | None, threads: int | None, show: Remarks) -> dict[str, Any]:
    """How the work is done."""
    drawn = drawn_seed() >> 32 if seed is None else whole("seed", seed, 0, 2**63 - 1)
    return {"seed": drawn, "out": out, "threads": thread_count(threads), "show": show}


def whole(key: str, value: int, least: int, most: int) -> int:
    """A keyword that is a whole number."""
    number = whole_number(key, value)
    if not least <= number <= most:
        raise ValueError(f"{key} {number}: allowed are whole numbers from {least} to {most}")
    return number


def real(key: str, value: float) -> float:
    """A keyword that is a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{key} {value!r}: a number is needed") from None


def names(key: str, several: Sequence[str]) -> list[str]:
    """A keyword that is a list of names; a name alone is a list of one."""
    listed = [several] if isinstance(several, str) else list(several)
    if isinstance(several, Mapping) or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{key}: a list of names is needed; functions are played by compare() alone, as a dict {{name: function}}")
    return listed


def checked(name: str, function: Function) -> Callable[[Observations, Masks | None], NDArray[np.int64]]:
    """The user's function, with what it gives looked at."""

    def act(observations: Observations, masks: Masks | None) -> NDArray[np.int64]:
        given = function(observations) if masks is None else function(observations, masks)
        actions = np.asarray(given)
        if actions.shape != (len(observations),):
            raise ValueError(
                f"agent {name!r} gave actions of the shape {actions.shape}: ({len(observations)},) is needed, one a row"
            )
        if actions.dtype.kind not in "iu":
            raise TypeError(f"agent {name!r} gave actions of the type {actions.dtype}: whole numbers are needed")
        asked = slice(None) if masks is None else masks.any(axis=1)
        if ((actions[asked] < 0) | (actions[asked] >= 6)).any():
            raise ValueError(f"agent {name!r} gave an action beyond 0 to 5")
        return actions.astype(np.int64)

    return act
