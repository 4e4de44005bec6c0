"""A sweep on the machines of a Ray cluster: `python -m resonetics.ray_sweep PLAN.toml`.

Each cell is a task. It trains in a folder of its own on whatever machine it is, and hands the files back; they appear in the sweep's
folder whole or not at all. A cell is known by its key, which follows from its settings: a task that is tried again, on another
machine, trains the same cell to the same bytes. The folder is that of `resonetics sweep`, which can go on with it, and the other way round.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# Ray reports its use unless it is told not to.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402

from resonetics import _native  # noqa: E402
from resonetics.progress import Bar, Remarks, Show, shown  # noqa: E402
from resonetics.runs import Place, begun_sweep, call, whole  # noqa: E402

__all__ = ["ray_sweep"]


def train(plan: str, key: str, threads: int) -> dict[str, bytes]:
    """A cell on some machine: the files that it leaves."""
    with tempfile.TemporaryDirectory(prefix="resonetics-") as place:
        _native.train_cell(plan, key, place, call(0, None, threads, Remarks()))
        cell = Path(place, key)
        files = sorted(path for path in cell.rglob("*") if path.is_file())
        return {path.relative_to(cell).as_posix(): path.read_bytes() for path in files}


def take_in(sweep: _native.Sweep, key: str, files: dict[str, bytes]) -> bool:
    """The cell in the sweep's folder, whole or not at all; whether it is new."""
    cells = sweep.dir / "cells"
    cells.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=cells) as place:
        for name, content in files.items():
            path = Path(place, key, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return sweep.deliver(key, Path(place, key))


def ray_sweep(
    plan: Place | None = None,
    *,
    out: Place | None = None,
    resume: Place | None = None,
    threads: int = 1,
    max_retries: int = 3,
    twice: bool = False,
    progress: bool | Show | None = None,
) -> Path:
    """Trains every cell of a plan on the Ray cluster in use (`ray.init` begins one on this machine), and yields the sweep's folder.

    A task takes `threads` cpus of a machine. Where a worker or a machine is lost its cell is tried again, `max_retries` times (-1: for
    ever). With `twice` each cell is trained a second time, and a difference is an error: whether all machines compute alike.
    """
    threads = whole("threads", threads, 1, 1024)
    max_retries = whole("max_retries", max_retries, -1, 1_000_000)
    sweep = begun_sweep(plan, out, resume)
    if isinstance(sweep, Path):
        return sweep
    show = shown(progress)
    failed: list[str] = []
    interrupted = True
    try:
        failed = collected(sweep, threads, max_retries, twice, show)
        interrupted = False
    finally:
        if isinstance(show, Bar):
            show.close()
        sweep.finish(interrupted, "; ".join(failed) or None)
    return sweep.dir


def collected(sweep: _native.Sweep, threads: int, max_retries: int, twice: bool, show: Remarks) -> list[str]:
    """Hands out the cells that are not done and takes them in as they come; yields what failed."""
    task = ray.remote(train).options(
        num_cpus=threads, max_retries=max_retries, runtime_env={"env_vars": {"RAYON_NUM_THREADS": str(threads)}}
    )
    text = ray.put(sweep.plan())
    cells = sweep.cells()
    names = {key: name for key, name, _, _ in cells}
    wanted = [key for key, _, _, done in cells if twice or not done]
    tries = [key for key in wanted for _ in range(2 if twice else 1)]
    running: dict[Any, str] = {task.remote(text, key, threads): key for key in tries}
    failed: list[str] = []
    try:
        while running:
            show.show(len(tries) - len(running), len(tries), "")
            ready, _ = ray.wait(list(running), timeout=1.0)
            for reference in ready:
                key = running.pop(reference)
                try:
                    take_in(sweep, key, ray.get(reference))
                except Exception as problem:
                    failed.append(f"{names[key]} ({key}): {reason(problem)}")
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
    return failed


def reason(problem: Exception) -> str:
    """What went wrong, in one line."""
    cause = getattr(problem, "cause", None) or problem
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0]


def main(words: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m resonetics.ray_sweep", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("plan", nargs="?", metavar="PLAN.toml", help="what is trained, as for `resonetics sweep`")
    parser.add_argument("--out", metavar="DIR", help="output directory; must be new or empty")
    parser.add_argument("--resume", metavar="DIR", help="the directory of a sweep that was stopped")
    parser.add_argument("--address", help="a running cluster, such as auto or ray://HOST:10001; without it one on this machine")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="cpus and threads of a training (1)")
    parser.add_argument("--max-retries", type=int, default=3, metavar="N", help="how often a lost cell is tried again (3)")
    parser.add_argument("--twice", action="store_true", help="train each cell twice and compare the files")
    typed = parser.parse_args(words)
    if (typed.plan is None) == (typed.resume is None):
        parser.error("PLAN.toml or --resume DIR: one of them is needed")
    try:
        if typed.address is not None:
            ray.init(address=typed.address)
        folder = ray_sweep(
            typed.plan,
            out=typed.out,
            resume=typed.resume,
            threads=typed.threads,
            max_retries=typed.max_retries,
            twice=typed.twice,
        )
    except (ValueError, TypeError, OSError, RuntimeError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2 if isinstance(problem, (ValueError, TypeError, FileNotFoundError)) else 1
    print(f"wrote {folder}\nnext: resonetics analyze {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
