"""The K8s cluster (docs/RULES.md section 1, v4.5) for Gymnasium's vectors, and how fast they step it
with random actions: `numpy` is a VectorEnv that steps all clusters with array operations, `sync` is
Gymnasium's SyncVectorEnv around the environment of sb3_k8s.py.

    python benches/peers/gymnasium_k8s.py check
    python benches/peers/gymnasium_k8s.py measure --vector numpy --num-envs 4096 --seconds 2

That they play the game of RULES is seen twice. `check` replays the recordings in reference/. And random
actions must earn 28.6 (within 1.5) in 480 steps (within 15) a game: `check` plays until it knows, and
`measure` refuses to report a speed where it has seen enough games and they earn something else.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space

from sb3_k8s import BUDGET_RECOVERY, CLEAN_COST, DRIFT, MAX_BUDGET, MAX_STEPS, MOVES, PRIORITIES, SCALE_COST, Cluster

MEAN_RETURN, RETURN_WITHIN = 28.6, 1.5
MEAN_LENGTH, LENGTH_WITHIN = 480.0, 15.0
# With a standard deviation of some 7 in the return and 70 in the length, their means are then known
# to a fourth of what is allowed.
ENOUGH_EPISODES = 400
# Clean and scale go nowhere.
WALKS = np.array([*MOVES, (0, 0), (0, 0)])


class Clusters(VectorEnv):
    """`num_envs` clusters in lockstep, each reset in the step that ends it; state in float32.

    What a step returns is overwritten by the next, as with `SyncVectorEnv(copy=False)`. With a margin each episode's
    drift is uniform from `drift` to (1 + `margin`) times it.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, num_envs, height=4, width=4, max_steps=MAX_STEPS, drift=DRIFT, margin=0.0):
        one = Cluster(height, width)
        self.num_envs, self.max_steps = num_envs, max_steps
        self.drift, self.margin = drift, margin
        # Mean and standard deviation of what a step adds to cpu and memory.
        self.means, self.deviations = np.array([[0.0, drift], [0.02, 0.01]], np.float32)
        if margin:
            self.means = np.tile(self.means, (num_envs, 1, 1))
        self.single_observation_space, self.single_action_space = one.observation_space, one.action_space
        self.observation_space = batch_space(one.observation_space, num_envs)
        self.action_space = batch_space(one.action_space, num_envs)
        self.grid = np.array([height, width])
        self.around = one.around
        count = height * width
        self.lanes = np.arange(num_envs)
        # (cpu, memory) of each node; and what changes only at a reset.
        self.load = np.zeros((num_envs, count, 2), np.float32)
        self.priorities = np.zeros((num_envs, count), np.float32)
        self.agents = np.zeros((num_envs, 2), np.int64)
        self.budgets = np.zeros(num_envs, np.float32)
        self.steps = np.zeros(num_envs, np.int64)
        self.noise = np.zeros_like(self.load)
        self.seen = np.zeros((num_envs, 30), np.float32)

    def reset(self, *, seed=None, options=None):
        if seed is not None or self._np_random is None:
            # The fastest of numpy's generators; gymnasium's own would be PCG64.
            self._np_random = np.random.Generator(np.random.SFC64(seed))
        self.begin(self.lanes)
        return self.observe(), {}

    def begin(self, lanes):
        """New clusters for some lanes."""
        random, count = self._np_random, len(lanes)
        nodes = self.priorities.shape[1]
        self.load[lanes] = random.random((count, nodes, 2), np.float32) * np.array([0.3, 0.1], np.float32)
        self.priorities[lanes] = PRIORITIES[random.integers(3, size=(count, nodes))]
        self.agents[lanes] = random.integers(self.grid, size=(count, 2))
        self.budgets[lanes] = MAX_BUDGET
        self.steps[lanes] = 0
        if self.margin:
            self.means[lanes, 0, 1] = self.drift * (1.0 + self.margin * random.random(count, np.float32))

    def cells(self):
        """The node that each agent stands on."""
        return self.agents[:, 0] * self.grid[1] + self.agents[:, 1]

    def observe(self):
        around = self.around[self.cells()]
        nodes = self.seen[:, :27].reshape(self.num_envs, 9, 3)
        nodes[:, :, :2] = self.load[self.lanes[:, None], around]
        nodes[:, :, 2] = self.priorities[self.lanes[:, None], around]
        self.seen[:, 27:29] = self.agents / self.grid
        self.seen[:, 29] = self.budgets / MAX_BUDGET
        return self.seen

    def step(self, actions):
        noise = self._np_random.standard_normal(dtype=np.float32, out=self.noise)
        noise *= self.deviations
        noise += self.means
        rewards, terminated, truncated = self.advance(np.asarray(actions), noise)
        over = np.flatnonzero(terminated | truncated)
        infos = {}
        if len(over):
            last = np.zeros_like(self.seen)
            last[over] = self.observe()[over]
            infos = {"final_obs": last, "_final_obs": terminated | truncated}
            self.begin(over)
        return self.observe(), rewards, terminated, truncated, infos

    def advance(self, actions, noise):
        """A step without resets, whose drift is `noise`: what is added to cpu and memory of each node."""
        rewards = np.full(self.num_envs, -0.01)
        self.agents += WALKS[actions]
        self.agents %= self.grid
        self.clean(np.flatnonzero(actions == 4), rewards)
        self.scale(np.flatnonzero(actions == 5), rewards)
        load = self.load
        load += noise
        np.clip(load, 0.0, 1.0, out=load)
        out_of_memory = load[:, :, 1] >= 0.99
        terminated = out_of_memory.any(axis=1)
        lost = np.flatnonzero(terminated)
        if len(lost):
            critical = out_of_memory[lost] & (self.priorities[lost] > 0.8)
            rewards[lost] -= 2.0 * out_of_memory[lost].sum(axis=1) + 3.0 * critical.sum(axis=1)
        terminated |= load.mean(axis=(1, 2)) > 0.85
        np.minimum(MAX_BUDGET, self.budgets + np.float32(BUDGET_RECOVERY), out=self.budgets)
        self.steps += 1
        return rewards, terminated, self.steps >= self.max_steps

    def clean(self, lanes, rewards):
        able = self.budgets[lanes] >= CLEAN_COST
        rewards[lanes[~able]] -= 0.2
        lanes = lanes[able]
        cells = self.cells()[lanes]
        self.budgets[lanes] -= np.float32(CLEAN_COST)
        before = self.load[lanes, cells]
        left = np.maximum(before[:, 0] - np.float32(0.5), 0.0)
        self.load[lanes, cells, 0] = left
        self.load[lanes, cells, 1] = 0.0
        cleaned = before[:, 0] - left + before[:, 1]
        earned = np.minimum(1.0, cleaned / 1.5) * (1.0 + self.priorities[lanes, cells])
        rewards[lanes] += np.where(cleaned < 0.2, -0.1, earned)

    def scale(self, lanes, rewards):
        load = self.load[lanes]
        hot = (load > 0.8).any(axis=2)
        hotspots = hot.sum(axis=1)
        rewards[lanes[hotspots == 0]] -= 0.2
        some = np.flatnonzero(hotspots)
        if len(some) == 0:
            return
        lanes, load, hot, hotspots = lanes[some], load[some], hot[some], hotspots[some]
        affordable = np.minimum(hotspots, (self.budgets[lanes] / SCALE_COST).astype(np.int64))
        self.budgets[lanes] -= (affordable * SCALE_COST).astype(np.float32)
        # The rank of each node, hotspots first and of these the worst; the first on ties.
        order = np.argsort(np.where(hot, -load.sum(axis=2), np.inf), axis=1, kind="stable")
        relieved = np.argsort(order, axis=1) < affordable[:, None]
        self.load[lanes] = np.where(relieved[:, :, None], np.maximum(load - np.float32(0.3), 0.0), load)
        rewards[lanes] += np.where(affordable > 0, 0.8 * affordable / hotspots, -0.5)


def replay(path):
    """The largest difference between a recording (RULES section 1.3) and two lanes that repeat it."""
    trace = json.loads(path.read_text())
    envs = Clusters(2, *trace["grid"])
    initial = trace["initial"]
    envs.load[:] = np.column_stack([np.ravel(initial[name]) for name in ("cpu", "memory")])
    envs.priorities[:] = np.ravel(initial["priority"])
    envs.agents[:], envs.budgets[:], envs.steps[:] = initial["agent"], initial["budget"], 0
    largest = np.abs(envs.observe() - initial["observation"]).max()
    for number, step in enumerate(trace["steps"]):
        noise = np.column_stack([np.ravel(step["cpu_noise"]), np.ravel(step["memory_noise"])])
        actions = np.full(2, step["action"])
        rewards, terminated, truncated = envs.advance(actions, noise.astype(np.float32))
        for ours, theirs in ((terminated, step["terminated"]), (truncated, step["truncated"])):
            assert (ours == theirs).all(), (path, number)
        differences = [np.abs(rewards - step["reward"]), np.abs(envs.budgets - step["budget"])]
        largest = max(largest, np.abs(envs.observe() - step["observation"]).max(), np.max(differences))
    return len(trace["steps"]), float(largest)


def beside(lanes, steps):
    """The largest difference between `lanes` clusters in a vector and as many alone, all different and
    full of hotspots, with the same drift and random actions."""
    random = np.random.default_rng(3)
    envs, alone = Clusters(lanes), [Cluster() for _ in range(lanes)]
    envs.reset(seed=3)
    envs.load[:] = random.uniform(0.5, 0.95, envs.load.shape)
    envs.budgets[:] = random.uniform(0.0, MAX_BUDGET, lanes)
    for lane, env in enumerate(alone):
        env.nodes[:] = np.column_stack([envs.load[lane], envs.priorities[lane]])
        env.row, env.column = envs.agents[lane].tolist()
        env.budget, env.steps = float(envs.budgets[lane]), 0
    largest = 0.0
    for step in range(steps):
        actions = random.integers(6, size=lanes)
        noise = random.normal(0.0, 0.02, envs.load.shape).astype(np.float32)
        rewards, terminated, _ = envs.advance(actions, noise)
        seen = envs.observe()
        for lane, env in enumerate(alone):
            theirs = env.step_with(actions[lane], noise[lane].astype(np.float64))
            assert terminated[lane] == theirs[2], (lane, step)
            largest = max(largest, np.abs(seen[lane] - theirs[0]).max(), abs(rewards[lane] - theirs[1]))
    return float(largest)


def make(vector, num_envs):
    if vector == "numpy":
        return Clusters(num_envs)
    return SyncVectorEnv([Cluster] * num_envs, copy=False, autoreset_mode=AutoresetMode.SAME_STEP)


class Games:
    """Random actions, and the returns and lengths of the episodes that end."""

    def __init__(self, vector, num_envs):
        self.envs = make(vector, num_envs)
        self.envs.reset(seed=1)
        self.random = np.random.default_rng(2)
        self.returns, self.lengths = np.zeros(num_envs), np.zeros(num_envs, np.int64)
        self.ended = [[] for _ in range(num_envs)]

    def step(self):
        num_envs = self.envs.num_envs
        _, rewards, terminated, truncated, _ = self.envs.step(self.random.integers(6, size=num_envs))
        self.returns += rewards
        self.lengths += 1
        over = np.flatnonzero(terminated | truncated)
        for lane in over:
            self.ended[lane].append((self.returns[lane], self.lengths[lane]))
        self.returns[over], self.lengths[over] = 0.0, 0

    def first(self):
        """Return and length of the first episodes of each lane, the same number of each: to count all
        that have ended would count too many short ones."""
        number = min(map(len, self.ended))
        return np.array([game for lane in self.ended for game in lane[:number]]).reshape(-1, 2)


def same_game(episodes):
    """The means of the episodes, None where there are none; ends the program if they are of another game."""
    if len(episodes) == 0:
        return None, None
    mean_return, mean_length = episodes.mean(axis=0).tolist()
    right = abs(mean_return - MEAN_RETURN) <= RETURN_WITHIN and abs(mean_length - MEAN_LENGTH) <= LENGTH_WITHIN
    if len(episodes) >= ENOUGH_EPISODES and not right:
        sys.exit(
            f"gymnasium_k8s.py: this is not the game of RULES: {len(episodes)} episodes of random actions have a mean "
            f"return of {mean_return:.2f} in {mean_length:.1f} steps, not {MEAN_RETURN} in {MEAN_LENGTH:.0f}; "
            "run `check` to see which step differs"
        )
    return mean_return, mean_length


def check():
    """The recordings, single clusters, then random games."""
    for path in sorted((Path(__file__).parents[2] / "reference").glob("k8s_v45_*.json")):
        steps, largest = replay(path)
        print(f"{path.name}: {steps} steps, largest difference {largest:.1e}")
        assert largest < 1e-5, path
    largest = beside(64, 100)
    print(f"64 lanes beside 64 single clusters, 100 steps: largest difference {largest:.1e}")
    assert largest < 1e-4, "lanes differ from single clusters"
    for vector, num_envs in (("numpy", 1024), ("sync", 40)):
        games = Games(vector, num_envs)
        while len(games.first()) < ENOUGH_EPISODES:
            games.step()
        mean_return, mean_length = same_game(games.first())
        print(
            f"{vector}, random actions, {len(games.first())} episodes: return {mean_return:.2f}, steps {mean_length:.1f} "
            f"(RULES' world: {MEAN_RETURN} in {MEAN_LENGTH:.0f})"
        )


def measure(vector, num_envs, seconds):
    """Steps of single environments a second, after a warm-up of a fifth of the time."""
    games = Games(vector, num_envs)

    def run(limit):
        begun, steps = time.perf_counter(), 0
        while True:
            games.step()
            steps += num_envs
            taken = time.perf_counter() - begun
            if taken >= limit:
                return steps / taken

    run(seconds / 5)
    rate = run(seconds)
    episodes = games.first()
    mean_return, mean_length = same_game(episodes)
    print(json.dumps({
        "steps_per_second": round(rate, 1),
        "mean_return": mean_return,
        "mean_length": mean_length,
        "episodes": len(episodes),
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check that the vectors play the game of RULES")
    measuring = commands.add_parser("measure", help="print how many steps a second a vector takes, as JSON")
    measuring.add_argument("--vector", choices=("numpy", "sync"), required=True)
    measuring.add_argument("--num-envs", type=int, required=True)
    measuring.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    if args.command == "check":
        check()
    elif args.num_envs < 1 or args.seconds <= 0:
        parser.error("--num-envs and --seconds have to be above 0")
    else:
        measure(args.vector, args.num_envs, args.seconds)


if __name__ == "__main__":
    main()
