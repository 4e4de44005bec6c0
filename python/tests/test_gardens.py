"""Gardens as arrays, and gardens that run by themselves: held against PettingZoo's garden and the program's log."""

import copy
import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import resonetics

SMALL = {"grid_size": 16, "init_agents": 12, "max_population": 20, "max_generations": 40}


def garden_alone(seed, actions):
    """An episode of PettingZoo's garden: what its agents see and earn, by their names."""
    garden = resonetics.parallel_env("gardener", **SMALL)
    garden.reset(seed=seed)
    shown = []
    for row in actions:
        slots = dict(garden._slots)
        observations, rewards, terminations, truncations, infos = garden.step(
            {agent: int(row[slot]) for agent, slot in slots.items()}
        )
        shown.append((slots, observations, rewards, dict(garden._slots), infos))
        if not garden.agents:
            break
    return shown


@pytest.mark.parametrize("threads", [1, 2])
def test_each_garden_is_the_one_alone(threads):
    gardens = resonetics.GardenVector(3, threads=threads, **SMALL)
    observations, infos = gardens.reset(seed=5)
    assert observations.shape == (3, 20, 54) and infos["action_mask"].shape == (3, 20, 6)
    actions = np.random.default_rng(1).integers(6, size=(45, 3, 20))
    alone = [garden_alone(seed, actions[:, lane]) for lane, seed in enumerate(gardens.seeds)]
    for step in range(40):
        observations, rewards, terminated, truncated, infos = gardens.step(actions[step])
        for lane in range(3):
            before, seen, earned, after, known = alone[lane][step]
            for agent, slot in before.items():
                assert rewards[lane, slot] == np.float32(earned[agent])
            assert set(np.flatnonzero(infos["alive"][lane])) >= set(after.values())
            for agent, slot in after.items():
                assert (observations[lane, slot] == seen[agent]).all()
                assert (infos["action_mask"][lane, slot] == known[agent]["action_mask"]).all()
            dead = {slot for agent, slot in before.items() if agent not in after}
            if step < 39:
                assert set(np.flatnonzero(infos["died"][lane])) == dead
        assert truncated.all() == (step == 39) and not terminated.any()
    assert (observations[~infos["alive"]] == 0).all()


def test_next_step_same_step_and_disabled_begin_the_same_episodes():
    actions = np.random.default_rng(2).integers(6, size=(90, 2, 20))
    of = {mode: resonetics.GardenVector(2, autoreset_mode=mode, **SMALL) for mode in ["NextStep", "SameStep", "Disabled"]}
    first = {mode: gardens.reset(seed=3)[0] for mode, gardens in of.items()}
    assert (first["NextStep"] == first["SameStep"]).all() and (first["NextStep"] == first["Disabled"]).all()
    for row in actions[:39]:
        stepped = {mode: gardens.step(row) for mode, gardens in of.items()}
    ended = {mode: gardens.step(actions[39]) for mode, gardens in of.items()}
    assert all(stepped[3].all() for stepped in ended.values())
    assert (ended["SameStep"][4]["final_observations"] == ended["NextStep"][0]).all()
    with pytest.raises(ResetNeeded, match=r"\[0, 1\] are over"):
        of["Disabled"].step(actions[40])
    begun, _ = of["Disabled"].reset(mask=np.array([True, True]))
    assert (begun == ended["SameStep"][0]).all()
    after = of["Disabled"].step(actions[41])
    again = of["NextStep"].step(actions[40])
    assert (again[0] == begun).all() and (again[1] == 0).all() and not again[3].any()
    one, two = (of[mode].step(actions[41]) for mode in ["SameStep", "NextStep"])
    assert all((a == b).all() and (a == c).all() for a, b, c in zip(one[:4], two[:4], after[:4]))


def test_a_mask_begins_some_and_lets_others_go_on():
    gardens = resonetics.GardenVector(2, autoreset_mode="Disabled", **SMALL)
    with pytest.raises(ResetNeeded, match="first reset must be of all"):
        gardens.reset(mask=np.array([True, False]))
    start, _ = gardens.reset(seed=[7, 8])
    actions = np.full((2, 20), 4)
    moved, *_ = gardens.step(actions)
    shown, _ = gardens.reset(seed=[7, 9], mask=np.array([True, False]))
    assert (shown[0] == start[0]).all() and (shown[1] == moved[1]).all() and gardens.seeds == (7, 8)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda gardens: pickle.loads(pickle.dumps(gardens))])
def test_copies_go_on_with_their_state(copied):
    gardens = resonetics.GardenVector(2, **SMALL)
    gardens.reset(seed=1)
    actions = np.random.default_rng(0).integers(6, size=(20, 2, 20))
    for row in actions[:10]:
        gardens.step(row)
    other = copied(gardens)
    for row in actions[10:]:
        one, two = gardens.step(row), other.step(row)
        assert all((a == b).all() for a, b in zip(one[:4], two[:4]))
    assert gardens.generation(1) == other.generation(1)


@pytest.mark.parametrize(
    ("actions", "error", "match"),
    [
        (np.zeros((2, 19), int), ValueError, r"\(2, 20\) is needed"),
        (np.zeros((2, 20)), TypeError, "float64"),
        (np.full((2, 20), 6), ValueError, "of garden 0: allowed are 0 to 5"),
        (np.full((2, 20), -1), ValueError, "action -1 of row"),
    ],
)
def test_wrong_actions_change_nothing(actions, error, match):
    gardens, other = (resonetics.GardenVector(2, **SMALL) for _ in range(2))
    gardens.reset(seed=1), other.reset(seed=1)
    with pytest.raises(error, match=match):
        gardens.step(actions)
    fine = np.full((2, 20), 4)
    assert (gardens.step(fine)[0] == other.step(fine)[0]).all()


def test_what_cannot_be_is_refused():
    for words, match in [
        ({"num_envs": 0}, "num_envs 0"),
        ({"autoreset_mode": "later"}, "allowed are"),
        ({"threads": 0}, "threads 0"),
        ({"dirt": 1}, "unknown key"),
        ({"num_envs": 1_048_576, "grid_size": 500}, "memory"),
    ]:
        with pytest.raises(ValueError, match=match):
            resonetics.GardenVector(**words)
    gardens = resonetics.GardenVector(2, **SMALL)
    with pytest.raises(ResetNeeded):
        gardens.step(np.zeros((2, 20), int))
    with pytest.raises(ValueError, match="3 seeds for 2"):
        gardens.reset(seed=[1, 2, 3])


def test_a_simulation_is_the_programs(program):
    done = program("gardener", "--seed", 4, "--generations", 120, "--agent", "patrol", "--out", "other", "--quiet")
    assert done.returncode == 0, done.stderr
    simulation = resonetics.GardenSimulation("patrol", seed=4)
    last = simulation.step(120)
    logged = list(csv.DictReader(Path("other/resonetics_data.csv").read_text().splitlines()))
    assert list(last) == list(logged[0]) and len(simulation.rows) == len(logged) == 120
    for ours, theirs in zip(simulation.rows, logged):
        for key, text in theirs.items():
            decimals = len(text.partition(".")[2])
            if key == "Verdict":
                assert ours[key].lower() == text.lower()
            else:
                assert abs(float(text) - ours[key]) <= 0.5 * 10**-decimals + 1e-12, key
    assert simulation.grid.shape == (60, 60) and len(simulation.gardeners) == last["Population"]
    assert abs(float(simulation.grid.sum()) - last["Total_Entropy"]) < 0.01 * last["Total_Entropy"]


def test_a_simulation_goes_on_after_its_loss():
    simulation = resonetics.GardenSimulation("idle", seed=1, preset="storm", lost={"generations": 5})
    while not simulation.lost:
        simulation.step()
        assert len(simulation.rows) < 3000
    at = simulation.rows[-1]["Gen"]
    assert simulation.step(10)["Gen"] == at + 10 and simulation.lost
    picture = simulation.render()
    assert picture.dtype == np.uint8 and picture.shape[2] == 3


def test_a_log_is_a_frame():
    pandas = pytest.importorskip("pandas")
    simulation = resonetics.GardenSimulation(seed=1)
    simulation.step(5)
    frame = simulation.log()
    assert isinstance(frame, pandas.DataFrame) and frame["Gen"].tolist() == [1, 2, 3, 4, 5]


def test_what_cannot_be_simulated_is_refused():
    for words, match in [
        ({"agent": "nobody"}, "unknown agent `nobody`"),
        ({"dirt": 1}, "unknown key"),
        ({"seed": -1}, "seed"),
    ]:
        with pytest.raises(ValueError, match=match):
            resonetics.GardenSimulation(**words)
    with pytest.raises(ValueError, match="generations 0"):
        resonetics.GardenSimulation(seed=1).step(0)
