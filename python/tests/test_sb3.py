"""The vector for Stable-Baselines3, where that is installed."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")

from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import resonetics
from resonetics.sb3 import VecEnv


def test_the_ends_of_episodes_are_told_as_it_wants_them():
    env, single = VecEnv(3, max_steps=4), resonetics.K8sSmartTensor(max_steps=4)
    env.seed(5)
    first = env.reset()
    assert first.shape == (3, 30) and len(env.reset_infos) == 3
    seed = env.clusters.np_random_seed[1]
    np.testing.assert_array_equal(single.reset(seed=seed)[0], first[1])
    for step in range(4):
        observations, rewards, dones, infos = env.step(np.array([4, 4, 4]))
        last = single.step(4)
    assert rewards.dtype == np.float32 and dones.tolist() == [True] * 3
    assert all(info["TimeLimit.truncated"] is True for info in infos)
    np.testing.assert_array_equal(infos[1]["terminal_observation"], last[0])
    np.testing.assert_array_equal(observations[1], single.reset()[0])
    assert infos[1]["budget"] == last[4]["budget"]
    lost = VecEnv(2, mem_drift_mu=0.4)
    lost.reset()
    while True:
        _, _, dones, infos = lost.step(np.array([0, 0]))
        if dones[0]:
            break
    assert infos[0]["TimeLimit.truncated"] is False and infos[0]["terminal_observation"] is not None


def test_what_it_cannot_use_is_refused():
    for config in ({"copy": False}, {"autoreset_mode": "NextStep"}):
        with pytest.raises(ValueError, match="leave both out"):
            VecEnv(2, **config)
    with pytest.raises(AttributeError, match="cannot be set"):
        VecEnv(2).set_attr("max_steps", 3)
    assert VecEnv(2).env_is_wrapped(VecMonitor) == [False, False]


def test_ppo_learns_the_cluster():
    """Random actions earn 28.6, the rule of thumb 50.5, and Prophet 59.3 after four times as many steps."""
    env = VecNormalize(VecMonitor(VecEnv(16, threads=1)), norm_obs=True, norm_reward=True, gamma=0.92)
    env.seed(1)
    ppo = PPO("MlpPolicy", env, n_steps=64, batch_size=256, gamma=0.92, gae_lambda=0.8, learning_rate=3e-3,
              n_epochs=10, ent_coef=0.01, seed=1, device="cpu", verbose=0)
    ppo.learn(100_000)
    env.training, env.norm_reward = False, False
    returns, _ = evaluate_policy(ppo, env, n_eval_episodes=32)
    assert returns > 55.0, returns
