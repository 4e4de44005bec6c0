"""The K8s cluster (docs/RULES.md section 1, v4.5) as a Gymnasium environment, and how fast
Stable-Baselines3's PPO trains in it.

    python benches/peers/sb3_k8s.py check
    python benches/peers/sb3_k8s.py measure --batch-size 64 --seconds 6
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import gymnasium
import numpy as np

MAX_BUDGET = 100.0
BUDGET_RECOVERY = 0.5
CLEAN_COST = 0.5
SCALE_COST = 5.0
MAX_STEPS = 500
DRIFT = 0.005
PRIORITIES = np.array([0.2, 0.5, 1.0])
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))


class Cluster(gymnasium.Env):
    """`height` x `width` nodes, row by row; the state is in float64, what is seen in float32."""

    metadata = {"render_modes": []}

    def __init__(self, height=4, width=4):
        self.height, self.width = height, width
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (30,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(6)
        # The nine nodes around each node, wrapping.
        self.around = np.array([
            [(row + dy) % height * width + (column + dx) % width for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            for row in range(height)
            for column in range(width)
        ])
        # cpu, memory and priority of each node, as the observation has them.
        self.nodes = np.zeros((height * width, 3))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        count = len(self.nodes)
        self.nodes[:, 0] = self.np_random.uniform(0.0, 0.3, count)
        self.nodes[:, 1] = self.np_random.uniform(0.0, 0.1, count)
        self.nodes[:, 2] = PRIORITIES[self.np_random.integers(3, size=count)]
        self.row = int(self.np_random.integers(self.height))
        self.column = int(self.np_random.integers(self.width))
        self.budget = MAX_BUDGET
        self.steps = 0
        return self.observation(), {}

    def observation(self):
        seen = np.empty(30, np.float32)
        seen[:27] = self.nodes[self.around[self.row * self.width + self.column]].ravel()
        seen[27] = self.row / self.height
        seen[28] = self.column / self.width
        seen[29] = self.budget / MAX_BUDGET
        return seen

    def step(self, action):
        noise = self.np_random.standard_normal((len(self.nodes), 2))
        noise *= (0.02, 0.01)
        noise[:, 1] += DRIFT
        return self.step_with(action, noise)

    def step_with(self, action, noise):
        """A step whose drift is `noise`: for each node what is added to its cpu and its memory."""
        reward = -0.01
        if action < 4:
            dy, dx = MOVES[action]
            self.row = (self.row + dy) % self.height
            self.column = (self.column + dx) % self.width
        elif action == 4:
            reward += self.clean()
        else:
            reward += self.scale()
        load = self.nodes[:, :2]
        load += noise
        np.clip(load, 0.0, 1.0, out=load)
        out_of_memory = load[:, 1] >= 0.99
        ooms = int(np.count_nonzero(out_of_memory))
        critical = int(np.count_nonzero(out_of_memory & (self.nodes[:, 2] > 0.8))) if ooms else 0
        reward -= 2.0 * ooms + 3.0 * critical
        average = float(load.mean())
        self.budget = min(MAX_BUDGET, self.budget + BUDGET_RECOVERY)
        self.steps += 1
        terminated = average > 0.85 or ooms > 0
        info = {"avg_load": average, "oom_nodes": ooms, "critical_oom": critical, "budget": self.budget}
        return self.observation(), reward, terminated, self.steps >= MAX_STEPS, info

    def clean(self):
        if self.budget < CLEAN_COST:
            return -0.2
        self.budget -= CLEAN_COST
        cpu, memory, priority = self.nodes[self.row * self.width + self.column].tolist()
        left = max(0.0, cpu - 0.5)
        self.nodes[self.row * self.width + self.column, :2] = left, 0.0
        cleaned = cpu - left + memory
        return -0.1 if cleaned < 0.2 else min(1.0, cleaned / 1.5) * (1.0 + priority)

    def scale(self):
        load = self.nodes[:, :2]
        hot = np.flatnonzero((load > 0.8).any(axis=1))
        if len(hot) == 0:
            return -0.2
        affordable = min(len(hot), int(self.budget / SCALE_COST))
        if affordable == 0:
            return -0.5
        self.budget -= affordable * SCALE_COST
        worst = hot[np.argsort(-load[hot].sum(axis=1), kind="stable")[:affordable]]
        load[worst] = np.maximum(load[worst] - 0.3, 0.0)
        return 0.8 * affordable / len(hot)


def replay(path):
    """The largest difference between a recording (RULES section 1.3) and this environment."""
    trace = json.loads(path.read_text())
    env = Cluster(*trace["grid"])
    initial = trace["initial"]
    env.nodes[:] = np.column_stack([np.ravel(initial[name]) for name in ("cpu", "memory", "priority")])
    (env.row, env.column), env.budget, env.steps = initial["agent"], initial["budget"], 0
    largest = np.abs(env.observation() - initial["observation"]).max()
    for step in trace["steps"]:
        noise = np.column_stack([np.ravel(step["cpu_noise"]), np.ravel(step["memory_noise"])])
        seen, reward, terminated, truncated, info = env.step_with(step["action"], noise)
        for name in ("oom_nodes", "critical_oom"):
            assert info[name] == step[name], (path, env.steps, name)
        assert (terminated, truncated) == (step["terminated"], step["truncated"]), (path, env.steps)
        differences = [reward - step["reward"], *(info[name] - step[name] for name in ("avg_load", "budget"))]
        largest = max(largest, np.abs(seen - step["observation"]).max(), np.abs(differences).max())
    return len(trace["steps"]), float(largest)


def check(episodes):
    """Gymnasium's contract, the recordings, and what random actions earn."""
    from stable_baselines3.common.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(Cluster())
    print("check_env: nothing to complain about")
    for path in sorted((Path(__file__).parents[2] / "reference").glob("k8s_v45_*.json")):
        steps, largest = replay(path)
        print(f"{path.name}: {steps} steps, largest difference {largest:.1e}")
        assert largest < 1e-5, path
    env = Cluster()
    env.action_space.seed(1)
    returns, lengths = [], []
    for episode in range(episodes):
        env.reset(seed=episode)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total += reward
            over = terminated or truncated
        returns.append(total)
        lengths.append(env.steps)
    print(
        f"random actions, {episodes} episodes: return {np.mean(returns):.2f} (sd {np.std(returns, ddof=1):.2f}), "
        f"steps {np.mean(lengths):.1f} (RULES' world: 28.6, sd 7.3, in 480 steps)"
    )


def measure(batch_size, seconds):
    """Whole updates, rollout and learning, after a first one, until `seconds` are over."""
    import stable_baselines3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)

    class Clock(BaseCallback):
        begun, updates, collecting, taken = None, 0, 0.0, None

        def _on_rollout_start(self):
            now = time.perf_counter()
            if self.num_timesteps == 0:
                return
            if self.begun is None:
                self.begun, self.collecting = now, 0.0
            else:
                self.updates += 1
                if now - self.begun >= seconds:
                    self.taken = now - self.begun
            self.rollout_begun = now

        def _on_rollout_end(self):
            if self.begun is not None:
                self.collecting += time.perf_counter() - self.rollout_begun

        def _on_step(self):
            return self.taken is None

    model = stable_baselines3.PPO(
        "MlpPolicy",
        make_vec_env(Cluster, n_envs=8, seed=1, vec_env_cls=DummyVecEnv),
        n_steps=256,
        n_epochs=10,
        batch_size=batch_size,
        # As our defaults; they do not change the work.
        learning_rate=3e-3, gamma=0.8, gae_lambda=0.8, ent_coef=0.01, vf_coef=1.0,
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh},
        device="cpu",
        seed=1,
    )
    clock = Clock()
    model.learn(10**12, callback=clock)
    steps = clock.updates * 8 * 256
    print(json.dumps({
        "steps_per_second": round(steps / clock.taken, 1),
        "rollout_steps_per_second": round(steps / clock.collecting, 1),
        "updates": clock.updates,
        "seconds": round(clock.taken, 3),
        "stable_baselines3": stable_baselines3.__version__,
        "torch": torch.__version__,
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check the environment")
    checking.add_argument("--episodes", type=int, default=200)
    measuring = commands.add_parser("measure", help="print how many steps a second a training takes, as JSON")
    measuring.add_argument("--batch-size", type=int, required=True)
    measuring.add_argument("--seconds", type=float, default=6.0)
    args = parser.parse_args()
    if args.command == "check":
        check(args.episodes)
    else:
        measure(args.batch_size, args.seconds)


if __name__ == "__main__":
    main()
