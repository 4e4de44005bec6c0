"""Many gardens as arrays, for learners that want arrays."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from resonetics._native import Clusters, Gardens
from resonetics.single import drawn_seed, named, whole_seed
from resonetics.vector import thread_count, whole_number

Stepped = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
ACTIONS = 6
MODES = ["NextStep", "SameStep", "Disabled"]


class GardenVector:
    """`num_envs` (N) gardens in step, each with P = `max_population` rows: a gardener keeps its row for life, and another one
    may have it later.

    `reset` yields `(observations, infos)`, `step(actions [N, P])` yields `(observations, rewards, terminated, truncated, infos)`:
    observations `[N, P, D]` and rewards `[N, P]` are float32, 0 where nobody lives; the flags `[N]` are the garden's.
    `infos` has `action_mask` `[N, P, 6]` (a row with no allowed action is not asked, and its action not looked at), `alive` and `died`
    `[N, P]`: a row that died in this step may already be alive again, as a newborn, so that `died` marks where what was
    remembered has to be forgotten. All arrays are the caller's own.

    `autoreset_mode` is Gymnasium's: with `"NextStep"` a garden that has ended begins anew in the next step (its actions are
    not looked at, rewards are 0), with `"SameStep"` at once (`infos["final_observations"]` has what it showed last, where one
    ended), with `"Disabled"` by `reset(mask=...)` alone. Seeds are as those of `make_vec`; results do not depend on `threads`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        preset: str = "reference",
        autoreset_mode: str = "NextStep",
        *,
        threads: int | None = None,
        **settings: Any,
    ) -> None:
        named("gardener", preset)
        self.num_envs = whole_number("num_envs", num_envs)
        if not 1 <= self.num_envs <= 1_048_576:
            raise ValueError(f"num_envs {num_envs}: allowed are whole numbers from 1 to 1048576")
        mode = getattr(autoreset_mode, "value", autoreset_mode)
        if mode not in MODES:
            raise ValueError(f"autoreset_mode {autoreset_mode!r}: allowed are {MODES}")
        self.autoreset_mode = mode
        # Of its own: the caller's may change.
        self._made_of = ("gardener", preset, copy.deepcopy(settings), self.num_envs, thread_count(threads), mode)
        self._gardens = Gardens(*self._made_of)
        self.rows, self.side, self.observation_size = self._gardens.sizes
        self.num_actions = ACTIONS
        self._seeds: list[int] | None = None
        self._begun = False
        self._ended = np.zeros(self.num_envs, np.bool_)

    @property
    def high(self) -> NDArray[np.float32]:
        """The highest value of each number of an observation, `[D]`; the lowest is 0."""
        return self._gardens.high()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those in use, one a garden; drawn from the system where none was given yet."""
        if self._seeds is None:
            self._seeds = Clusters.lane_seeds(drawn_seed(), self.num_envs)
        return tuple(self._seeds)

    def reset(
        self, seed: int | Sequence[int] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins an episode in every garden, or in those marked in `mask` `[N]`: of a seed, of a seed for each, or the next one of
        the seeds in use.
        """
        marked = self._marked(mask)
        seeds = self._seeds_of(seed, marked)
        shown = self._gardens.reset(seeds, marked)
        self._begun = True
        self._ended &= ~marked
        return shown.pop("observations"), self._infos(shown)

    def _marked(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"mask: a numpy array of bool of the shape ({self.num_envs},) is needed")
        if not self._begun and not mask.all():
            raise ResetNeeded("no episode has begun: the first reset must be of all gardens")
        return mask

    def _seeds_of(self, seed: int | Sequence[int] | None, marked: NDArray[np.bool_]) -> list[int] | None:
        if seed is None:
            return None if self._begun else list(self.seeds)
        if isinstance(seed, (Sequence, np.ndarray)):
            seeds = [whole_seed(one) for one in seed]
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} gardens: one for each is needed")
        else:
            seeds = Clusters.lane_seeds(whole_seed(seed), self.num_envs)
        before = self._seeds or seeds
        self._seeds = [new if own else old for new, old, own in zip(seeds, before, marked, strict=True)]
        return seeds

    def step(self, actions: ArrayLike) -> Stepped:
        """A generation of every garden. Raises ValueError or TypeError for what are no actions, ResetNeeded where there is no
        episode to go on with; no garden has moved then.
        """
        if not self._begun:
            raise ResetNeeded("no episode has begun: call reset() first")
        if self.autoreset_mode == "Disabled" and self._ended.any():
            over = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(f"the episodes of gardens {over} are over: reset them first, by mask=")
        array = np.asarray(actions)
        if array.shape != (self.num_envs, self.rows):
            raise ValueError(f"actions of the shape {array.shape}: ({self.num_envs}, {self.rows}) is needed")
        if array.dtype.kind not in "iu":
            raise TypeError(f"actions are of the type {array.dtype}: whole numbers are needed")
        shown = self._gardens.step(array.astype(np.int64))
        terminated, truncated = shown.pop("terminated"), shown.pop("truncated")
        self._ended = terminated | truncated
        return shown.pop("observations"), shown.pop("rewards"), terminated, truncated, self._infos(shown)

    @staticmethod
    def _infos(shown: dict[str, Any]) -> dict[str, Any]:
        kept = ("action_mask", "alive", "died", "final_observations")
        return {key: value for key, value in shown.items() if key in kept}

    def generation(self, garden: int) -> dict[str, Any]:
        """The last generation of a garden, by the names of `resonetics_data.csv`."""
        return self._gardens.generation_of(garden)

    @property
    def settings(self) -> str:
        """All settings, as TOML."""
        return self._gardens.settings()

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in self.__dict__.items() if name != "_gardens"}
        return {**own, "_saved": self._gardens.save()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved")
        self.__dict__.update(state)
        self._gardens = Gardens(*self._made_of)
        self._gardens.restore(saved)
