"""What a kept context saves: `lumen resume RUN` with it and without, in turns, by the clock and by time of the processor.

    python benches/resumed.py PROGRAM TABLE [--pairs N] [--generations N] [--archives N]

The run is a watched garden of a million generations with 50 archives beside it. Both must print the same bytes.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

# Of the tables of both runs only the second's is longer than the 64 MiB up to which files are hashed whole.
TINY = "--set init_agents=4 --set min_population=3 --set max_population=8 --set view_size=5".split()
WORLDS = {"grid 8": ["--set", "grid_size=8", *TINY], "grid 16": ["--set", "grid_size=16", *TINY]}


def took(words, place):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    out = subprocess.run(words, cwd=place, check=True, capture_output=True).stdout
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("table", type=Path)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--generations", type=int, default=1_000_000)
    parser.add_argument("--archives", type=int, default=50)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    lines = [
        "# What a kept context saves",
        "",
        "```",
        f"$ python3 benches/resumed.py target/release/resonetics results/performance/resumed.md --pairs {options.pairs}",
        "```",
        "",
        f"`lumen resume RUN` with the `context.json` of before over `--no-cache`, in turns, of a watched garden of {options.generations:,} generations with",
        f"{options.archives} archives beside it: medians of {options.pairs} pairs and of their ratios. Both printed the same bytes each time.",
        "",
        "| world | table | log | kept, by the clock | summed up | ratio | kept, time of the processor | summed up | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, world in WORLDS.items():
        with tempfile.TemporaryDirectory() as place:
            garden = ["gardener", "--generations", str(options.generations), "--seed", "1", "--lumen", "--quiet", "--out", "garden"]
            subprocess.run([program, *garden, *world], cwd=place, check=True, capture_output=True)
            for number in range(options.archives):
                took([program, "lumen", "freeze", "garden", "--label", str(number)], place)
            resume = [program, "lumen", "resume", "garden"]
            first = took(resume, place)[2]
            rows = []
            for pair in range(options.pairs):
                order = [True, False] if pair % 2 else [False, True]
                found = {kept: took(resume if kept else [*resume, "--no-cache"], place) for kept in order}
                assert found[True][2] == found[False][2] == first, "they differ"
                rows.append(found)
            size = {file: os.path.getsize(f"{place}/garden/{file}") / 2**20 for file in ["resonetics_data.csv", "events.jsonl"]}
            cells = [name, *(f"{mib:.0f} MiB" for mib in size.values())]
            for of in (0, 1):
                kept, anew = (statistics.median(row[which][of] for row in rows) for which in (True, False))
                ratio = statistics.median(row[True][of] / row[False][of] for row in rows)
                cells += [f"{1000 * kept:.0f} ms", f"{1000 * anew:.0f} ms", f"{ratio:.3f}"]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    lines += ["", f"- {platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system().lower()}"]
    options.table.write_text("\n".join(lines) + "\n")


main()
