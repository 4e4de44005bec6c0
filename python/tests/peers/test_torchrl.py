"""The vector in TorchRL: what it collects is what a step returns, and its PPO learns from it."""

import warnings

import gymnasium
import numpy as np
import pytest

pytest.importorskip("torchrl", reason="torchrl is not installed")

with warnings.catch_warnings():
    # TorchRL warns of parts of itself while it is imported.
    warnings.simplefilter("ignore")
    import torch
    from tensordict.nn import TensorDictModule
    from torchrl.collectors import Collector
    from torchrl.envs import GymEnv, GymWrapper
    from torchrl.envs.utils import check_env_specs
    from torchrl.modules import MLP, ProbabilisticActor, ValueOperator
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE

import resonetics

ID = "resonetics/K8sSmartTensor-v0"
# Episodes end within some tens of steps, some by loss and some by the limit.
SHORT = {"mem_drift_mu": 0.05, "max_steps": 25}


def vector(num_envs, mode, **config):
    return gymnasium.make_vec(ID, num_envs=num_envs, autoreset_mode=mode, **config)


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_its_specs_are_those_of_the_spaces(mode):
    env = GymWrapper(vector(4, mode, **SHORT), categorical_action_encoding=True)
    assert env.batch_size == (4,)
    seen = env.observation_spec["observation"]
    assert (seen.shape, seen.dtype) == ((4, 30), torch.float32)
    assert (seen.space.low == 0.0).all() and (seen.space.high == 1.0).all()
    assert (env.action_spec.shape, env.action_spec.space.n) == ((4,), 6)
    check_env_specs(env)


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_a_rollout_holds_what_the_vector_shows(mode):
    """Observations before and after each step, the last ones of episodes too, rewards and flags, bit for bit."""
    n, steps = 5, 80
    env = GymWrapper(vector(n, mode, **SHORT), categorical_action_encoding=True)
    seeds = [3 * i for i in range(n)]
    torch.manual_seed(1)
    begun = env.reset(seed=seeds)
    rolled = env.rollout(steps, break_when_any_done=False, auto_reset=False, tensordict=begun)
    direct = vector(n, "SameStep", **SHORT)
    before, _ = direct.reset(seed=seeds)
    lost = cut = 0
    for step in range(steps):
        found = rolled[:, step]
        np.testing.assert_array_equal(found["observation"].numpy(), before, f"before step {step}")
        before, rewards, terminated, truncated, infos = direct.step(found["action"].numpy())
        over = terminated | truncated
        # TorchRL would begin all lanes anew once more, and the two would part.
        assert not over.all()
        after = before.copy()
        for lane in np.flatnonzero(over):
            after[lane] = infos["final_obs"][lane]
        lost, cut = lost + terminated.sum(), cut + truncated.sum()
        for key, expected in [
            ("observation", after),
            ("reward", rewards.astype(np.float32)[:, None]),
            ("terminated", terminated[:, None]),
            ("truncated", truncated[:, None]),
            ("done", over[:, None]),
        ]:
            np.testing.assert_array_equal(found["next", key].numpy(), expected, f"{key} of step {step}")
    assert lost > 0 and cut > 0


def test_the_infos_of_a_last_step_are_those_of_the_episode_that_ended():
    env = GymWrapper(vector(5, "SameStep", **SHORT))
    env.set_seed(1)
    rolled = env.rollout(80, break_when_any_done=False)
    ended = rolled["next", "done"][..., 0]
    assert ended.any()
    # No lane begins with a load of more than 0.2.
    assert (rolled["next", "avg_load"][ended] > 0.2).all()


def test_next_step_mode_is_refused_by_torchrl_itself():
    with pytest.raises(RuntimeError, match="SAME_STEP or DISABLED"):
        GymWrapper(vector(2, "NextStep"))


def test_a_single_cluster_is_collected_as_well():
    env = GymWrapper(gymnasium.make(ID, max_steps=7), categorical_action_encoding=True)
    check_env_specs(env)
    rolled = env.rollout(100, auto_reset=False, tensordict=env.reset(seed=4))
    assert rolled.batch_size == (7,) and rolled["next", "truncated"][-1].item()
    direct = resonetics.K8sSmartTensor(max_steps=7)
    direct.reset(seed=4)
    for step, action in enumerate(rolled["action"].tolist()):
        observation, reward, *_ = direct.step(action)
        np.testing.assert_array_equal(rolled["next", "observation"][step].numpy(), observation)
        assert rolled["next", "reward"][step].item() == np.float32(reward)


def test_one_iteration_of_ppo_changes_the_parameters():
    torch.manual_seed(1)
    env = GymWrapper(vector(8, "SameStep", **SHORT), categorical_action_encoding=True)
    env.set_seed(1)
    layers = {"num_cells": [64, 64], "activation_class": torch.nn.Tanh}
    actor = ProbabilisticActor(
        TensorDictModule(MLP(30, 6, **layers), ["observation"], ["logits"]),
        in_keys=["logits"],
        spec=env.action_spec,
        distribution_class=torch.distributions.Categorical,
        return_log_prob=True,
    )
    critic = ValueOperator(MLP(30, 1, **layers), in_keys=["observation"])
    advantage = GAE(gamma=0.92, lmbda=0.8, value_network=critic)
    loss = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coeff=0.01)
    descent = torch.optim.Adam(loss.parameters(), lr=3e-3)
    before = [parameter.detach().clone() for parameter in loss.parameters()]
    collector = Collector(env, actor, frames_per_batch=512, total_frames=512, auto_register_policy_transforms=True)
    batches = 0
    for batch in collector:
        batches += 1
        assert batch.numel() == 512 and batch["next", "done"].any()
        advantage(batch)
        flat = batch.reshape(-1)
        for _ in range(4):
            for rows in torch.randperm(512).split(128):
                losses = loss(flat[rows])
                total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
                assert torch.isfinite(total)
                descent.zero_grad()
                total.backward()
                descent.step()
    collector.shutdown()
    assert batches == 1
    for old, new in zip(before, loss.parameters(), strict=True):
        assert torch.isfinite(new).all() and not torch.equal(old, new)


def test_a_cluster_is_made_by_its_id():
    env = GymEnv(ID, max_steps=7)
    check_env_specs(env)
    assert env.rollout(100).batch_size == (7,)
