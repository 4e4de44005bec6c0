"""The policy that a training has led to, on numpy arrays, without torch."""

import json
import os
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resonetics._native import TrainedPolicy

__all__ = ["Policy", "load_policy"]

Place = str | os.PathLike[str]


class Policy:
    """Actions for observations `[B, D]`, or for one, `[D]`, as they come from the world; they are normalised here.

    `masks` `[B, A]` bool are the actions that are allowed, in the garden `infos[agent]["action_mask"]`. A policy with a memory
    (`memory_size` M is not 0) has it in an array of yours, `policy.memory(B)`: each call reads and writes `memory` `[B, M]` float32,
    and `memory[ended] = 0` makes rows forget when an episode or a life begins.
    """

    def __init__(self, run: Place) -> None:
        self._run = os.fspath(run)
        self._policy = TrainedPolicy(self._run)
        self.observation_size, self.num_actions, self.memory_size = self._policy.sizes

    @property
    def env(self) -> str:
        """The name of the world it was trained in."""
        return self._policy.env

    @property
    def preset(self) -> str:
        """The preset of that world."""
        return self._policy.preset

    @property
    def settings(self) -> dict[str, Any]:
        """All settings of that world."""
        return cast(dict[str, Any], json.loads(self._policy.settings()))

    @property
    def step(self) -> int:
        """Steps of single environments that it was trained for."""
        return self._policy.step

    @property
    def sha256(self) -> str:
        """That of its checkpoint."""
        return self._policy.sha256

    def memory(self, rows: int) -> NDArray[np.float32]:
        """What so many rows remember where their episodes begin: `[rows, M]` float32, all 0."""
        return np.zeros((rows, self.memory_size), np.float32)

    def probabilities(
        self, observations: ArrayLike, masks: ArrayLike | None = None, memory: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The probability of each action, `[B, A]`, or `[A]` for one observation; all 0 in a row without an allowed action."""
        seen = self._rows("observations", observations, np.float32, self.observation_size)
        allowed = None if masks is None else self._rows("masks", masks, np.bool_, self.num_actions)
        if not np.isfinite(seen).all():
            raise ValueError("observations hold NaN or infinity")
        if memory is None and self.memory_size:
            raise ValueError(f"this policy has a memory: hand memory=policy.memory({len(seen)}) to each call")
        kept = None
        if memory is not None:
            if not isinstance(memory, np.ndarray) or memory.dtype != np.float32:
                raise TypeError("memory: a numpy array of float32 is needed, as policy.memory(rows) makes it")
            kept = memory.reshape(1, -1) if memory.ndim == 1 else memory
            if not np.shares_memory(kept, memory) and memory.size:
                raise ValueError("memory cannot be written in place: hand the array that policy.memory(rows) made")
        found = self._policy.probabilities(seen, allowed, kept)
        return cast(NDArray[np.float32], found[0]) if np.ndim(observations) == 1 else found

    def __call__(
        self, observations: ArrayLike, masks: ArrayLike | None = None, memory: NDArray[np.float32] | None = None
    ) -> NDArray[np.int64]:
        """The likeliest action of each row, `[B]`, or of one observation: as the training's policy acts in `evaluate`."""
        return np.asarray(self.probabilities(observations, masks, memory).argmax(axis=-1), np.int64)

    def sample(
        self,
        observations: ArrayLike,
        generator: np.random.Generator,
        masks: ArrayLike | None = None,
        memory: NDArray[np.float32] | None = None,
    ) -> NDArray[np.int64]:
        """Actions drawn from the probabilities."""
        sums = self.probabilities(observations, masks, memory).astype(np.float64).cumsum(axis=-1)
        drawn = generator.random(sums.shape[:-1] + (1,)) * sums[..., -1:]
        return np.asarray((sums <= drawn).sum(axis=-1).clip(max=self.num_actions - 1), np.int64)

    def predict(
        self,
        observation: ArrayLike,
        state: tuple[NDArray[np.float32], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.float32], ...] | None]:
        """As Stable-Baselines3's models have it, so that its `evaluate_policy` takes this one."""
        if not deterministic:
            raise ValueError("deterministic=False: use sample(), with a generator of yours")
        rows = 1 if np.ndim(observation) == 1 else len(np.asarray(observation))
        memory = state[0].copy() if state else self.memory(rows)
        if episode_start is not None:
            memory[np.asarray(episode_start, bool)] = 0.0
        return self(observation, memory=memory), (memory,) if self.memory_size else None

    def _rows(self, name: str, given: ArrayLike, dtype: Any, width: int) -> NDArray[Any]:
        array = np.asarray(given)
        if array.ndim not in (1, 2) or array.shape[-1] != width:
            raise ValueError(f"{name} of the shape {array.shape}: [rows, {width}] is needed, or [{width}]")
        if array.dtype.kind not in ("fiu" if dtype is np.float32 else "biu"):
            raise TypeError(f"{name} of the type {array.dtype}: {np.dtype(dtype)} is needed")
        return np.atleast_2d(array).astype(dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {"run": os.path.abspath(self._run), "sha256": self.sha256}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["run"])  # type: ignore[misc]
        if self.sha256 != state["sha256"]:
            raise ValueError(f"{state['run']} has another checkpoint now than when this policy was pickled")

    def __repr__(self) -> str:
        return f"<resonetics.Policy of {self._run}, {self.env}, {self.step} steps>"


def load_policy(run: Place) -> Policy:
    """The policy of a training's best checkpoint, or of another one: `"RUN@last"`, `"RUN@STEP"`."""
    return Policy(run)
