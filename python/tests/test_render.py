"""Pictures are those that the program draws."""

import struct
import zlib
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import resonetics

ID = "resonetics/K8sSmartTensor-v0"


def pixels(data):
    """Red, green and blue of a PNG file of numbered colours whose rows are not filtered, or only by what is above or left."""
    at, parts = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name = data[at + 4 : at + 8].decode()
        parts[name] = parts.get(name, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    width, height = struct.unpack(">II", parts["IHDR"][:8])
    raw = np.frombuffer(zlib.decompress(parts["IDAT"]), np.uint8).reshape(height, width + 1)
    rows = np.zeros((height, width), np.uint8)
    for y in range(height):
        kind, row = raw[y, 0], raw[y, 1:].astype(int)
        above = rows[y - 1].astype(int) if y else np.zeros(width, int)
        if kind in (0, 2):
            rows[y] = (row + (above if kind == 2 else 0)) % 256
            continue
        left = upper = 0
        for x in range(width):
            a, b, c = left, int(above[x]), upper
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            value = (row[x] + {1: a, 3: (a + b) // 2, 4: nearest}[kind]) % 256
            rows[y, x] = left = value
            upper = b
    return np.frombuffer(parts["PLTE"], np.uint8).reshape(-1, 3)[rows]


def test_a_cluster_is_drawn_as_the_program_draws_it(program):
    done = program("watch", "k8s", "--agent", "idle", "--seed", 3, "--set", "max_steps=64", "--png", "shown.png")
    assert done.returncode == 0, done.stderr
    env = gymnasium.make(ID, render_mode="rgb_array", max_steps=64)
    env.reset(seed=3)
    first = env.render()
    over = False
    while not over:
        *_, terminated, truncated, _ = env.step(3)
        over = terminated or truncated
    drawn = env.render()
    expected = pixels(Path("shown.png").read_bytes())
    assert drawn.dtype == np.uint8 and drawn.shape == expected.shape and (first != drawn).any()
    # The program knows how long the curve gets; its scale is another.
    above = drawn.shape[0] - 40 - 52
    assert (drawn[:above] == expected[:above]).all()


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_a_lane_is_drawn_as_the_cluster_alone(mode):
    envs = gymnasium.make_vec(ID, num_envs=3, render_mode="rgb_array", autoreset_mode=mode, max_steps=6)
    envs.reset(seed=1)
    alone = [gymnasium.make(ID, render_mode="rgb_array", max_steps=6) for _ in range(3)]
    for env, seed in zip(alone, envs.unwrapped.np_random_seed):
        env.reset(seed=seed)
    over = False
    for step in range(20):
        if over and mode == "Disabled":
            envs.reset(options={"reset_mask": np.ones(3, bool)})
            [env.reset() for env in alone]
        _, _, _, truncated, _ = envs.step([step % 6] * 3)
        if over and mode == "NextStep":
            [env.reset() for env in alone]
        else:
            [env.step(step % 6) for env in alone]
        over = truncated.all()
        if over and mode == "SameStep":
            [env.reset() for env in alone]
        frames = envs.render()
        assert isinstance(frames, tuple) and len(frames) == 3
        assert all((frame == env.render()).all() for frame, env in zip(frames, alone))


def test_a_garden_is_drawn():
    garden = resonetics.parallel_env("gardener", render_mode="rgb_array", grid_size=20)
    assert garden.metadata["render_modes"] == ["rgb_array"]
    garden.reset(seed=1)
    before = garden.render()
    garden.step({agent: 4 for agent in garden.agents})
    after = garden.render()
    assert before.dtype == np.uint8 and before.shape == after.shape and (before != after).any()
    assert resonetics.parallel_env("gardener").render() is None


def test_other_modes_are_refused():
    for make in [resonetics.K8sSmartTensor, resonetics.K8sSmartTensorVector, resonetics.parallel_env]:
        with pytest.raises(ValueError, match="render_mode 'movie': allowed are None and"):
            make(render_mode="movie")
