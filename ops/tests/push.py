#!/usr/bin/env python3
"""What `lumen export` writes is taken by promtool and by a real Pushgateway, which holds it once, and forgets it.

--resonetics PROGRAM  --promtool PROGRAM  --pushgateway PROGRAM
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from end_to_end import free_port


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("resonetics", "promtool", "pushgateway"):
        parser.add_argument(f"--{name}", required=True, type=lambda path: str(pathlib.Path(path).absolute()))
    options = parser.parse_args()
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="lumen-push-") as folder:
        run = lambda *words: subprocess.run([options.resonetics, *words], cwd=folder, check=True, capture_output=True, text=True).stdout
        train = "train --steps 1024 --set train.num_envs=4 --set train.horizon=32 --set train.minibatch=64 --no-monitor --quiet".split()
        url = f"http://127.0.0.1:{free_port()}"
        gateway = subprocess.Popen([options.pushgateway, f"--web.listen-address={url[7:]}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            counted = lambda: [line for line in get(f"{url}/metrics").splitlines() if line.startswith("lumen_runs_success_total{")]
            wait(lambda: get(f"{url}/metrics"))
            run(*train, "--seed", "1", "--out", "runs/a")
            run("lumen", "export", "--push", url, "--textfile", ".")
            text = (pathlib.Path(folder) / "lumen.prom").read_bytes()
            subprocess.run([options.promtool, "check", "metrics"], input=text, check=True)
            first = counted()
            assert len(first) == 1 and first[0].endswith(" 1") and 'job="lumen"' in first[0], first
            run(*train, "--seed", "2", "--out", "runs/b")
            run("lumen", "export", "--push", url)
            second = counted()
            assert len(second) == 1 and second[0].endswith(" 2"), second
            run("lumen", "export", "--push", url, "--forget")
            assert counted() == [], counted()
        finally:
            gateway.kill()
            gateway.wait()
    print("   promtool takes the text file, a Pushgateway holds what it is given once, and forgets it")


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def wait(look):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if look():
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("failed: the Pushgateway did not start within 20 s")


sys.exit(main())
