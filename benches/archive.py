"""How fast a run is frozen, beside the tools that one would put together instead, in turns, both on one core.

    python benches/archive.py PROGRAM [--pairs N] [--megabytes N]

The peer is `tar | tee >(sha256sum) | zstd -3 | tee >(sha256sum)`: the bundle and both of its sums, which is what
`lumen freeze` makes too, beside a sum of each file and the manifest. The run's folder is of recorded tables and networks
(results/), again and again with other numbers, so that it compresses as real ones do.
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

ROOT = Path(__file__).resolve().parent.parent


def make_run(folder, megabytes):
    """A finished run of so many MB: tables and networks of results/, each time with other digits."""
    shutil.copytree(ROOT / "results/train-k8s", folder)
    (folder / "lock").unlink(missing_ok=True)
    tables = [path.read_bytes() for path in sorted((ROOT / "results").glob("*/*.csv"))]
    networks = [path.read_bytes() for path in sorted((ROOT / "results").glob("*/checkpoints/best.safetensors"))]
    assert tables and networks
    written, number = 0, 0
    while written < megabytes * 1_000_000:
        number += 1
        # A table of some MB, whose digits are moved by the file's number, and two networks.
        table = b"".join(tables)[: 8 << 20]
        turned = bytes.maketrans(b"0123456789", b"".join(b"%d" % ((digit + number) % 10) for digit in range(10)))
        (folder / f"table-{number:04}.csv").write_bytes(table.translate(turned))
        written += len(table)
        for which, network in enumerate(networks):
            data = bytes(a ^ b for a, b in zip(network[4096:], os.urandom(1024) * (len(network) // 1024)))
            (folder / f"network-{number:04}-{which}.safetensors").write_bytes(network[:4096] + data)
            written += len(network)
    return written


def timed(command, **options):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory(command, **options):
    """The most memory of one process, in MB."""
    told = subprocess.run(["/usr/bin/env", "python3", "-c", MEASURE, *command], check=True, capture_output=True, text=True, **options)
    return int(told.stdout.splitlines()[-1]) / 1024


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    program = str(options.program.resolve())
    pinned = ["taskset", "--cpu-list", "0"]
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        written = make_run(place / "run", options.megabytes)
        pipe = "tar --create --sort=name --file=- run | tee >(sha256sum > tar.sum) | zstd -3 --quiet | tee >(sha256sum > zst.sum) > run.tar.zst"
        peer = [*pinned, "bash", "-c", pipe]
        ours = [*pinned, program, "lumen", "freeze", "run", "--to", "archive"]
        rows = []
        for _ in range(options.pairs + 1):
            shutil.rmtree(place / "archive", ignore_errors=True)
            rows.append((timed(ours, cwd=place), timed(peer, cwd=place)))
        rows = rows[1:]  # the first one reads the files into memory
        shutil.rmtree(place / "archive", ignore_errors=True)
        most = memory(ours, cwd=place)
        size = (place / "run.tar.zst").stat().st_size
    print(f"{written / 1e6:.0f} MB, packed {size / 1e6:.0f} MB; {options.pairs} pairs, both on one core\n")
    print("| what counts | ours, s | tar, tee, sha256sum, zstd, s | their time / ours, median (lowest to highest) |")
    print("|---|---|---|---|")
    for what, which in [("the clock", 0), ("time of the processor", 1)]:
        ratios = [peer[which] / ours[which] for ours, peer in rows]
        middle = [statistics.median(row[side][which] for row in rows) for side in (0, 1)]
        print(f"| {what} | {middle[0]:.2f} | {middle[1]:.2f} | **{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) |")
    print(f"\nMost memory of `lumen freeze`: {most:.0f} MB. {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
