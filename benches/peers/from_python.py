"""What Python costs: the package `resonetics` beside the same vector stepped in Rust, beside Gymnasium's vectors, and beside EnvPool's
CartPole as a yardstick of calls. Both sides of a pair take turns in one process, so that noise falls on both alike.

    python benches/peers/from_python.py PROGRAM TABLE [--pairs N] [--seconds S]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np

import resonetics
from gymnasium_k8s import Clusters as InNumpy
from resonetics.vector import K8sSmartTensorVector

ID = "resonetics/K8sSmartTensor-v0"
ROWS = 16


def actions_for(count, most=6):
    return [np.random.default_rng(row).integers(most, size=count) for row in range(ROWS)]


def calls(step, actions, seconds):
    """Seconds of a call."""
    done, start = 0, time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        for row in actions:
            step(row)
        done += len(actions)
    return (now - start) / done


def ours(count, threads, **words):
    envs = K8sSmartTensorVector(count, threads=threads, **words)
    envs.reset(seed=1)
    actions = actions_for(count)
    return lambda seconds: calls(envs.step, actions, seconds)


def in_rust(count, threads):
    envs = K8sSmartTensorVector(count, threads=threads)
    envs.reset(seed=1)
    actions = np.stack(actions_for(count))
    steps = max(ROWS, int(0.02 * 10e6 / count))

    def measure(seconds):
        took = done = 0
        while took < seconds:
            took += envs._clusters.seconds_of(actions, steps)
            done += steps
        return took / done

    return measure


def single():
    env = gymnasium.make(ID, disable_env_checker=True).unwrapped
    env.reset(seed=1)

    def step(row):
        *_, terminated, truncated, _ = env.step(int(row[0]))
        if terminated or truncated:
            env.reset()

    actions = actions_for(1)
    return lambda seconds: calls(step, actions, seconds)


def gymnasiums(mode, count):
    envs = gymnasium.make_vec(ID, num_envs=count, vectorization_mode=mode)
    envs.reset(seed=1)
    actions = actions_for(count)
    return lambda seconds: calls(envs.step, actions, seconds)


def in_numpy(count):
    envs = InNumpy(count)
    envs.reset(seed=1)
    actions = actions_for(count)
    return lambda seconds: calls(envs.step, actions, seconds)


def envpools(count):
    import envpool

    envs = envpool.make("CartPole-v1", env_type="gymnasium", num_envs=count, num_threads=1)
    envs.reset()
    actions = actions_for(count, 2)
    return lambda seconds: calls(envs.step, actions, seconds)


def pairs_of(one, other, pairs, seconds):
    """Seconds of a call of each, in turns."""
    one(seconds / 5), other(seconds / 5)
    return [(one(seconds), other(seconds)) for _ in range(pairs)]


def interval(values):
    """95% of the medians of resamples."""
    draw = np.random.default_rng(0).choice(values, (10_000, len(values)))
    return np.percentile(np.median(draw, axis=1), [2.5, 97.5])


def row(name, count, threads, found):
    ratios = [other / one for one, other in found]
    mine, theirs = (statistics.median(side) for side in zip(*found))
    low, high = interval(ratios)
    return (
        f"| {name} | {count:,} | {threads} | {count / mine:,.0f} | {count / theirs:,.0f} | "
        f"**{statistics.median(ratios):.3g}** | {low:.3g} to {high:.3g} |"
    )


def trainings(program, pairs):
    """Seconds of a training by the program and from Python, in turns."""
    found = []
    with tempfile.TemporaryDirectory() as place:
        for pair in range(pairs):
            folder = Path(place, f"program-{pair}")
            words = ["--threads", "1", "--quiet", "train", "--no-monitor", "--steps", "200000", "--seed", "1"]
            subprocess.run([program, *words, "--out", folder], check=True, capture_output=True)
            theirs = json.loads((folder / "run.json").read_text())["wall_seconds"]
            run = resonetics.train(steps=200_000, seed=1, threads=1, progress=False, out=Path(place, f"python-{pair}"))
            found.append((json.loads((run / "run.json").read_text())["wall_seconds"], theirs))
    return found


def imports(pairs):
    """Seconds that importing the package takes beyond numpy and Gymnasium."""
    def seconds(what):
        code = f"import time, numpy, gymnasium; start = time.perf_counter(); {what}; print(time.perf_counter() - start)"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        return float(done.stdout)

    return statistics.median(seconds("import resonetics") for _ in range(pairs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("table")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5)
    typed = parser.parse_args()
    pairs, seconds = typed.pairs, typed.seconds
    lines, asynchronous = [], []
    head = "| peer | clusters | threads, ours | resonetics from Python, steps/s | peer, steps/s | ratio | 95% |\n|---|---|---|---|---|---|---|"
    for count in (1, 64, 4096, 65_536):
        lines.append(row("the same vector in Rust", count, 1, pairs_of(ours(count, 1), in_rust(count, 1), pairs, seconds)))
    lines.append(row("the same, two threads each", 4096, 2, pairs_of(ours(4096, 2), in_rust(4096, 2), pairs, seconds)))
    lines.append(row("`copy=False` beside copies", 4096, 1, pairs_of(ours(4096, 1, copy=False), ours(4096, 1), pairs, seconds)))
    for count in (1, 64, 4096):
        lines.append(row("`SyncVectorEnv` of single ones", count, 1, pairs_of(ours(count, 1), gymnasiums("sync", count), pairs, seconds)))
        print(lines[-1], flush=True)
    for count in (1, 8, 64):
        found = pairs_of(ours(count, 1), gymnasiums("async", count), pairs, seconds)
        asynchronous.append((count / statistics.median(other for _, other in found), count))
        lines.append(row("`AsyncVectorEnv` of single ones", count, 1, found))
        print(lines[-1], flush=True)
    for count in (64, 4096):
        lines.append(row("a `VectorEnv` of the rules in numpy", count, 1, pairs_of(ours(count, 1), in_numpy(count), pairs, seconds)))
    for count in (1, 64, 4096):
        lines.append(row("EnvPool's CartPole", count, 1, pairs_of(ours(count, 1), envpools(count), pairs, seconds)))
    rate, best = max(asynchronous)
    at_most = statistics.median(4096 / ours(4096, 1)(seconds) for _ in range(pairs))
    one, rust, empty, alone = [], [], [], []
    for _ in range(3 * pairs):
        one.append(ours(1, 1)(seconds / 3))
        rust.append(in_rust(1, 1)(seconds / 3))
        empty.append(calls(lambda _: K8sSmartTensorVector and resonetics._native.Clusters.three_arrays(), range(ROWS), seconds / 3))
        alone.append(single()(seconds / 3))
    small = [1e6 * statistics.median(times) for times in (one, rust, empty, alone)]
    trained = trainings(typed.program, pairs)
    shares = [theirs / mine for mine, theirs in trained]
    low, high = interval(shares)
    text = f"""# The cluster from Python

```
$ cargo xtask bench --from-python --pairs {pairs} --seconds {seconds:g}
```

{head}
{chr(10).join(lines)}

Rules v4.5, random actions drawn beforehand, next-step autoreset, observations, rewards, flags and infos as arrays. Both sides took turns in one process; the
ratio is that of a pair, then the median over {pairs} pairs, with the interval of 10,000 bootstraps of them. Above 1 the package is faster. The rates are this
machine's with whatever else ran on it: quote the ratios. "In Rust" steps the same clusters with the same actions into arrays that are written again
and again, and makes no infos. EnvPool's CartPole is another world: it shows what calls cost elsewhere.

- At its best `AsyncVectorEnv` makes {rate:,.0f} steps/s, with {best} clusters; 4,096 of ours make {at_most / rate:,.0f} times as many on one thread.
- One cluster: {small[0]:.2f} us a step in a vector of one; the step in Rust takes {small[1]:.2f} us and a call that yields three empty arrays {small[2]:.2f} us: \
{small[0] - small[1] - small[2]:.2f} us more than both. As a single `Env` it takes {small[3]:.2f} us.
- `train` from Python beside the program, one thread, 200,000 steps: {statistics.median(shares):.3f} times as fast ({low:.3f} to {high:.3f}).
- `import resonetics` takes {1e3 * imports(2 * pairs + 1):.0f} ms where numpy and Gymnasium are imported already.

Python {sys.version.split()[0]}, gymnasium {gymnasium.__version__}, numpy {np.__version__}, resonetics {resonetics.__version__}
"""
    Path(typed.table).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
