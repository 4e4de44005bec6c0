"""One cluster: the contract of gymnasium.Env."""

import copy
import json
import pickle
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import resonetics  # noqa: F401

REFERENCE = Path(__file__).parents[2] / "reference"
IDS = ["resonetics/K8sSmartTensor-v0", "resonetics/K8sSmartTensor-v1"]


def episode(env, seed, actions=None):
    """All that an episode shows."""
    observation, info = env.reset(seed=seed)
    choose = np.random.default_rng(0)
    shown = [(observation.tolist(), info)]
    while True:
        stepped = env.step(int(choose.integers(6)))
        shown.append((stepped[0].tolist(), *stepped[1:]))
        if stepped[2] or stepped[3]:
            return shown


@pytest.mark.parametrize("id", IDS)
def test_it_keeps_the_contract(id):
    env = gymnasium.make(id)
    check_env(env.unwrapped)
    assert env.spec.max_episode_steps is None


def test_it_is_found_without_an_import_of_ours():
    env = gymnasium.make("resonetics:resonetics/K8sSmartTensor-v0")
    assert env.observation_space.shape == (30,) and env.action_space.n == 6


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("k8s_*.json")), ids=lambda path: path.stem)
def test_recordings_of_an_independent_implementation_replay(path):
    trace = json.loads(path.read_text())
    height, width = trace["grid"]
    rules = "k8s-v4.6" if trace["rules"] == "v4.6" else "k8s"
    env = resonetics.K8sSmartTensor(rules, height=height, width=width, **trace["config"])
    start = trace["initial"]
    observation = env._cluster.set_state(*(start[key] for key in ("cpu", "memory", "priority", "agent", "budget")))
    np.testing.assert_allclose(observation, start["observation"], atol=1e-5)
    for step in trace["steps"]:
        noise = [np.array(step[key], np.float32) for key in ("cpu_noise", "memory_noise")]
        observation, reward, terminated, truncated, info = env._cluster.step_with_noise(step["action"], *noise)
        np.testing.assert_allclose(observation, step["observation"], atol=1e-5)
        assert reward == pytest.approx(step["reward"], abs=1e-5)
        assert (terminated, truncated) == (step["terminated"], step["truncated"])
        for key in ("avg_load", "oom_nodes", "critical_oom", "budget"):
            assert info[key] == pytest.approx(step[key], abs=1e-5)


def test_a_seed_is_an_episode_and_the_next_ones():
    env, other = resonetics.K8sSmartTensor(), resonetics.K8sSmartTensor()
    first = episode(env, 7)
    second = episode(env, None)
    assert episode(other, 7) == first != second
    assert episode(other, None) == second
    assert episode(other, 8) != first


def test_without_a_seed_one_is_drawn_and_told():
    envs = [resonetics.K8sSmartTensor() for _ in range(2)]
    firsts = [env.reset()[0].tolist() for env in envs]
    assert firsts[0] != firsts[1]
    again = resonetics.K8sSmartTensor()
    assert again.reset(seed=envs[0].np_random_seed)[0].tolist() == firsts[0]


def test_numbers_of_numpy_are_seeds_and_actions():
    env = resonetics.K8sSmartTensor()
    one, other = env.reset(seed=np.int64(3))[0], env.reset(seed=3)[0]
    np.testing.assert_array_equal(one, other)
    for action in (np.int32(5), np.uint8(5), np.array(5)):
        assert env.step(action)[0].dtype == np.float32


@pytest.mark.parametrize(
    "action, error", [(6, ValueError), (-1, ValueError), (2**70, ValueError), (2**64, ValueError), (1.0, TypeError), ("clean", TypeError),
                      (None, TypeError), (float("nan"), TypeError), (np.array([1, 2]), TypeError)],
)
def test_what_is_no_action_is_refused_and_nothing_moves(action, error):
    env, other = resonetics.K8sSmartTensor(), resonetics.K8sSmartTensor()
    env.reset(seed=1), other.reset(seed=1)
    with pytest.raises(error, match="action"):
        env.step(action)
    np.testing.assert_array_equal(env.step(4)[0], other.step(4)[0])


def test_an_episode_has_an_end():
    env = resonetics.K8sSmartTensor(max_steps=3)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset(seed=1)
    assert [env.step(0)[3] for _ in range(3)] == [False, False, True]
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
        env.step(0)
    env.reset()
    env.step(0)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_have_a_range(seed):
    with pytest.raises(ValueError, match=f"seed {seed}: allowed are whole numbers from 0 to 9223372036854775807"):
        resonetics.K8sSmartTensor().reset(seed=seed)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"max_step": 5}, "k8s: `max_step = 5`: unknown key; did you mean `max_steps`?"),
        ({"max_steps": 0}, "`max_steps = 0`: allowed are whole numbers from 1 to"),
        ({"mem_drift_mu": float("nan")}, "`mem_drift_mu = nan`: allowed are numbers from"),
        ({"max_steps": 1.5}, "expected a whole number, not a number"),
        ({"drift": {"schedule": "hail"}}, "drift.schedule"),
        ({"preset": "gale"}, "unknown preset `gale`; known are: calm, reference, storm"),
        ({"rules": "k9s"}, "unknown environment `k9s`"),
        ({"preset": 1}, "preset 1: allowed are calm, reference, storm"),
        ({"rules": None}, "rules None"),
        ({"max_steps": 2**80}, "`max_steps = "),
        ({"max_steps": object()}, "k8s: max_steps: the type object is no setting's"),
        ({"max_steps": {}}, "`max_steps = {}`: expected a whole number, not a table"),
        ({"nothing": {}}, "`nothing = {}`: unknown key"),
        ({"drift": {"schedule": {"a": {}}}}, "drift.schedule.a"),
        ({"max_steps=4 #": 3}, "'max_steps=4 #': unknown key"),
        ({"": 3}, "'': unknown key"),
        ({"drift": {1: 2}}, "1: unknown key"),
        ({"mem_drift_mu": None}, "mem_drift_mu"),
    ],
)
def test_wrong_settings_have_the_words_of_the_command_line(settings, words):
    with pytest.raises(ValueError) as refused:
        resonetics.K8sSmartTensor(**settings)
    assert words in str(refused.value)


def test_settings_are_those_of_the_toml():
    env = resonetics.K8sSmartTensor(
        max_steps=np.int64(9), mem_drift_mu=np.float32(0.25), drift={"schedule": "ramp"}, **{"control.enabled": True}
    )
    lines = env.settings.splitlines()
    assert "max_steps = 9" in lines and "mem_drift_mu = 0.25" in lines
    assert 'schedule = "ramp"' in lines and "enabled = true" in lines


def test_settings_that_have_no_end_are_refused():
    table, items = {}, []
    table["drift"] = table
    items.append(items)
    deep = {}
    for _ in range(5000):
        deep = {"drift": deep}
    for drift in (table, items, deep):
        with pytest.raises(ValueError, match="nested more than 8 deep"):
            resonetics.K8sSmartTensor(drift=drift)
        with pytest.raises(ValueError, match="nested more than 8 deep"):
            resonetics.parallel_env(control=drift)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_it_was(again):
    env = resonetics.K8sSmartTensor(preset="storm", max_steps=60)
    env.reset(seed=5)
    for action in (4, 3, 5, 1):
        env.step(action)
    other = again(env)
    for action in range(40):
        one, two = env.step(action % 6), other.step(action % 6)
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:] == two[1:]
    assert env.reset()[0].tolist() == other.reset()[0].tolist()


def test_a_copy_has_the_settings_that_it_was_made_with():
    drift = {"schedule": "ramp"}
    env = resonetics.K8sSmartTensor(drift=drift)
    vector = resonetics.K8sSmartTensorVector(2, drift=drift)
    env.reset(seed=1), vector.reset(seed=1)
    drift["schedule"] = "no such one"
    assert copy.deepcopy(env).settings == env.settings
    assert pickle.loads(pickle.dumps(vector)).settings == vector.settings


def test_it_shows_itself_in_words():
    env = gymnasium.make(IDS[0], render_mode="ansi")
    env.reset(seed=1)
    shown = env.render().splitlines()
    assert len(shown) == 5 and shown[4].startswith("budget 100.0") and sum("[" in line for line in shown) == 1
    with pytest.raises(ValueError, match="render_mode"):
        resonetics.K8sSmartTensor(render_mode="human")
