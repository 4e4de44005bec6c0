"""Episodes of a trained policy as a Minari dataset, for offline learning and imitation."""

from typing import Any

import gymnasium
import numpy as np

from resonetics._native import Clusters
from resonetics.policy import Place, load_policy
from resonetics.runs import whole
from resonetics.single import drawn_seed
from resonetics.vector import K8sSmartTensorVector

IDS = {"k8s": "resonetics/K8sSmartTensor-v0", "k8s-v4.6": "resonetics/K8sSmartTensor-v1"}
# Clusters that play side by side.
TOGETHER = 256


def minari_export(
    run: Place,
    dataset_id: str,
    *,
    episodes: int = 100,
    seed: int | None = None,
    sample: bool = False,
    **described: Any,
) -> Any:
    """Plays the best checkpoint of a training (or `"RUN@last"`, `"RUN@STEP"`) and keeps its episodes as a Minari dataset, which it yields.

    `dataset_id` is Minari's, such as `"k8s/prophet-v0"`. Each episode has its seed, with which it can be played again in
    `dataset.recover_environment()`, which has the settings of the training. `sample` draws actions instead of taking the likeliest.
    Other keywords are Minari's, such as `author` and `code_permalink`. Needs `pip install "minari[hdf5]"`, and clusters: Minari has
    no place for agents that are born and die.
    """
    import minari
    from minari.data_collector import EpisodeBuffer

    policy = load_policy(run)
    if policy.env not in IDS:
        raise ValueError(f"{run} was trained in {policy.env}, whose agents are born and die: Minari keeps episodes of one agent")
    count = whole("episodes", episodes, 1, 1_000_000)
    seed = drawn_seed() if seed is None else whole("seed", seed, 0, 2**63 - 1)
    generator = np.random.default_rng(seed) if sample else None
    seeds = Clusters.lane_seeds(seed, count)
    buffers = []
    for first in range(0, count, TOGETHER):
        chosen = seeds[first : first + TOGETHER]
        envs = K8sSmartTensorVector(
            len(chosen), rules=policy.env, preset=policy.preset, autoreset_mode="Disabled", **policy.settings
        )
        for lane, kept in enumerate(played(envs, policy, chosen, generator)):
            buffers.append(EpisodeBuffer(id=first + lane, **kept))
    env = gymnasium.make(IDS[policy.env], preset=policy.preset, **policy.settings)
    how = "drawn" if sample else "likeliest"
    words = {
        "algorithm_name": "Prophet (PPO)",
        "description": f"{count} episodes of seed {seed} by the {how} actions of {policy.step} steps of training, checkpoint {policy.sha256}",
        **described,
    }
    return minari.create_dataset_from_buffers(dataset_id, buffers, env=env, eval_env=env, **words)


def played(envs: K8sSmartTensorVector, policy: Any, seeds: list[int], generator: Any) -> list[dict[str, Any]]:
    """An episode on each seed, to its end."""
    seen, _ = envs.reset(seed=seeds)
    kept: list[dict[str, Any]] = [
        {
            "seed": seed,
            "observations": [seen[lane].copy()],
            "actions": [],
            "rewards": [],
            "terminations": [],
            "truncations": [],
        }
        for lane, seed in enumerate(seeds)
    ]
    over = np.zeros(len(seeds), bool)
    memory = policy.memory(len(seeds))
    while not over.all():
        if generator is None:
            actions = policy(seen, memory=memory)
        else:
            actions = policy.sample(seen, generator, memory=memory)
        seen, rewards, terminated, truncated, _ = envs.step(actions)
        for lane, of in enumerate(kept):
            if not over[lane]:
                of["observations"].append(seen[lane].copy())
                of["actions"].append(actions[lane])
                of["rewards"].append(float(rewards[lane]))
                of["terminations"].append(bool(terminated[lane]))
                of["truncations"].append(bool(truncated[lane]))
        ended = terminated | truncated
        over |= ended
        if ended.any() and not over.all():
            # So that the others can be stepped: nothing of what it plays now is kept.
            seen, _ = envs.reset(options={"reset_mask": ended})
    return kept
