"""Episodes of a trained policy as a Minari dataset: each can be played again."""

import numpy as np
import pytest

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")

import resonetics  # noqa: E402


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))


@pytest.mark.parametrize(("which", "sample"), [("trained", False), ("trained", True), ("remembering", False)])
def test_its_episodes_can_be_played_again(which, sample, request):
    run = request.getfixturevalue(which)
    words = {"author": "somebody", "code_permalink": "none", "author_email": "none", "description": "a test"}
    dataset = resonetics.minari_export(run, "k8s/test-v0", episodes=5, seed=3, sample=sample, **words)
    assert minari.load_dataset("k8s/test-v0").total_episodes == dataset.total_episodes == 5
    env = dataset.recover_environment()
    policy = resonetics.load_policy(run)
    starts = set()
    for episode in dataset.iterate_episodes():
        seed = dataset.storage.get_episode_metadata([episode.id])
        seen, _ = env.reset(seed=int(next(iter(seed))["seed"]))
        starts.add(seen.tobytes())
        memory = policy.memory(1)
        for step, action in enumerate(episode.actions):
            assert (seen == episode.observations[step]).all()
            if not sample:
                assert action == policy(seen, memory=memory[0])
            seen, reward, terminated, truncated, _ = env.step(action)
            assert (reward, terminated, truncated) == (
                episode.rewards[step],
                episode.terminations[step],
                episode.truncations[step],
            )
        assert (seen == episode.observations[-1]).all() and (terminated or truncated)
    assert len(starts) == 5


def test_a_sample_is_not_the_likeliest(trained):
    likeliest, drawn = (
        resonetics.minari_export(trained, f"k8s/test-v{int(sample)}", episodes=2, seed=3, sample=sample, author="a", author_email="b", code_permalink="c", description="d")
        for sample in (False, True)
    )
    one, two = (next(dataset.iterate_episodes()).actions for dataset in (likeliest, drawn))
    assert not np.array_equal(one, two)


def test_what_cannot_be_exported_is_refused(tmp_path):
    garden = {"grid_size": 8, "init_agents": 4, "min_population": 3, "max_population": 6, "max_generations": 20}
    run = resonetics.train("gardener", steps=64, seed=1, train={"num_envs": 2, "horizon": 16}, progress=False, **garden)
    with pytest.raises(ValueError, match="was trained in gardener"):
        resonetics.minari_export(run, "garden/test-v0")
