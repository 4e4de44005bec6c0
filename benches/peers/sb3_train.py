"""What Stable-Baselines3's PPO learns in the K8s cluster (docs/RULES.md section 1, v4.5): return and life of its
greedy policy after some of the steps and at the end, and the seconds that the training took until then.

    python benches/peers/sb3_train.py --steps 400000 --seed 1 --out FOLDER
    python benches/peers/sb3_train.py --steps 400000 --seed 1 --like runs/train-k8s/config.toml --out FOLDER

Without `--like` PPO has its own defaults, in 8 clusters. With it, the settings of a training of ours. FOLDER/peer.json
appears when all is done.
"""

import argparse
import json
import os
import time
import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from gymnasium_k8s import DRIFT, MAX_STEPS, Clusters

# Seeds of what is played to measure; trainings have those below.
MEASURED = 1_000_001


class Stacked(VecEnv):
    """`Clusters` for Stable-Baselines3. The first `restarting` of them begin anew after every `horizon` steps."""

    def __init__(self, clusters, seed, horizon=0, restarting=0):
        self.clusters, self.first_seed = clusters, seed
        self.horizon, self.restarting = horizon, restarting
        self.taken = 0
        super().__init__(clusters.num_envs, clusters.single_observation_space, clusters.single_action_space)

    def reset(self):
        self.taken = 0
        return self.clusters.reset(seed=self.first_seed)[0].copy()

    def step_async(self, actions):
        self.actions = actions

    def step_wait(self):
        self.taken += 1
        if self.restarting and self.taken % self.horizon == 0:
            # Truncated by this step, so that the value of what is seen last is credited.
            self.clusters.steps[: self.restarting] = self.clusters.max_steps - 1
        seen, rewards, terminated, truncated, more = self.clusters.step(self.actions)
        over = terminated | truncated
        infos = [{} for _ in range(self.num_envs)]
        for lane in np.flatnonzero(over):
            cut = bool(truncated[lane] and not terminated[lane])
            infos[lane] = {"terminal_observation": more["final_obs"][lane], "TimeLimit.truncated": cut}
        # The clusters overwrite what they have returned.
        return seen.copy(), rewards.astype(np.float32), over, infos

    def close(self):
        pass

    def get_attr(self, attr_name, indices=None):
        return [getattr(self.clusters, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        raise NotImplementedError

    def env_method(self, method_name, *method_args, indices=None, **method_kwargs):
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


def earned(model, episodes, world):
    """Mean return and mean length of `episodes` episodes of the greedy policy, all side by side."""
    clusters = Clusters(episodes, **world)
    seen, _ = clusters.reset(seed=MEASURED)
    normalizer = model.get_vec_normalize_env()
    returns, lengths = np.zeros(episodes), np.zeros(episodes)
    playing = np.ones(episodes, bool)
    while playing.any():
        if normalizer is not None:
            seen = normalizer.normalize_obs(seen)
        actions, _ = model.predict(seen, deterministic=True)
        seen, rewards, terminated, truncated, _ = clusters.step(actions)
        returns += np.where(playing, rewards, 0.0)
        lengths += playing
        playing &= ~(terminated | truncated)
    return {"return_mean": returns.mean(), "steps_mean": lengths.mean()}


class Measuring(BaseCallback):
    """Measures where `at` steps are reached, between two rollouts, and counts what a training takes without that."""

    def __init__(self, at, measured, entropy):
        super().__init__()
        self.at, self.measured, self.entropy = sorted(at), measured, entropy
        self.points, self.away = [], np.zeros(2)

    def clocks(self):
        """Seconds by the wall and of the processor, of the training alone."""
        return np.array([time.perf_counter(), time.process_time()]) - self.away

    def _on_training_start(self):
        self.begun = self.clocks()

    def point(self, at):
        before = self.clocks()
        seconds, processor_seconds = before - self.begun
        found = self.measured()
        self.away += self.clocks() - before
        self.points.append({
            "at": at, "steps": self.num_timesteps, "seconds": seconds, "processor_seconds": processor_seconds, **found
        })
        print(json.dumps(self.points[-1]), flush=True)

    def _on_rollout_start(self):
        if self.entropy is not None:
            first, last = self.entropy
            left = 1.0 - self.num_timesteps / self.locals["total_timesteps"]
            self.model.ent_coef = last + (first - last) * max(left, 0.0)
        while self.at and self.num_timesteps >= self.at[0]:
            self.point(self.at.pop(0))

    def _on_step(self):
        return True


def like(train):
    """PPO's arguments from the table [train] of ours (docs/RULES.md section 3.2)."""
    rate, last_rate = train["learning_rate"], train["learning_rate_final"]
    hidden = train["network"]["hidden"]
    for key, needed in (("schedule", "linear"), ("value_clip", 0.0), ("target_kl", 0.0)):
        if train[key] != needed:
            raise SystemExit(f"sb3_train.py: --like: train.{key} has to be {needed}, not {train[key]}")
    return {
        "n_steps": train["horizon"],
        "batch_size": train["minibatch"],
        "n_epochs": train["epochs"],
        "gamma": train["gamma"],
        "gae_lambda": train["lambda"],
        "learning_rate": lambda left: last_rate + (rate - last_rate) * left,
        "clip_range": train["clip"],
        "ent_coef": train["entropy"],
        # Ours is the weight of half of the squared error.
        "vf_coef": train["value_weight"] / 2.0,
        "max_grad_norm": train["max_grad_norm"],
        "policy_kwargs": {"net_arch": {"pi": hidden, "vf": hidden}, "activation_fn": torch.nn.Tanh},
    }


def trained(args):
    """What was measured, and with what."""
    torch.set_num_threads(1)
    world = {"max_steps": args.max_steps, "drift": args.drift}
    if args.like is None:
        arguments, entropy = {}, None
        envs = Stacked(Clusters(8, **world), args.seed)
    else:
        train = tomllib.loads(args.like.read_text())["train"]
        arguments, entropy = like(train), (train["entropy"], train["entropy_final"])
        restarting = int(train["restart"] * train["num_envs"])
        clusters = Clusters(train["num_envs"], **world, margin=train["doses"]["margin"])
        envs = Stacked(clusters, args.seed, train["horizon"], restarting)
        envs = VecNormalize(
            envs,
            norm_obs=train["normalize_observations"],
            norm_reward=train["normalize_returns"],
            gamma=train["gamma"],
        )
    model = stable_baselines3.PPO("MlpPolicy", envs, device="cpu", seed=args.seed, **arguments)
    measuring = Measuring(args.at, lambda: earned(model, args.episodes, world), entropy)
    model.learn(args.steps, callback=measuring)
    measuring.point(args.steps)
    return {
        "settings": "Stable-Baselines3's defaults" if args.like is None else "those of a training of ours",
        "seed": args.seed,
        "num_envs": envs.num_envs,
        **world,
        "episodes": args.episodes,
        "points": measuring.points,
        "stable_baselines3": stable_baselines3.__version__,
        "torch": torch.__version__,
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, required=True, help="of the training, in whole rollouts, never fewer")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS, help=f"of an episode [{MAX_STEPS}]")
    parser.add_argument("--drift", type=float, default=DRIFT, help=f"mean that a step adds to memory [{DRIFT}]")
    parser.add_argument("--like", type=Path, metavar="CONFIG", help="config.toml of a training of ours")
    parser.add_argument("--at", type=int, action="append", default=[], metavar="STEPS", help="measure there too")
    parser.add_argument("--episodes", type=int, default=1000, help="each time that it is measured [1000]")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = trained(args)
    partial = args.out / "peer.json.partial"
    partial.write_text(json.dumps(found, indent=1) + "\n")
    os.replace(partial, args.out / "peer.json")


if __name__ == "__main__":
    main()
