"""Gymnasium's wrappers of vectors give around this vector what they give around Gymnasium's own."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

import resonetics

ID = "resonetics/K8sSmartTensor-v0"
# Episodes end within some tens of steps, some by loss and some by the limit.
SHORT = {"mem_drift_mu": 0.05, "max_steps": 25}
NEXT, SAME = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP
LANES = 7


def shifted(observations):
    return observations * np.float32(3.0) - np.float32(1.0)


def shifted_box():
    return Box(-1.0, 2.0, (30,), np.float32)


def turned(actions):
    return (actions + 1) % 6


OBSERVATIONS = {
    "NormalizeObservation": wrappers.NormalizeObservation,
    "TransformObservation": lambda env: wrappers.TransformObservation(
        env, shifted, single_observation_space=shifted_box()
    ),
    "VectorizeTransformObservation": lambda env: wrappers.VectorizeTransformObservation(
        env, gymnasium.wrappers.TransformObservation, func=shifted, observation_space=shifted_box()
    ),
    "RescaleReshapeFlatten": lambda env: wrappers.FlattenObservation(
        wrappers.ReshapeObservation(wrappers.RescaleObservation(env, np.float32(-1.0), np.float32(1.0)), (5, 6))
    ),
    "DtypeObservation": lambda env: wrappers.DtypeObservation(env, np.float16),
}
REWARDS = {
    "RecordEpisodeStatistics": wrappers.RecordEpisodeStatistics,
    "TransformReward": lambda env: wrappers.TransformReward(env, lambda rewards: 2.0 * rewards - 1.0),
    "VectorizeTransformReward": lambda env: wrappers.VectorizeTransformReward(
        env, gymnasium.wrappers.TransformReward, func=lambda reward: 2.0 * reward - 1.0
    ),
    "ClipReward": lambda env: wrappers.ClipReward(env, -0.5, 0.5),
    "NormalizeReward": lambda env: wrappers.NormalizeReward(env, gamma=0.9),
    "NormalizeClipStatistics": lambda env: wrappers.RecordEpisodeStatistics(
        wrappers.ClipReward(wrappers.NormalizeReward(env, gamma=0.9), -2.0, 2.0)
    ),
}
OTHERS = {
    "TransformAction": lambda env: wrappers.TransformAction(env, turned),
    "DictInfoToList": wrappers.DictInfoToList,
}
# Gymnasium's wrappers of observations do not take same-step mode.
CASES = [(name, NEXT) for name in OBSERVATIONS]
CASES += [(name, mode) for name in {**REWARDS, **OTHERS} for mode in (NEXT, SAME)]


def equal(one, two, where):
    assert type(one) is type(two), where
    if isinstance(one, dict):
        # Wall clock time is nobody's promise.
        assert one.keys() == two.keys(), where
        for key in one.keys() - {"t"}:
            equal(one[key], two[key], f"{where}: {key}")
    elif isinstance(one, list) or getattr(one, "dtype", None) == object:
        assert len(one) == len(two), where
        for a, b in zip(one, two, strict=True):
            equal(a, b, where)
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype, f"{where}: {one.dtype} {two.dtype}"
        np.testing.assert_array_equal(one, two, where)
    else:
        assert one == two, where


def pair(mode):
    """This vector and Gymnasium's own, and seeds that make them equal."""
    ours = gymnasium.make_vec(ID, num_envs=LANES, autoreset_mode=mode, **SHORT)
    theirs = SyncVectorEnv([lambda: resonetics.K8sSmartTensor(**SHORT)] * LANES, autoreset_mode=mode)
    ours.reset(seed=11)
    return ours, theirs, list(ours.unwrapped.np_random_seed)


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting to float16.*:UserWarning")
@pytest.mark.parametrize("name, mode", CASES, ids=[f"{name}-{mode.value}" for name, mode in CASES])
def test_a_wrapper_gives_what_it_gives_around_gymnasiums_own(name, mode):
    """Spaces, observations, rewards, flags and infos, bit for bit."""
    wrap = {**OBSERVATIONS, **REWARDS, **OTHERS}[name]
    ours, theirs, seeds = pair(mode)
    ours, theirs = wrap(ours), wrap(theirs)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    # The seed of the vector is as good as the seeds of its lanes.
    one, two = ours.reset(seed=11), theirs.reset(seed=seeds)
    equal(list(one), list(two), "reset")
    choose = np.random.default_rng(2)
    ends = 0
    for step in range(120):
        actions = choose.integers(6, size=LANES)
        one, two = ours.step(actions), theirs.step(actions)
        equal(list(one), list(two), f"step {step}")
        ends += (one[2] | one[3]).sum()
    assert ends > 2 * LANES


@pytest.mark.parametrize("mode", [NEXT, SAME, AutoresetMode.DISABLED])
def test_statistics_are_those_of_each_episode(mode):
    """Against sums made by hand, with resets by mask too."""
    env = wrappers.RecordEpisodeStatistics(gymnasium.make_vec(ID, num_envs=LANES, autoreset_mode=mode, **SHORT))
    env.reset(seed=11)
    choose = np.random.default_rng(2)
    totals, lengths, fresh = np.zeros(LANES), np.zeros(LANES, int), np.zeros(LANES, bool)
    episodes = 0
    for _ in range(120):
        _, rewards, terminated, truncated, infos = env.step(choose.integers(6, size=LANES))
        # In next-step mode the step after an end is the reset.
        totals, lengths = totals + np.where(fresh, 0.0, rewards), lengths + ~fresh
        over = terminated | truncated
        if over.any():
            np.testing.assert_array_equal(infos["_episode"], over)
            np.testing.assert_array_equal(infos["episode"]["l"][over], lengths[over])
            np.testing.assert_array_equal(infos["episode"]["r"][over], totals[over])
            episodes += over.sum()
            if mode is AutoresetMode.DISABLED:
                env.reset(options={"reset_mask": over})
        else:
            assert "episode" not in infos
        totals[over], lengths[over] = 0.0, 0
        fresh = over if mode is NEXT else np.zeros(LANES, bool)
    assert episodes > 2 * LANES and env.episode_count == episodes


def test_frozen_statistics_stay():
    """As in the evaluation of what was trained."""
    ours, theirs, seeds = pair(NEXT)
    made = [wrappers.NormalizeObservation(env) for env in (ours, theirs)]
    for env in made:
        env.reset(seed=seeds)
        for step in range(30):
            env.step(np.arange(LANES) * (step + 1) % 6)
        env.update_running_mean = False
    mean = made[0].obs_rms.mean.copy()
    one, two = (env.reset(seed=seeds) for env in made)
    equal(one[0], two[0], "reset")
    for step in range(60):
        one, two = (env.step(np.arange(LANES) * (step + 1) % 6) for env in made)
        equal(one[0], two[0], f"step {step}")
    np.testing.assert_array_equal(made[0].obs_rms.mean, mean)


def test_tensors_of_torch_hold_the_same_numbers():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("array_api_compat", reason="array-api-compat is not installed")
    ours, theirs, seeds = pair(NEXT)
    tensors = wrappers.NumpyToTorch(ours)
    one, two = tensors.reset(seed=seeds), theirs.reset(seed=seeds)
    np.testing.assert_array_equal(one[0].numpy(), two[0])
    torch.manual_seed(1)
    for step in range(60):
        actions = torch.randint(6, (LANES,))
        one, two = tensors.step(actions), theirs.step(actions.numpy())
        for a, b in zip(one[:4], two[:4], strict=True):
            assert isinstance(a, torch.Tensor) and a.numpy().dtype == b.dtype
            np.testing.assert_array_equal(a.numpy(), b, f"step {step}")
