"""What watching costs a training: the same one with --lumen and without, in turns, by time of the processor and by the clock.

    python benches/watched.py PROGRAM TABLE [--pairs N] [--steps N]

Pairs on a shared machine differ by more than a hundredth. Where there is `perf`, a profile of one watched training says
what share of its samples are of the log's thread or of Lumen's functions.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

# Of the recipes of common PPO examples, and the default: many short updates are the dearest to watch.
SIZES = {
    "the default": [],
    "updates of 128 steps": "--set train.num_envs=4 --set train.horizon=32 --set train.minibatch=64 --set train.epochs=2".split(),
}


def training(program, folder, steps, sizes, watched):
    words = ["train", "--seed", "1", "--steps", str(steps), "--threads", "1", "--no-monitor", "--quiet", *sizes]
    return [program, *words, *(["--lumen"] if watched else []), "--out", folder]


def cost(program, folder, steps, sizes, watched):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(training(program, folder, steps, sizes, watched), check=True, stdout=subprocess.DEVNULL)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock, after.ru_maxrss


def share(program, place, steps, sizes):
    """Of the samples of a watched training those that are Lumen's, in percent."""
    if not shutil.which("perf"):
        return "no perf"
    data = f"{place}/perf.data"
    record = ["perf", "record", "--event", "cpu-clock", "--freq", "4000", "--output", data]
    subprocess.run([*record, *training(program, f"{place}/profiled", steps, sizes, True)], check=True, capture_output=True)
    report = ["perf", "report", "--input", data, "--sort", "comm,symbol", "--field-separator", ";", "--percent-limit", "0"]
    rows = subprocess.run(report, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [row.split(";") for row in rows if row.strip() and not row.startswith("#")]
    assert rows, "perf reports nothing"
    ours = [float(row[0].strip().rstrip("%")) for row in rows if row[1].strip() == "lumen" or "resonetics_lumen" in row[2]]
    return f"{sum(ours):.2f}%"


def interval(ratios):
    """Between which order statistics the median lies with 95%, by the binomial distribution."""
    ratios = sorted(ratios)
    n = len(ratios)
    chances = [1.0]
    for k in range(n):
        chances.append(chances[-1] * (n - k) / (k + 1))
    total, at = 0.0, 0
    while at < n // 2 and 2 * (total + chances[at] / 2**n) <= 0.05:
        total += chances[at] / 2**n
        at += 1
    return ratios[max(at - 1, 0)], ratios[min(n - at, n - 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("table", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=200_000)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    lines = [
        "# What watching costs a training",
        "",
        "```",
        f"$ python3 benches/watched.py target/release/resonetics results/performance/watched.md --pairs {options.pairs} --steps {options.steps}",
        "```",
        "",
        "The same training with `--lumen` over that without, in turns, one thread; medians of pairs, with the 95% interval of the median.",
        "",
        "| training | time of the processor | by the clock | Lumen's share of a profile | events a run |",
        "|---|---|---|---|---|",
    ]
    for name, sizes in SIZES.items():
        processor, clock = [], []
        with tempfile.TemporaryDirectory() as place:
            for pair in range(options.pairs):
                order = [True, False] if pair % 2 else [False, True]
                took = {on: cost(program, f"{place}/{pair}-{on}", options.steps, sizes, on) for on in order}
                processor.append(took[True][0] / took[False][0])
                clock.append(took[True][1] / took[False][1])
            profiled = share(program, place, options.steps, sizes)
            events = sum(1 for _ in open(f"{place}/0-True/events.jsonl"))
        cells = ["{:.4f} ({:.4f} to {:.4f})".format(statistics.median(it), *interval(it)) for it in (processor, clock)]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {profiled} | {events} |")
        print(lines[-1], flush=True)
    lines += ["", f"- {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system().lower()}"]
    options.table.write_text("\n".join(lines) + "\n")


main()
