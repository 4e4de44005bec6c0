"""What a training has led to, on numpy arrays: held against its checkpoint's arrays and the program's own episodes."""

import copy
import json
import pickle
import struct

import gymnasium
import numpy as np
import pytest

import resonetics


def arrays(path):
    """The arrays of a safetensors file, in float64."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    kinds = {"F32": np.float32, "F64": np.float64}
    of = {}
    for name, at in header.items():
        if name != "__metadata__" and at["dtype"] in kinds:
            start, end = (8 + length + offset for offset in at["data_offsets"])
            of[name] = np.frombuffer(data[start:end], kinds[at["dtype"]]).reshape(at["shape"]).astype(float)
    return of


def by_hand(run, observations):
    """The probabilities as RULES section 3 has them, of networks without a memory, in float64."""
    of = arrays(run / "checkpoints/best.safetensors")
    seen = json.loads((run / "checkpoints/best.json").read_text())["numbers"]["observations_seen"]
    variance = of["normalizer.observation.squares"] / seen
    deviation = np.where(variance > 1e-12, np.sqrt(np.maximum(variance, 1e-12)), 1.0)
    x = ((observations - of["normalizer.observation.mean"]) / deviation).clip(-10, 10)
    layers = sorted({name.split(".")[1] for name in of if name.startswith("actor.") and name.split(".")[1].isdigit()})
    for layer in layers:
        x = x @ of[f"actor.{layer}.weight"].T + of[f"actor.{layer}.bias"]
        if layer != layers[-1]:
            x = np.tanh(x)
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def observations(count, seed=0):
    envs = gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=count, max_steps=200)
    seen, _ = envs.reset(seed=seed)
    choose = np.random.default_rng(seed)
    for _ in range(50):
        seen, *_ = envs.step(choose.integers(6, size=count))
    return seen


def test_its_probabilities_are_those_of_the_checkpoint(trained):
    policy = resonetics.load_policy(trained)
    seen = observations(200)
    expected = by_hand(trained, seen)
    found = policy.probabilities(seen)
    assert found.dtype == np.float32 and np.abs(found - expected).max() < 1e-5
    assert (policy(seen) == expected.argmax(axis=1)).all() and policy(seen).dtype == np.int64
    assert policy(seen[3]) == policy(seen)[3] and policy.probabilities(seen[3]).shape == (6,)
    assert (policy.probabilities(seen.astype(np.float64)) == found).all()


def play(policy, run_settings, seeds):
    """Returns and lengths of greedy episodes, one on each seed."""
    envs = gymnasium.make_vec(
        "resonetics/K8sSmartTensor-v0", num_envs=len(seeds), autoreset_mode="Disabled", **run_settings
    )
    seen, _ = envs.reset(seed=[int(seed) for seed in seeds])
    memory = policy.memory(len(seeds))
    returns, steps = np.zeros(len(seeds)), np.zeros(len(seeds), int)
    for _ in range(200):
        seen, rewards, terminated, truncated, _ = envs.step(policy(seen, memory=memory))
        returns += rewards
        steps += 1
        if (terminated | truncated).all():
            return returns, steps
        assert not (terminated | truncated).any()
    raise AssertionError("no end")


@pytest.mark.parametrize("which", ["trained", "remembering"])
def test_it_plays_the_episodes_of_an_evaluation(which, request):
    """Greedy episodes step by step in numpy are those that the library plays: also what is remembered."""
    run = request.getfixturevalue(which)
    policy = resonetics.load_policy(run)
    assert policy.memory_size == {"trained": 0, "remembering": 16 * 2}[which]
    _, folder = resonetics.evaluate(run, episodes=20, seed=9, out="evaluation")
    rows = [line.split(",") for line in (folder / "episodes.csv").read_text().splitlines()[1:]]
    returns, steps = play(policy, {"max_steps": 200}, [row[2] for row in rows])
    assert [int(row[4]) for row in rows] == steps.tolist()
    assert np.abs(returns - [float(row[3]) for row in rows]).max() < 1e-4


def test_a_memory_is_the_callers(remembering):
    policy = resonetics.load_policy(remembering)
    seen = observations(5)
    memory = policy.memory(5)
    first = policy.probabilities(seen, memory=memory)
    assert (memory != 0).any()
    kept = memory.copy()
    second = policy.probabilities(seen, memory=memory)
    assert (second != first).any()
    memory[:] = kept
    assert (policy.probabilities(seen, memory=memory) == second).all()
    memory[2] = 0
    third = policy.probabilities(seen, memory=memory)
    assert (third[2] == first[2]).all()
    # A row alone is what it is among others.
    alone = policy.memory(1)
    assert (policy.probabilities(seen[4], memory=alone[0]) == first[4]).all() and (alone != 0).any()
    with pytest.raises(ValueError, match="this policy has a memory"):
        policy(seen)
    with pytest.raises(ValueError, match=r"memory of the shape \(4, 32\): \(5, 32\)"):
        policy(seen, memory=policy.memory(4))
    with pytest.raises(TypeError, match="float32"):
        policy(seen, memory=np.zeros((5, 32)))
    frozen = policy.memory(5)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="memory cannot be written"):
        policy(seen, memory=frozen)


def test_masks_forbid(trained):
    policy = resonetics.load_policy(trained)
    seen = observations(4)
    masks = np.ones((4, 6), bool)
    masks[0, policy(seen)[0]] = False
    masks[1] = False
    found, free = policy.probabilities(seen, masks), policy.probabilities(seen)
    assert found[0][~masks[0]].sum() == 0 and abs(found[0].sum() - 1) < 1e-6
    assert np.allclose(found[0][masks[0]], free[0][masks[0]] / free[0][masks[0]].sum(), atol=1e-6)
    assert (found[1] == 0).all() and (found[2:] == free[2:]).all()
    assert policy(seen, masks)[0] != policy(seen)[0]


def test_actions_are_drawn_as_often_as_they_are_likely(trained):
    policy = resonetics.load_policy(trained)
    several = observations(200)
    # Where it is least sure.
    unsure = policy.probabilities(several).max(axis=1).argmin()
    seen = np.repeat(several[unsure : unsure + 1], 20_000, axis=0)
    expected = policy.probabilities(seen[0])
    assert np.sort(expected)[-2] > 0.1
    drawn = np.bincount(policy.sample(seen, np.random.default_rng(0)), minlength=6) / len(seen)
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected * (1 - expected) / len(seen)) + 1e-9).all()


def test_other_checkpoints_have_names(trained):
    best, last = resonetics.load_policy(trained), resonetics.load_policy(f"{trained}@last")
    assert last.step == 19_968 and best.env == "k8s" and len(best.sha256) == 64
    assert resonetics.load_policy(f"{trained}@{last.step}").sha256 == last.sha256
    with pytest.raises(ValueError, match="keeps no checkpoint of step 7"):
        resonetics.load_policy(f"{trained}@7")


def test_it_is_copied_and_pickled(trained):
    policy = resonetics.load_policy(trained)
    seen = observations(3)
    for other in [copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))]:
        assert (other.probabilities(seen) == policy.probabilities(seen)).all()


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (np.zeros((2, 29)), ValueError, r"observations of the shape \(2, 29\): \[rows, 30\]"),
        (np.zeros((2, 2, 30)), ValueError, "shape"),
        (np.full(30, np.nan), ValueError, "NaN"),
        (np.full(30, "a"), TypeError, "type"),
    ],
)
def test_what_is_no_observation_is_refused(trained, given, error, match):
    with pytest.raises(error, match=match):
        resonetics.load_policy(trained)(given)


def test_predict_is_what_stable_baselines_asks_for(remembering):
    policy = resonetics.load_policy(remembering)
    seen = observations(3)
    actions, state = policy.predict(seen)
    again, after = policy.predict(seen, state, np.array([True, False, False]))
    memory = policy.memory(3)
    assert (actions == policy(seen, memory=memory)).all() and (state[0] == memory).all()
    memory[0] = 0
    assert (again == policy(seen, memory=memory)).all() and (after[0] == memory).all()
