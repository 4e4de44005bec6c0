"""How fast `resonetics throughput --train` and Stable-Baselines3's PPO train in the K8s cluster, as
ratios of interleaved pairs: this machine's noise then falls on both alike.

    python benches/peers/compare_training.py target/release/resonetics table.md
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
from pathlib import Path

PEER = Path(__file__).with_name("sb3_k8s.py")
MINIBATCHES = (64, 2048)
RESAMPLES = 10_000
OURS = (
    "--threads 1 throughput --train --set train.num_envs=8 --set train.horizon=256 --set train.epochs=10 "
    "--set train.minibatch={minibatch} --seconds {seconds:g}"
)
THEIRS = "measure --batch-size {minibatch} --seconds {seconds:g}"
NOTES = """\
Both: PPO on one CPU thread, rules v4.5, 8 environments, 256 steps of each in a rollout, 10 epochs, actor and critic apart with two layers of 64
tanh units each, Adam, f32, no flow in the loss. A rate is that of whole updates, rollout and learning, after a warm-up; starting up is not timed.
The ratio is that of a pair, then the median over the pairs; the interval is that of {resamples:,} bootstraps of the pairs. The rates are this machine's
with whatever else ran on it; quote the ratios.

*Learning alone* takes the rollouts out: 1 / (1 / training - 1 / rollout), of the rates that each side measured in the same run. The rest of the
difference is the rollouts: the environment in plain Python and numpy, in a `DummyVecEnv` with SB3's usual `Monitor`, and torch's answers to 8
observations at a time. Ours also normalises observations and rewards, as its defaults do; theirs does not (`VecNormalize` is apart in SB3 and off
by default). It is a comparison of speed, not of what is learned.
"""


def answer(command):
    """What a command prints, as JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nfailed with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def learning(training, rollout):
    """Steps a second of the learning alone."""
    return 1.0 / (1.0 / training - 1.0 / rollout)


def interval(values):
    """95% of the medians of resampled values."""
    draw = random.Random(1)
    medians = sorted(
        statistics.median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def cpu_model():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def run_pairs(binary, minibatch, pairs, seconds):
    """The two answers of each pair."""
    ours = [binary, *OURS.format(minibatch=minibatch, seconds=seconds).split()]
    theirs = [sys.executable, str(PEER), *THEIRS.format(minibatch=minibatch, seconds=seconds).split()]
    answers = []
    for pair in range(1, pairs + 1):
        a, b = answer(ours), answer(theirs)
        rates = a["training_steps_per_second"], b["steps_per_second"]
        print(f"minibatch {minibatch}, pair {pair}: {rates[0]:.0f} / {rates[1]:.0f} = {rates[0] / rates[1]:.2f}", flush=True)
        answers.append((a, b))
    return answers


def rates(pair):
    """Of one pair: training and learning alone, ours and theirs."""
    a, b = pair
    training = a["training_steps_per_second"], b["steps_per_second"]
    rollout = a["inference_steps_per_second"], b["rollout_steps_per_second"]
    return training, tuple(learning(*both) for both in zip(training, rollout))


def table(measured):
    lines = [
        "| minibatch | what | resonetics, steps/s | SB3, steps/s | ratio | 95% | pairs |",
        "|---|---|---|---|---|---|---|",
    ]
    for minibatch, pairs in measured.items():
        for what, both in zip(("training", "learning alone"), zip(*map(rates, pairs))):
            ours, theirs = zip(*both)
            ratios = [a / b for a, b in both]
            low, high = interval(ratios)
            lines.append(
                f"| {minibatch:,} | {what} | {statistics.median(ours):,.0f} | {statistics.median(theirs):,.0f} "
                f"| **{statistics.median(ratios):.2f}** | {low:.2f} to {high:.2f} | {len(ratios)} |"
            )
    lines += ["", "Each pair, in the order of the run (training, steps/s):", "", "| minibatch | resonetics / SB3 |", "|---|---|"]
    for minibatch, pairs in measured.items():
        each = (rates(pair)[0] for pair in pairs)
        lines.append(f"| {minibatch:,} | " + ", ".join(f"{a:,.0f} / {b:,.0f} = {a / b:.2f}" for a, b in each) + " |")
    return lines


def page(args, measured):
    a, b = next(iter(measured.values()))[0]
    version = subprocess.run([args.binary, "doctor"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    ours = OURS.format(minibatch="M", seconds=args.seconds)
    theirs = THEIRS.format(minibatch="M", seconds=args.seconds)
    peers = ", ".join(f"{name} {b[name]}" for name in ("torch", "gymnasium", "numpy"))
    return "\n".join([
        "# Training speed compared with Stable-Baselines3",
        "",
        "```",
        f"$ python benches/peers/compare_training.py target/release/resonetics {args.out} --pairs {args.pairs} --seconds {args.seconds:g}",
        "```",
        "which takes turns, M the minibatch, with",
        "```",
        f"$ resonetics {ours}",
        f"$ python benches/peers/{PEER.name} {theirs}",
        "```",
        "",
        *table(measured),
        "",
        NOTES.format(resamples=RESAMPLES),
        f"- {version}, {a['learner']} learner, {a['cpu']}",
        f"- Stable-Baselines3 {b['stable_baselines3']}, {peers}, Python {platform.python_version()}; one torch thread",
        f"- {cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "",
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="resonetics, built with --release")
    parser.add_argument("out", help="file for the table, in Markdown")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of each minibatch [7]")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement [6]")
    args = parser.parse_args()
    if args.pairs < 1 or args.seconds <= 0:
        parser.error("--pairs and --seconds have to be above 0")
    args.binary = str(Path(args.binary).resolve())
    measured = {size: run_pairs(args.binary, size, args.pairs, args.seconds) for size in MINIBATCHES}
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(args, measured), encoding="utf-8")
    print(out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
