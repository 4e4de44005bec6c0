"""Many clusters: the contract of gymnasium.vector.VectorEnv, in each of its modes."""

import copy
import gc
import json
import multiprocessing
import pickle
import threading

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

import resonetics
from resonetics._native import Clusters

ID = "resonetics/K8sSmartTensor-v0"
# Episodes end within some tens of steps, some by loss and some by the limit.
SHORT = {"mem_drift_mu": 0.05, "max_steps": 25}
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


def vector(num_envs=5, **config):
    return gymnasium.make_vec(ID, num_envs=num_envs, **config)


def sync(num_envs, mode, **config):
    return SyncVectorEnv([lambda: resonetics.K8sSmartTensor(**config)] * num_envs, autoreset_mode=mode)


def equal(one, two, where):
    assert type(one) is type(two), where
    if isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            equal(one[key], two[key], f"{where}: {key}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype, f"{where}: {one.dtype} {two.dtype}"
        if one.dtype == object:
            assert len(one) == len(two)
            for a, b in zip(one, two, strict=True):
                np.testing.assert_array_equal(a, b, where)
        else:
            np.testing.assert_array_equal(one, two, where)
    else:
        assert one == two, where


@pytest.mark.parametrize("mode", MODES)
def test_it_shows_what_gymnasiums_own_vector_of_single_ones_shows(mode):
    """Seeds, observations, rewards, flags, infos, final observations and final infos, bit for bit."""
    n = 19
    ours, theirs = vector(n, autoreset_mode=mode, **SHORT), sync(n, mode, **SHORT)
    seeds = [3 * i for i in range(n)]
    one, two = ours.reset(seed=seeds), theirs.reset(seed=seeds)
    equal(one[0], two[0], "reset")
    choose = np.random.default_rng(1)
    ends = 0
    for step in range(120):
        actions = choose.integers(6, size=n)
        one, two = ours.step(actions), theirs.step(actions)
        for a, b, what in zip(one[:4], two[:4], ("observations", "rewards", "terminated", "truncated"), strict=True):
            equal(a, b, f"{what} of step {step}")
        equal(one[4], two[4], f"infos of step {step}")
        over = one[2] | one[3]
        ends += over.sum()
        if mode == AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over}
            # Gymnasium's own takes the key out of the caller's dict.
            one, two = ours.reset(options=options), theirs.reset(options=dict(options))
            equal(one[0], two[0], f"reset behind step {step}")
    assert ends > 2 * n


def test_a_seed_is_that_of_the_command_line():
    """Lane i of seed S is episode i of `benchmark --seed S`, whose lanes.csv this is."""
    env = vector(4)
    env.reset(seed=1)
    assert env.unwrapped.np_random_seed == tuple(Clusters.lane_seeds(1, 4))
    single = resonetics.K8sSmartTensor()
    for lane, seed in enumerate(env.unwrapped.np_random_seed):
        np.testing.assert_array_equal(single.reset(seed=seed)[0], env.reset(seed=1)[0][lane])


def test_lanes_of_neighbouring_seeds_share_nothing():
    lanes = [seed for run in range(50) for seed in Clusters.lane_seeds(run, 200)]
    assert len(set(lanes)) == len(lanes) and not set(lanes) & set(range(1000))


def test_without_a_seed_the_episodes_go_on():
    env, other = vector(3), vector(3)
    env.reset(seed=4), other.reset(seed=4)
    one, two = env.reset()[0], other.reset()[0]
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, env.reset()[0])
    fresh = [vector(3) for _ in range(2)]
    assert not np.array_equal(fresh[0].reset()[0], fresh[1].reset()[0])
    np.testing.assert_array_equal(other.reset(seed=fresh[0].unwrapped.np_random_seed)[0],
                                  vector(3).reset(seed=list(fresh[0].unwrapped.np_random_seed))[0])


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(threads):
    env, other = vector(700, threads=threads), vector(700, threads=1)
    env.reset(seed=2), other.reset(seed=2)
    for step in range(30):
        actions = np.arange(700) * (step + 1) % 6
        equal(env.step(actions)[0], other.step(actions)[0], f"step {step}")


@pytest.mark.parametrize(
    "actions, error, words",
    [
        ([0, 1, 6], ValueError, "action 6 of lane 2: allowed are 0 to 5"),
        ([0, -1, 0], ValueError, "action -1 of lane 1: allowed are 0 to 5"),
        (np.array([0, 2**63, 0], np.uint64), ValueError, "of lane 1: allowed are 0 to 5"),
        ([0, 1], ValueError, "shape"),
        ([0, 1, 2, 3], ValueError, "shape"),
        (np.zeros((3, 2), int), ValueError, "shape"),
        (3, ValueError, "shape"),
        ([0.0, 1.0, 2.0], TypeError, "float64"),
        ([0, float("nan"), 2], TypeError, "float64"),
        ([True, False, True], TypeError, "bool"),
        (["clean"] * 3, TypeError, "whole numbers are needed"),
        ([None] * 3, TypeError, "object"),
    ],
)
def test_what_are_no_actions_is_refused_before_a_lane_moves(actions, error, words):
    env, other = vector(3), vector(3)
    env.reset(seed=1), other.reset(seed=1)
    with pytest.raises(error, match=words):
        env.step(actions)
    equal(env.step(np.array([4, 4, 4]))[0], other.step(np.array([4, 4, 4]))[0], "after the refusal")


@pytest.mark.parametrize("actions", [[4, 1, 0], (4, 1, 0), np.array([4, 1, 0], np.int32), np.array([[4], [1], [0]]),
                                     np.array([4, 9, 1, 9, 0])[::2], np.array([4, 1, 0], np.uint8)])
def test_actions_come_in_many_shapes(actions):
    env, other = vector(3), vector(3)
    env.reset(seed=1), other.reset(seed=1)
    equal(env.step(actions)[0], other.step(np.array([4, 1, 0]))[0], "step")


def test_nothing_is_stepped_before_it_has_begun_or_after_its_end():
    env = vector(3, autoreset_mode="Disabled", max_steps=2)
    with pytest.raises(ResetNeeded):
        env.step([0, 0, 0])
    env.reset(seed=1)
    env.step([0, 0, 0])
    env.step([0, 0, 0])
    with pytest.raises(ResetNeeded, match=r"lanes \[0, 1, 2\]"):
        env.step([0, 0, 0])
    before = env.reset(options={"reset_mask": np.array([True, False, True])})[0]
    with pytest.raises(ResetNeeded, match=r"lanes \[1\]"):
        env.step([0, 0, 0])
    np.testing.assert_array_equal(before[1], env.reset(options={"reset_mask": np.array([True, False, False])})[0][1])
    env.close()
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        env.step([0, 0, 0])
    with pytest.raises(ClosedEnvironmentError):
        env.reset()


@pytest.mark.parametrize(
    "mask, error",
    [([True] * 3, TypeError), (np.ones(3, int), TypeError), (np.zeros(3, bool), ValueError), (np.ones(2, bool), ValueError)],
)
def test_reset_masks_are_arrays_of_bool(mask, error):
    env = vector(3, autoreset_mode="Disabled")
    env.reset(seed=1)
    with pytest.raises(error):
        env.reset(options={"reset_mask": mask})
    options = {"reset_mask": np.array([True, False, False])}
    env.reset(seed=9, options=options)
    assert "reset_mask" in options
    with pytest.raises(ValueError, match="noise"):
        env.reset(options={"noise": 1})


@pytest.mark.parametrize(
    "config, words",
    [
        ({"num_envs": 0}, "num_envs 0"),
        ({"num_envs": 10**12}, "from 1 to 16777216"),
        ({"autoreset_mode": "Never"}, "Never"),
        ({"render_mode": "human"}, "render_mode"),
        ({"threads": 0}, "threads 0"),
        ({"preset": 3}, "preset 3"),
        ({"max_step": 5}, "did you mean `max_steps`"),
    ],
)
def test_what_cannot_be_made_is_refused(config, words):
    with pytest.raises(ValueError, match=words):
        resonetics.K8sSmartTensorVector(**config)


def test_a_limit_from_outside_is_the_limit():
    env = resonetics.K8sSmartTensorVector(2, max_episode_steps=3)
    env.reset(seed=1)
    assert [env.step([0, 0])[3].all() for _ in range(3)] == [False, False, True]
    assert "max_steps = 500" in resonetics.K8sSmartTensorVector(2, max_episode_steps=900).settings


def test_each_step_has_arrays_of_its_own():
    env = vector(20)
    kept = [env.reset(seed=1)[0]]
    for _ in range(5):
        kept.append(env.step(np.full(20, 4))[0])
    assert not any(np.shares_memory(a, b) for i, a in enumerate(kept) for b in kept[:i])
    rewards = env.step(np.full(20, 4))[1]
    rewards += 1.0
    assert rewards.dtype == np.float64


def test_one_array_may_serve_all_and_outlives_the_vector():
    env, other = vector(20, copy=False), vector(20)
    one, two = env.reset(seed=1)[0], other.reset(seed=1)[0]
    for step in range(30):
        actions = np.full(20, step % 6)
        seen = env.step(actions)[0]
        assert seen is one
        np.testing.assert_array_equal(seen, other.step(actions)[0])
    last = one.copy()
    del env, seen
    gc.collect()
    np.testing.assert_array_equal(one, last)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_it_was(mode, again):
    env = resonetics.K8sSmartTensorVector(18, autoreset_mode=mode, **SHORT)
    env.reset(seed=3)
    choose = np.random.default_rng(5)

    def go(env, actions):
        stepped = env.step(actions)
        if mode == AutoresetMode.DISABLED and (stepped[2] | stepped[3]).any():
            return stepped, env.reset(options={"reset_mask": stepped[2] | stepped[3]})
        return stepped, None

    for _ in range(20):
        go(env, choose.integers(6, size=18))
    other = again(env)
    for step in range(60):
        actions = choose.integers(6, size=18)
        one, two = go(env, actions), go(other, actions)
        for a, b in zip(one[0], two[0], strict=True):
            equal(a, b, f"step {step}")


def child(env, queue):
    env.reset(seed=1)
    total = sum(float(env.step(np.full(700, step % 6))[1].sum()) for step in range(20))
    queue.put(total)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_goes_on_with_it(method):
    env = resonetics.K8sSmartTensorVector(700, threads=2)
    env.reset(seed=1)
    expected = sum(float(env.step(np.full(700, step % 6))[1].sum()) for step in range(20))
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(env, queue))
    process.start()
    found = queue.get(timeout=60)
    process.join(60)
    assert found == expected


def test_threads_each_with_a_vector_of_their_own():
    found = {}

    def play(lane):
        env = resonetics.K8sSmartTensorVector(300, threads=2)
        env.reset(seed=lane)
        found[lane] = [env.step(np.full(300, step % 6))[1].sum() for step in range(50)]

    threads = [threading.Thread(target=play, args=(lane,)) for lane in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lane in (0, 7):
        together = found[lane]
        play(lane)
        assert found[lane] == together


@pytest.mark.parametrize("copy", [True, False])
def test_threads_at_one_vector_wait_for_each_other(copy):
    env = resonetics.K8sSmartTensorVector(300, threads=2, copy=copy)
    env.reset(seed=1)
    failures = []

    def play():
        try:
            for step in range(100):
                env.step(np.full(300, step % 6))
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    if not copy:
        env.step(np.zeros(300, np.int64))[0].flags.writeable = False
        with pytest.raises(ValueError, match="the array of the observations cannot be written"):
            env.step(np.zeros(300, np.int64))


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_wrappers_give_what_they_give_around_gymnasiums_own(mode):
    n, seeds = 6, list(range(6))
    made = []
    for env in (vector(n, autoreset_mode=mode, **SHORT), sync(n, mode, **SHORT)):
        env = wrappers.RecordEpisodeStatistics(env)
        env = wrappers.TransformReward(env, lambda reward: reward * 2.0)
        if mode == AutoresetMode.NEXT_STEP:
            env = wrappers.NormalizeObservation(env)
        made.append(env)
    one, two = (env.reset(seed=seeds) for env in made)
    equal(one[0], two[0], "reset")
    episodes = 0
    for step in range(100):
        actions = np.arange(n) * (step + 1) % 6
        one, two = (env.step(actions) for env in made)
        for a, b, what in zip(one[:4], two[:4], ("observations", "rewards", "terminated", "truncated"), strict=True):
            equal(a, b, f"{what} of step {step}")
        assert ("episode" in one[4]) == ("episode" in two[4])
        if "episode" in one[4]:
            ended = one[4]["_episode"]
            episodes += ended.sum()
            np.testing.assert_array_equal(ended, two[4]["_episode"])
            for key in ("r", "l"):
                np.testing.assert_array_equal(one[4]["episode"][key], two[4]["episode"][key])
    assert episodes > n


def test_infos_become_lists():
    env = wrappers.DictInfoToList(vector(3))
    _, infos = env.reset(seed=1)
    assert [sorted(info) for info in infos] == [["avg_load", "budget", "critical_oom", "oom_nodes"]] * 3
    assert env.step([0, 1, 2])[4][2]["budget"] == 100.0


def test_a_spec_travels_as_text():
    env = vector(3, max_steps=7)
    spec = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())
    assert json.loads(env.spec.to_json())["kwargs"]["max_steps"] == 7
    again = gymnasium.make_vec(spec)
    assert again.num_envs == 3 and "max_steps = 7" in again.unwrapped.settings


def test_it_shows_itself_in_words():
    env = vector(2, render_mode="ansi")
    env.reset(seed=1)
    one, two = env.render()
    assert one.splitlines()[4] == "budget 100.0" and one != two
    assert env.unwrapped.call("render") == (one, two)


@pytest.mark.parametrize("count", [3, 300])
def test_what_somebody_has_is_never_written_again(count):
    """Arrays that are let go are used again: not one that a variable, a view, a list or another library still has."""
    envs, other = (gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=count, max_steps=5) for _ in range(2))
    choose = np.random.default_rng(0)
    kept = [envs.reset(seed=1)[0]]
    expected = [other.reset(seed=1)[0].copy()]
    views, buffers, places = [], [], set()
    for step in range(40):
        actions = choose.integers(6, size=count)
        seen, *_ = envs.step(actions)
        expected.append(other.step(actions)[0].copy())
        assert (seen == expected[-1]).all()
        if step % 3 == 0:
            kept.append(seen)
        elif step % 7 == 1:
            views.append((step + 1, seen[1:]))
        elif step % 7 == 2:
            buffers.append((step + 1, memoryview(seen)))
        else:
            places.add(seen.ctypes.data)
        del seen
    assert all((array == expected[at]).all() for at, array in enumerate([kept[0]]))
    assert all((kept[1 + at] == expected[1 + 3 * at]).all() for at in range(len(kept) - 1))
    assert all((view == expected[at][1:]).all() for at, view in views) and len(views) >= 2
    assert all((np.asarray(buffer) == expected[at]).all() for at, buffer in buffers) and len(buffers) >= 2
    assert len(places) < 20


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_a_masked_reset_in_the_midst_shows_the_others_as_they_are(mode):
    count = 200
    envs = gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=count, autoreset_mode=mode)
    envs.reset(seed=1)
    for _ in range(4):
        seen, *_ = envs.step(np.full(count, 4))
    mask = np.arange(count) % 3 == 0
    shown, _ = envs.reset(options={"reset_mask": mask})
    assert (shown[~mask] == seen[~mask]).all() and (shown[mask] != seen[mask]).any(axis=1).all()


@pytest.mark.parametrize("kind", [list, np.array])
def test_a_step_that_may_not_be_is_refused_however_actions_come(kind):
    make = lambda mode: gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=2, autoreset_mode=mode, max_steps=3)  # noqa: E731
    envs = make("Disabled")
    with pytest.raises(ResetNeeded, match="no episode has begun"):
        envs.step(kind([0, 0]))
    envs.reset(seed=1)
    for _ in range(3):
        envs.step(kind([0, 0]))
    with pytest.raises(ResetNeeded, match=r"lanes \[0, 1\] are over"):
        envs.step(kind([0, 0]))
    for mode in ["NextStep", "SameStep", "Disabled"]:
        envs = make(mode)
        envs.reset(seed=1)
        envs.step(kind([0, 0]))
        envs.close()
        with pytest.raises(ClosedEnvironmentError):
            envs.step(kind([0, 0]))
        with pytest.raises(ClosedEnvironmentError):
            envs.reset()
