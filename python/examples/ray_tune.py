"""Ray Tune over the trainer, from top to bottom: which learning rate and discount keep a cluster best?

    pip install "ray[tune]"
    python ray_tune.py --trials 8 --steps 400000

Each trial is a training with one thread and a folder of its own. It tells Tune what its policy earns each time it is measured, and
ASHA stops those that are behind. Prints a table, and what the best one earns in clusters that none of them has seen.
"""

import argparse
import csv
import json
import os
import queue
import threading
from pathlib import Path

# Ray reports its use unless it is told not to.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray  # noqa: E402
from ray import tune  # noqa: E402
from ray.tune.schedulers import ASHAScheduler  # noqa: E402
from ray.tune.search import BasicVariantGenerator  # noqa: E402

import resonetics  # noqa: E402

parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
parser.add_argument("--trials", type=int, default=8, help="trainings")
parser.add_argument("--steps", type=int, default=400_000, help="steps of a training that is not stopped")
parser.add_argument("--grace", type=int, default=50_000, help="steps that each training gets before it may be stopped")
parser.add_argument("--seed", type=int, default=1, help="of what is tried and of the trainings")
parser.add_argument("--cpus", type=int, help="as many trainings go on at a time; all cpus if not given")
parser.add_argument("--out", default="tune", help="folder of the trials")


class Stopped(Exception):
    """Tune has seen enough of a trial."""


class Trial(tune.Trainable):
    """A training that goes on in a thread of its own. For Tune a step is up to the next measurement."""

    def setup(self, config: dict, steps: int, seed: int, place: Path) -> None:
        # In the folder where the results go, and not in Ray's own from which Tune copies: it would copy a run that is being written.
        # On several machines `place` has to be a folder that all of them see.
        self.run = place / Path(self.logdir).name / "run"
        self.measured: queue.Queue = queue.Queue()
        self.last, self.told, self.stopped = {}, 0, False
        self.thread = threading.Thread(target=self.work, args=(config, steps, seed))
        self.thread.start()

    def work(self, config: dict, steps: int, seed: int) -> None:
        try:
            resonetics.train(steps=steps, seed=seed, threads=1, out=self.run, progress=self.progress, train=config)
            self.measured.put({"done": True})
        except Exception as problem:
            self.measured.put(problem)

    def progress(self, done: int, total: int, message: str) -> None:
        """train() calls it some times a second: hands on what is new in the training's table."""
        if self.stopped:
            # It passes through train(), which ends in order: the last checkpoint is written, and run.json says "interrupted".
            raise Stopped
        log = self.run / "training.csv"
        lines = log.read_text().splitlines(keepends=True) if log.exists() else []
        # The last line may not be whole yet.
        rows = list(csv.DictReader(line for line in lines if line.endswith("\n")))
        for row in rows[self.told :]:
            if row["greedy_return"]:
                self.measured.put({"greedy_return": float(row["greedy_return"]), "steps": int(row["steps"])})
        self.told = len(rows)

    def step(self) -> dict:
        new = self.measured.get()
        if isinstance(new, Exception):
            raise new
        self.last |= new
        return dict(self.last)

    def cleanup(self) -> None:
        """Tune calls it at the end of a trial, and where ASHA stops one."""
        self.stopped = True
        self.thread.join()


if __name__ == "__main__":
    args = parser.parse_args()
    place = Path(args.out).resolve()
    if place.exists():
        parser.error(f"--out {args.out} exists: choose another one or remove it")
    ray.init(num_cpus=args.cpus)
    tuner = tune.Tuner(
        tune.with_parameters(Trial, steps=args.steps, seed=args.seed, place=place),
        param_space={"learning_rate": tune.loguniform(1e-4, 3e-2), "gamma": tune.uniform(0.8, 0.99)},
        tune_config=tune.TuneConfig(
            metric="greedy_return",
            mode="max",
            num_samples=args.trials,
            search_alg=BasicVariantGenerator(random_state=args.seed),
            scheduler=ASHAScheduler(time_attr="steps", max_t=args.steps, grace_period=args.grace, reduction_factor=3),
        ),
        run_config=tune.RunConfig(
            name=place.name,
            storage_path=str(place.parent),
            verbose=0,
            # The training keeps its own.
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    results = tuner.fit()
    if results.errors:
        raise results.errors[0]

    print("learning_rate  gamma   steps  greedy_return  run")
    for result in sorted(results, key=lambda result: -result.metrics["greedy_return"]):
        rate, gamma = result.config["learning_rate"], result.config["gamma"]
        steps, earned = result.metrics["steps"], result.metrics["greedy_return"]
        status = json.loads(Path(result.path, "run", "run.json").read_text())["status"]
        print(f"{rate:13.5f}  {gamma:.3f}  {steps:6d}  {earned:13.2f}  {status}")

    # The best of many was lucky too: only clusters that nobody was chosen by say what it earns.
    best = Path(results.get_best_result().path, "run")
    found, _ = resonetics.evaluate(best, episodes=1000, seed=args.seed + 1, out=place / "evaluation", threads=1)
    print(f"\nThe best, {best.parent.name}, in {found['episodes']} fresh clusters: return {found['return_mean']:.2f}", end=" ")
    print(f"(95% {found['return_mean_low']:.2f} to {found['return_mean_high']:.2f}), steps lived {found['steps_mean']:.0f}")
