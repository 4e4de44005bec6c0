"""The garden: the contract of pettingzoo.ParallelEnv."""

import copy
import pickle

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from pettingzoo.test import parallel_api_test, parallel_seed_test

import resonetics

# Small, and full of births and deaths: gardeners act at random and starve, newcomers come, and nothing is lost.
BUSY = {
    "grid_size": 12,
    "init_agents": 8,
    "min_population": 4,
    "max_population": 16,
    "dirt_growth": 0.02,
    "move_cost": 4.0,
    "emergency_move_cost": 2.0,
    "lost": {"generations": 100_000},
}


def garden(**settings):
    return resonetics.parallel_env("gardener", **{**BUSY, **settings})


def play(env, steps, seed=None, choose=None):
    """All that some generations show, and who lived."""
    choose = choose or np.random.default_rng(3)
    shown = [env.reset(seed=seed)] if seed is not None else []
    for _ in range(steps):
        shown.append(env.step({agent: int(choose.integers(6)) for agent in env.agents}))
        if not env.agents:
            break
    return shown


def equal(one, two):
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert list(one) == list(two)
        for key in one:
            equal(one[key], two[key])
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            equal(a, b)
    else:
        np.testing.assert_array_equal(one, two)


@pytest.mark.filterwarnings("ignore:.*not all possible_agents.*")
def test_it_keeps_the_contract():
    parallel_api_test(garden(), num_cycles=300)
    parallel_seed_test(garden)


def test_equal_seeds_are_equal_episodes_to_their_end():
    one, two = (play(garden(max_generations=400), 1000, seed=5) for _ in range(2))
    equal(one, two)
    assert len(one) > 50
    other = play(garden(max_generations=400), 1000, seed=6)
    assert [step[1] for step in one[1:20]] != [step[1] for step in other[1:20]]


def test_births_and_deaths_are_in_every_dict_of_their_step():
    env = garden()
    env.reset(seed=2)
    ever, dead_ever = set(env.agents), set()
    choose = np.random.default_rng(1)
    births = deaths = 0
    for _ in range(1500):
        before = set(env.agents)
        dicts = env.step({agent: int(choose.integers(6)) for agent in env.agents})
        if not env.agents:
            break
        observations, rewards, terminations, truncations, infos = dicts
        assert all(set(found) == set(observations) for found in dicts)
        after, named = set(env.agents), set(observations)
        dead, newborn = before - after, after - before
        assert named == before | after
        assert {agent for agent in named if terminations[agent]} == dead
        assert not newborn & ever and not after & dead_ever
        assert all(rewards[agent] == 0.0 for agent in newborn)
        assert all(not observations[agent].any() for agent in dead)
        assert all(env.observation_space(agent).contains(observations[agent]) for agent in named)
        assert all(infos[agent]["action_mask"].shape == (6,) for agent in named)
        ever |= newborn
        dead_ever |= dead
        births, deaths = births + len(newborn), deaths + len(dead)
    assert births > 20 and deaths > 20
    assert len(env.gardeners) == env.generation["Population"] or births


def test_more_births_than_names_end_the_episode():
    env = garden(born=20)
    shown = play(env, 2000, seed=2)
    assert env.agents == [] and all(shown[-1][3].values()) and not all(shown[-1][2].values())
    assert env.step({}) == ({}, {}, {}, {}, {})
    for env in (env, garden()):
        with pytest.raises(ResetNeeded, match="reset"):
            env.step({"gardener_0": 4})
    with pytest.raises(ValueError, match="born 3: allowed are whole numbers from 16 on"):
        garden(born=3)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_where_it_was(again):
    env = garden()
    play(env, 40, seed=4)
    other = again(env)
    equal(play(env, 60, choose=np.random.default_rng(8)), play(other, 60, choose=np.random.default_rng(8)))


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda actions: actions | {"gardener_900": 0}, ValueError, "gardener_900 does not live"),
        (lambda actions: {}, ValueError, "gardener_0 has none"),
        (lambda actions: actions | {"gardener_0": 6}, ValueError, "action 6 of gardener_0: allowed are 0 to 5"),
        (lambda actions: actions | {"gardener_0": 1.0}, TypeError, "action 1.0 of gardener_0"),
    ],
)
def test_what_are_no_actions_is_refused_and_nothing_moves(change, error, words):
    env, other = garden(), garden()
    env.reset(seed=1), other.reset(seed=1)
    actions = dict.fromkeys(env.agents, 4)
    with pytest.raises(error, match=words):
        env.step(change(actions))
    # The list of who lives is the caller's to change.
    env.agents.remove("gardener_1")
    with pytest.raises(ValueError, match="gardener_1 has none"):
        env.step(dict.fromkeys(env.agents, 4))
    equal(env.step(actions), other.step(actions))


def test_what_there_is_to_see():
    env = garden()
    env.reset(seed=1)
    env.step(dict.fromkeys(env.agents, 4))
    assert env.state_space.contains(env.state()) and env.grid.shape == (12, 12)
    assert env.state()[1].sum() == len(env.gardeners) == len(env.agents)
    assert list(env.generation)[:3] == ["Gen", "Population", "Avg_Energy"]
    np.testing.assert_allclose(env.grid.sum(), env.generation["Total_Entropy"], rtol=1e-5)
    with pytest.raises(ValueError, match="gardener: `dirt_grow = 1.*did you mean `dirt_growth`"):
        garden(dirt_grow=1)
