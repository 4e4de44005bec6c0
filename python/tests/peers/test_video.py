"""Gymnasium's films of the cluster, alone and in a vector."""

from pathlib import Path

import gymnasium
import pytest

pytest.importorskip("moviepy")

import numpy as np  # noqa: E402
from gymnasium.wrappers import RecordVideo  # noqa: E402
from gymnasium.wrappers.vector import RecordVideo as RecordVideos  # noqa: E402

import resonetics  # noqa: E402, F401

ID = "resonetics/K8sSmartTensor-v0"


def frames(path):
    from moviepy import VideoFileClip

    with VideoFileClip(str(path)) as clip:
        return clip.n_frames, clip.size


def test_an_episode_is_filmed():
    env = RecordVideo(gymnasium.make(ID, render_mode="rgb_array", max_steps=12), "films", episode_trigger=lambda _: True)
    env.reset(seed=1)
    height, width, _ = env.unwrapped.render().shape
    for _ in range(12):
        env.step(4)
    env.close()
    (film,) = Path("films").glob("*.mp4")
    count, size = frames(film)
    assert count >= 12 and tuple(size) == (width, height)


@pytest.mark.parametrize("vectorization", [None, "sync"])
def test_lanes_are_filmed_as_those_of_single_clusters(vectorization):
    envs = gymnasium.make_vec(
        ID, num_envs=3, vectorization_mode=vectorization, render_mode="rgb_array", max_steps=6
    )
    films = RecordVideos(envs, "films", episode_trigger=lambda _: True)
    films.reset(seed=1)
    for _ in range(13):
        films.step(np.zeros(3, int))
    films.close()
    assert len(list(Path("films").glob("*.mp4"))) == 2
    assert all(frames(film)[0] >= 6 for film in Path("films").glob("*.mp4"))
