"""Schemathesis attacks a real `resonetics lumen serve` with real runs, by what /openapi.json says of it.

    python lumen/tests/schemathesis.py [PROGRAM]

PROGRAM is target/release/resonetics otherwise. Exits with 1 where an answer is not as described, where what is described
is refused, or where what is not is taken.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS = [
    ["train", "--steps", "50000", "--set", "lumen.enabled=true", "--no-monitor", "--out", "runs/training"],
    ["gardener", "--generations", "200", "--set", "lumen.enabled=true", "--out", "runs/garden"],
]
# Deterministic: a failure comes again.
ATTACK = [
    "run",
    "--phases=examples,coverage,fuzzing",
    "--max-examples=60",
    "--seed=1",
    "--generation-database=none",
    "--request-timeout=10",
    "--warnings=off",
    "--no-color",
]


def ready(url):
    """Whether the server says that it is."""
    try:
        with urllib.request.urlopen(f"{url}readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def main():
    program = str(Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else str(ROOT / "target/release/resonetics")
    with tempfile.TemporaryDirectory() as folder:
        for words in RUNS:
            subprocess.run([program, *words, "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        serve = [program, "lumen", "serve", "--port", "0"]
        server = subprocess.Popen(serve, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().strip()
            until = time.monotonic() + 60
            while not ready(url):
                if time.monotonic() > until or server.poll() is not None:
                    sys.exit(f"{url} is not ready")
                time.sleep(0.1)
            attack = [Path(sys.executable).with_name("schemathesis"), *ATTACK, f"{url}openapi.json"]
            failed = subprocess.run(attack, cwd=folder, env={**os.environ, "NO_COLOR": "1"}).returncode
            alive = ready(url)
        finally:
            server.send_signal(signal.SIGTERM)
            ended = server.wait(timeout=30)
    if failed or not alive or ended:
        sys.exit(f"schemathesis ended with {failed}, the server {'lived' if alive else 'died'} and ended with {ended}")


main()
