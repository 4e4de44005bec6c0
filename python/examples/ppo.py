"""PPO in one file, from top to bottom: learns to keep a cluster alive, from many lanes stepped in Rust.

    pip install torch
    python ppo.py --seed 1

Prints the mean return of the last 64 episodes every few updates. Random actions earn 29, a good policy about 58.
"""

import argparse
import collections
import time

import gymnasium
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

import resonetics  # Registers the environments.

parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
parser.add_argument("--env", default="resonetics/K8sSmartTensor-v0", help="what is learned")
parser.add_argument("--seed", type=int, default=1, help="the same seed is the same run")
parser.add_argument("--total-steps", type=int, default=300_000, help="steps of all lanes together")
parser.add_argument("--lanes", type=int, default=16, help="environments stepped at once")
parser.add_argument("--rollout", type=int, default=64, help="steps of each lane between two updates")
parser.add_argument("--epochs", type=int, default=10, help="passes over a rollout")
parser.add_argument("--minibatch", type=int, default=256, help="transitions in one gradient step")
parser.add_argument("--learning-rate", type=float, default=3e-3, help="at the start; falls to 0 along a line")
parser.add_argument("--gamma", type=float, default=0.92, help="discount")
parser.add_argument("--gae-lambda", type=float, default=0.8, help="0 trusts the critic alone, 1 the rewards alone")
parser.add_argument("--clip", type=float, default=0.2, help="how far the policy may move in one update")
parser.add_argument("--entropy", type=float, default=0.01, help="weight of the entropy in the loss")
parser.add_argument("--value", type=float, default=0.5, help="weight of the critic in the loss")
parser.add_argument("--max-norm", type=float, default=0.5, help="longest gradient")
args = parser.parse_args()

torch.manual_seed(args.seed)
# The networks are small: one thread is the fastest.
torch.set_num_threads(1)

# One native vector. The statistics come first, so that they are of the rewards as they are.
envs = gymnasium.make_vec(args.env, num_envs=args.lanes, threads=1)
envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
envs = gymnasium.wrappers.vector.NormalizeObservation(envs)
envs = gymnasium.wrappers.vector.NormalizeReward(envs, gamma=args.gamma)
inputs, actions = envs.single_observation_space.shape[0], int(envs.single_action_space.n)


def network(outputs: int, last_gain: float) -> nn.Sequential:
    """Two hidden layers."""
    layers = [nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs)]
    for layer, gain in zip(layers[::2], (2**0.5, 2**0.5, last_gain), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


# A small last gain: the first policy is almost uniform.
actor, critic = network(actions, 0.01), network(1, 1.0)
parameters = [*actor.parameters(), *critic.parameters()]
descent = torch.optim.Adam(parameters, lr=args.learning_rate, eps=1e-5)

shape = (args.rollout, args.lanes)
seen = torch.zeros((args.rollout + 1, args.lanes, inputs))
chosen = torch.zeros(shape, dtype=torch.int64)
rewards, terminated, ended = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
real = torch.zeros(shape, dtype=torch.bool)

returns: collections.deque[float] = collections.deque(maxlen=64)
observation, _ = envs.reset(seed=args.seed)
# Each rollout begins with the last observation of the one before.
seen[-1] = torch.from_numpy(observation)
# Lanes whose episode ended in the step before: their next step only brings the first observation of the new one.
over = np.zeros(args.lanes, np.bool_)
updates = max(1, args.total_steps // (args.rollout * args.lanes))
begun = time.perf_counter()

for update in range(updates):
    descent.param_groups[0]["lr"] = args.learning_rate * (1.0 - update / updates)

    # 1. Act. In next-step mode the step that ends an episode returns its last observation.
    with torch.no_grad():
        seen[0] = seen[-1]
        for step in range(args.rollout):
            chosen[step] = Categorical(logits=actor(seen[step]), validate_args=False).sample()
            observation, reward, lost, cut, infos = envs.step(chosen[step].numpy())
            seen[step + 1] = torch.from_numpy(observation)
            rewards[step] = torch.from_numpy(reward)
            terminated[step] = torch.from_numpy(lost)
            # The step that begins a new episode ignores its action: nothing is to be learned from it.
            real[step] = torch.from_numpy(~over)
            over = lost | cut
            ended[step] = torch.from_numpy(over)
            if "episode" in infos:
                returns.extend(infos["episode"]["r"][infos["_episode"]].tolist())

        # 2. Advantages. An episode that the limit cut would have gone on: only a lost one has no value behind it.
        values = critic(seen).squeeze(-1)
        errors = rewards + args.gamma * (1.0 - terminated) * values[1:] - values[:-1]
        advantages, later = torch.zeros(shape), torch.zeros(args.lanes)
        for step in reversed(range(args.rollout)):
            later = errors[step] + args.gamma * args.gae_lambda * (1.0 - ended[step]) * later
            advantages[step] = later
        # One row for each transition of an episode.
        rows, acts = seen[:-1][real], chosen[real]
        advantage, target = advantages[real], (advantages + values[:-1])[real]
        before = Categorical(logits=actor(rows), validate_args=False).log_prob(acts)

    # 3. Learn.
    for _ in range(args.epochs):
        # In even parts: a rest of a few rows would have no deviation to be scaled by.
        for some in torch.randperm(len(rows)).tensor_split(max(1, len(rows) // args.minibatch)):
            policy = Categorical(logits=actor(rows[some]), validate_args=False)
            gain = advantage[some]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            ratio = (policy.log_prob(acts[some]) - before[some]).exp()
            clipped = ratio.clamp(1.0 - args.clip, 1.0 + args.clip)
            actor_loss = -torch.min(ratio * gain, clipped * gain).mean()
            critic_loss = (critic(rows[some]).squeeze(-1) - target[some]).square().mean()
            loss = actor_loss + args.value * critic_loss - args.entropy * policy.entropy().mean()
            descent.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, args.max_norm)
            descent.step()

    if returns and ((update + 1) % 16 == 0 or update + 1 == updates):
        steps, seconds = (update + 1) * args.rollout * args.lanes, time.perf_counter() - begun
        print(f"{steps:>8} steps  {seconds:6.1f} s  mean return {np.mean(returns):6.2f}", flush=True)

envs.close()
