#!/usr/bin/env python3
"""Real runs, the real exporter, a real Prometheus and a real Alertmanager, with the files of ops/.

Trainings, a garden and clusters are watched; `lumen serve` shows them; end_to_end.py scrapes it, asks each rule and
panel for a series, and waits. While nothing is wrong nobody may be paged. Then a training gets a hundred times its
learning rate, going on from networks that were trained well: who is on call must hear of that one, and of no other.

--resonetics PROGRAM     the program
--full                   no wait is cut short: the page must come within two minutes
--quiet SECONDS          nobody may be paged for so long before
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
RATE = 0.3  # a hundred times the cluster's


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resonetics", required=True)
    parser.add_argument("--prometheus", default="prometheus")
    parser.add_argument("--alertmanager", default="prometheus-alertmanager")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--quiet", type=float, default=20)
    options = parser.parse_args()
    program = pathlib.Path(options.resonetics).resolve()
    started = []
    with tempfile.TemporaryDirectory(prefix="lumen-real-", ignore_cleanup_errors=True) as folder:
        folder = pathlib.Path(folder)

        def run(*words):
            subprocess.run([program, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)

        def start(*words, log):
            with open(folder / log, "w") as out:
                child = subprocess.Popen([program, *words], cwd=folder, stdout=out, stderr=subprocess.STDOUT)
            started.append(child)
            return child

        def train(name, *words):
            ports = ["--metrics-port", "0", "--health-port", "0"]
            return start("train", "--seed", "7", "--lumen", "--out", f"runs/{name}", *ports, *words, log=f"{name}.log")

        try:
            # What ended, well and badly.
            run("train", "--steps", "60000", "--seed", "1", "--lumen", "--no-monitor", "--quiet", "--out", "runs/base")
            run("gardener", "--generations", "300", "--seed", "1", "--lumen", "--quiet", "--out", "runs/garden")
            # At work.
            steps = ["--steps", "400000000"]
            train("healthy", "--from", "runs/base", "--set", 'train.schedule="prophet"', *steps)
            # A gate that trips over next to nothing, while the level stays calm; and a run that was told something.
            train("touchy", "--from", "runs/base", "--set", "lumen.gate.residual_max=0.0001", *steps)
            wait(lambda: subprocess.run([program, "lumen", "ctl", "runs/touchy", "knob.set", "train.entropy=0.02"],
                                        cwd=folder, capture_output=True).returncode == 0, 30, "a run to be told something")
            monitor = "--metrics-port 0 --health-port 0".split()
            drift = "drift --steps 1000000000 --centred-risk --seed 1 --lumen --out runs/drift".split()
            start(*drift, *monitor, log="drift.log")
            clusters = start(
                *"benchmark --agents heuristic --episodes 64 --seed 1 --lumen --quiet --out runs/clusters".split(),
                *"--set max_steps=100000000 --set control.enabled=true --set mem_drift_mu=0.0155".split(),
                log="clusters.log",
            )
            began = time.monotonic()
            log = folder / "runs/clusters/events.jsonl"
            wait(lambda: log.exists() and log.stat().st_size > 3_000_000, 60, "clusters to say something")
            threading.Thread(target=now_and_then, args=(clusters,), daemon=True).start()
            threading.Thread(target=again_and_again, args=(run,), daemon=True).start()
            # How a run slows down is known of 20 stretches in its first quarter: of twenty seconds at work.
            time.sleep(max(0, began + 32 - time.monotonic()))
            log = proven_and_kept(folder, lambda words: run("lumen", *words.split()))
            start("lumen", "serve", "runs", "--port", "0", *log, log="serve.log")
            serve = folder / "serve.log"
            wait(lambda: "http://" in serve.read_text(), 30, "lumen serve")
            address = serve.read_text().split("http://")[1].split("/")[0]
            words = [sys.executable, str(HERE / "end_to_end.py"), "--exporter", address]
            words += ["--targets", str(folder / "targets.json"), "--quiet", str(options.quiet)]
            words += ["--expect-page", "LumenLevelAlert", "--run", "fault", "--within", "120"]
            words += ["--prometheus", options.prometheus, "--alertmanager", options.alertmanager]
            words += ["--full"] if options.full else []
            stack = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            started.append(stack)
            for line in stack.stdout:
                if line.strip() == "ready":
                    rate = ["--set", f"train.learning_rate={RATE}", "--set", f"train.learning_rate_final={RATE}"]
                    train("fault", "--from", "runs/base", *steps, *rate)
                elif line.strip().startswith("{"):
                    told = json.loads(line)
                    named = {alert["labels"].get("run") for alert in told["page"]["alerts"]}
                    assert named == {"fault"}, named
                    print(f"   the page came {told['seconds']:.0f} s after the fault, and named no other run", flush=True)
                else:
                    print(line.rstrip(), flush=True)
            return stack.wait()
        finally:
            for child in started:
                if child.poll() is None:
                    child.send_signal(signal.SIGCONT)
                    child.kill()
                    child.wait()


def proven_and_kept(folder, lumen):
    """A proof in a log, custodians who audited, a certificate, an archive with a copy; the options that show all that."""
    for key in ["keys", "a", "b", "ca"]:
        lumen(f"keys init --dir {key}")
    lumen("keys issue --ca ca --out ca.pem")
    lumen("keys issue --ca ca --root ca.pem --key keys/signer.pub.pem --out chain.pem")
    lumen("prove runs/base --keys keys")
    lumen("keys root init --custodian a/signer.pub.pem --custodian b/signer.pub.pem --signer keys/signer.pub.pem --out root")
    accepted = {"root": "--out root.json", "audit": "--root root.json --log log --log-keys keys"}
    for request, how in accepted.items():
        if request == "audit":
            lumen("keys root request --root root.json --out audit record audit")
        for custodian in ["a", "b"]:
            lumen(f"keys root sign {request} --dir {custodian} --out {request}-{custodian}")
        lumen(f"keys root accept {request} {request}-a {request}-b {how}")
    lumen("freeze runs/base")
    (folder / "copies").mkdir()
    (archive,) = (folder / "archive/base").iterdir()
    lumen(f"push archive/base/{archive.name} --remote copies --plain")
    return "--log log --root root.json --chain chain.pem --archive archive".split()


def now_and_then(child):
    """Clusters say a day's worth in a second: they work a moment of every five seconds."""
    while child.poll() is None:
        child.send_signal(signal.SIGSTOP)
        time.sleep(5)
        child.send_signal(signal.SIGCONT)
        time.sleep(0.02)


def again_and_again(run):
    """Runs that end well, for what counts them."""
    sizes = "--steps 1024 --set train.num_envs=4 --set train.horizon=32 --set train.minibatch=64".split()
    number = 0
    while True:
        number += 1
        try:
            run("train", "--seed", str(number), "--no-monitor", "--quiet", *sizes, "--out", f"runs/short-{number}")
        except (OSError, subprocess.CalledProcessError):
            return  # the folder is gone: it is over
        time.sleep(2)


def wait(until, seconds, what):
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise SystemExit(f"failed: waited {seconds} s for {what}")
        time.sleep(0.1)


sys.exit(main())
