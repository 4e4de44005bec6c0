"""The vector in RLlib: its episodes are those of the cluster, and an iteration of its PPO learns from them."""

import math
import shutil
import tempfile

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="ray is not installed")
pytest.importorskip("ray.rllib", reason="ray is installed without rllib")

from ray.rllib.algorithms.ppo import PPOConfig

import resonetics

# With the module's name, since the processes of Ray import nothing by themselves.
ID = "resonetics:resonetics/K8sSmartTensor-v0"
# Episodes end within some tens of steps, some by loss and some by the limit.
SHORT = {"mem_drift_mu": 0.05, "max_steps": 22}


@pytest.fixture(scope="module", autouse=True)
def local_ray():
    """A Ray of this test alone, which tells nobody and leaves nothing behind."""
    # Not pytest's own folder: the sockets below it need a short path.
    folder = tempfile.mkdtemp()
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("RAY_USAGE_STATS_ENABLED", "0")
        settings.setenv("RAY_AUTH_MODE", "disabled")
        settings.setenv("HOME", folder)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=f"{folder}/ray")
        yield
        ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def ppo(runners, lanes, **settings):
    config = PPOConfig().environment(ID, env_config=settings)
    config.env_runners(
        num_env_runners=runners,
        num_envs_per_env_runner=lanes,
        gym_env_vectorize_mode="vector_entry_point",
        rollout_fragment_length=64,
    )
    config.training(train_batch_size_per_learner=64 * lanes, minibatch_size=128, num_epochs=2)
    config.debugging(seed=1)
    return config.build_algo()


def test_its_episodes_are_those_of_the_cluster():
    """Whole episodes, with first and last observations, equal those of a single cluster with the lane's seed."""
    lanes, depth = 6, 12
    algorithm = ppo(0, lanes, **SHORT)
    runner = algorithm.env_runner
    assert isinstance(runner.env.unwrapped, resonetics.K8sSmartTensorVector)
    # Those that are not over are only parts of episodes.
    episodes = [episode for episode in runner.sample(num_timesteps=600) if episode.is_done]
    seeds = runner.env.unwrapped.np_random_seed
    algorithm.stop()
    # The first observation of an episode tells whose it is.
    starts = {}
    single = resonetics.K8sSmartTensor(**SHORT)
    for lane, seed in enumerate(seeds):
        starts[single.reset(seed=seed)[0].tobytes()] = (lane, 0)
        for later in range(1, depth):
            starts[single.reset()[0].tobytes()] = (lane, later)
    played = []
    for episode in episodes:
        seen = episode.get_observations()
        lane, later = starts[seen[0].tobytes()]
        played.append((lane, later))
        single.reset(seed=seeds[lane])
        for _ in range(later):
            single.reset()
        actions, rewards = episode.get_actions(), episode.get_rewards()
        assert len(seen) == len(actions) + 1
        over = False
        for step, action in enumerate(actions):
            assert not over
            observation, reward, terminated, truncated, _ = single.step(action)
            over = terminated or truncated
            np.testing.assert_array_equal(seen[step + 1], observation, f"lane {lane}, episode {later}, step {step}")
            assert rewards[step] == reward
        assert (episode.is_terminated, episode.is_truncated) == (terminated, truncated)
    assert {bool(episode.is_terminated) for episode in episodes} == {True, False}
    # No lane leaves out an episode.
    for lane in range(lanes):
        mine = sorted(later for owner, later in played if owner == lane)
        assert len(mine) >= 2 and mine == list(range(len(mine)))


@pytest.mark.parametrize("runners", [0, 1])
def test_one_iteration_of_ppo_changes_the_parameters(runners):
    """In this process and in one of Ray's own."""
    algorithm = ppo(runners, 8, max_steps=20)
    before = algorithm.get_weights()["default_policy"]
    results = algorithm.train()
    after = algorithm.get_weights()["default_policy"]
    algorithm.stop()
    sampled, learned = results["env_runners"], results["learners"]["default_policy"]
    assert sampled["num_env_steps_sampled_lifetime"] >= 512
    assert sampled["num_episodes_lifetime"] >= 16
    assert [sampled[f"episode_len_{what}"] for what in ("min", "mean", "max")] == [20, 20, 20]
    for loss in ("policy_loss", "vf_loss", "total_loss", "entropy"):
        assert math.isfinite(learned[loss]), loss
    assert before.keys() == after.keys()
    assert all(np.isfinite(after[name]).all() for name in after)
    assert any(not np.array_equal(before[name], after[name]) for name in after)
