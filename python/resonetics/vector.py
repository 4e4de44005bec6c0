"""Many clusters as a gymnasium.vector.VectorEnv, all stepped in Rust."""

import copy as copying
import operator
import os
from collections.abc import Sequence
from typing import Any, SupportsIndex, cast

import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from resonetics._native import Clusters
from resonetics.render import Past, checked_mode
from resonetics.single import drawn_seed, named, text, whole_seed
from resonetics.spaces import ACTIONS, OBSERVATION, action_space, observation_space

Observations = NDArray[np.float32]
INT64 = np.dtype(np.int64)
Stepped = tuple[Observations, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class K8sSmartTensorVector(VectorEnv[Observations, ArrayLike, ArrayLike]):
    """`num_envs` clusters in step, each as `K8sSmartTensor` has it.

    `autoreset_mode` is Gymnasium's: `"NextStep"` (the default), `"SameStep"` or `"Disabled"`, in which lanes begin
    anew by `reset(options={"reset_mask": mask})` alone. `reset(seed=S)` gives lane i a seed of its own that follows
    from S and i, the one that the episode i of `resonetics benchmark --seed S` has; a sequence gives each lane its own.
    No lane has a stream of random numbers that a lane of another S has. `np_random_seed` has the lanes' seeds.

    What a step returns is its own; with `copy=False` all observations are in one array, which the next step or reset
    overwrites. That array lives as long as somebody holds it, longer than the vector if need be.

    `threads` is the number of threads that step it (all by default); results do not depend on it. `max_episode_steps`
    is the setting `max_steps`, if that is larger.
    """

    metadata = {
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        *,
        rules: str = "k8s",
        preset: str = "reference",
        copy: bool = True,
        threads: int | None = None,
        **settings: Any,
    ) -> None:
        named(rules, preset)
        num_envs = whole_number("num_envs", num_envs)
        if not 1 <= num_envs <= 16_777_216:
            raise ValueError(f"num_envs {num_envs}: allowed are whole numbers from 1 to 16777216")
        self.render_mode = checked_mode(render_mode, self.metadata["render_modes"])
        threads = thread_count(threads)
        self.num_envs = num_envs
        # Only pictures ask for it.
        self._past = Past(num_envs) if render_mode == "rgb_array" else None
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = observation_space()
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._clusters = Clusters(rules, preset, settings, num_envs, threads)
        if max_episode_steps is not None:
            limit = whole_number("max_episode_steps", max_episode_steps)
            if limit < self._clusters.max_steps:
                settings = {**settings, "max_steps": limit}
                self._clusters = Clusters(rules, preset, settings, num_envs, threads)
        # Of its own: the caller's may change.
        self._made_of = (rules, preset, copying.deepcopy(settings), num_envs, threads)
        self._out = None if copy else np.zeros((self.num_envs, OBSERVATION), np.float32)
        self._same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
        self._disabled = self.autoreset_mode is AutoresetMode.DISABLED
        self._all = np.ones(self.num_envs, np.bool_)
        self._ended = np.ones(self.num_envs, np.bool_)
        self._masks = masks(self._all)
        self._seeds: tuple[int, ...] | None = None
        self._begun = False
        # Whether a step has nothing to do but to step.
        self._plain = False

    # Gymnasium has one number here, and a sequence in SyncVectorEnv.
    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seeds in use, one a lane; drawn from the system where none was given yet."""
        if self._seeds is None:
            self._seeds = tuple(self._drawn())
        return self._seeds

    def _drawn(self) -> list[int]:
        return Clusters.lane_seeds(drawn_seed(), self.num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begins an episode in every lane, or in those of `options["reset_mask"]`, a bool array of `[num_envs]`.

        Without a seed it is the next one of the seed in use.
        """
        self._open()
        mask = self._mask(options)
        seeds = self._seeds_of(seed, mask)
        seen, infos = self._clusters.reset(seeds, mask, self._masks, self._out)
        self._ended = self._ended & ~mask
        self._begun = True
        self._plain = not (self._same_step or self._disabled or self._past) and self._out is None
        if self._past:
            self._past.begin(np.flatnonzero(mask), infos["avg_load"])
        return self._seen(seen), infos

    def _mask(self, options: dict[str, Any] | None) -> NDArray[np.bool_]:
        options = options or {}
        unknown = sorted(set(options) - {"reset_mask"})
        if unknown:
            raise ValueError(f"options {unknown}: there is but reset_mask; settings are keywords of make_vec()")
        if "reset_mask" not in options:
            return self._all
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"reset_mask is a {type(mask).__name__}: a numpy array of bool is needed")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask has the shape {mask.shape}: ({self.num_envs},) is needed")
        if not mask.any():
            raise ValueError("reset_mask marks no lane: at least one is needed")
        if not self._begun and not mask.all():
            raise ResetNeeded("no episode has begun: the first reset must be of all lanes")
        return mask

    def _seeds_of(self, seed: int | Sequence[int | None] | None, mask: NDArray[np.bool_]) -> list[int] | None:
        if seed is None:
            if self._seeds is not None and self._begun:
                return None
            seeds = list(self.np_random_seed)
        elif not isinstance(seed, (Sequence, np.ndarray)) or np.ndim(cast(Any, seed)) == 0:
            seeds = Clusters.lane_seeds(whole_seed(cast(int, seed)), self.num_envs)
        else:
            if len(seed) != self.num_envs:
                raise ValueError(f"{len(seed)} seeds for {self.num_envs} environments: one for each is needed")
            if any(one is None for one in seed):
                drawn = self._drawn()
                seeds = [drawn[i] if one is None else whole_seed(one) for i, one in enumerate(seed)]
            else:
                seeds = [whole_seed(one) for one in seed if one is not None]
        before = self._seeds or seeds
        self._seeds = tuple(new if marked else old for new, old, marked in zip(seeds, before, mask, strict=True))
        return seeds

    def step(self, actions: ArrayLike) -> Stepped:
        """One step of every lane.

        Raises ValueError or TypeError for what are no actions, ResetNeeded where there is no episode to go on with;
        no lane has moved then.
        """
        # The usual case first: of a small vector it is a good part of the time.
        if self._plain and type(actions) is np.ndarray and actions.dtype is INT64 and actions.ndim == 1:
            return self._clusters.step(actions, False, self._masks, None)  # type: ignore[no-any-return]
        if not self._begun or self.closed:
            self._open()
            raise ResetNeeded("no episode has begun: call reset() first")
        if self._disabled and self._ended.any():
            lanes = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(f"the episodes of lanes {lanes} are over: reset them first, by options['reset_mask']")
        if type(actions) is not np.ndarray or actions.dtype != np.int64 or actions.ndim != 1:
            actions = self._whole(actions)
        if self._same_step:
            return self._step_and_reset(actions)
        seen, rewards, terminated, truncated, infos = self._clusters.step(actions, False, self._masks, self._out)
        if self._past:
            self._past.step(infos["avg_load"], terminated, truncated)
            # Those that had ended began anew in this step.
            self._past.begin(np.flatnonzero(self._ended), infos["avg_load"])
        if self._disabled or self._past:
            self._ended = terminated | truncated
        return self._seen(seen), rewards, terminated, truncated, infos

    def _step_and_reset(self, actions: NDArray[np.int64]) -> Stepped:
        seen, rewards, terminated, truncated, infos, last = self._clusters.step(
            actions, True, self._masks, self._out
        )
        if self._past:
            self._past.step(infos["avg_load"], terminated, truncated)
            self._past.begin(np.flatnonzero(terminated | truncated), infos["avg_load"])
        if last is not None:
            lanes, observations, final = last
            marked = np.zeros(self.num_envs, np.bool_)
            marked[lanes] = True
            final_obs = np.full(self.num_envs, None, object)
            for lane, observation in zip(lanes, observations, strict=True):
                final_obs[lane] = observation.copy()
            final_info: dict[str, Any] = {}
            for key, values in final.items():
                final_info[key] = np.zeros(self.num_envs, values.dtype)
                final_info[key][lanes] = values
                final_info[f"_{key}"] = marked.copy()
            infos.update(final_obs=final_obs, _final_obs=marked, final_info=final_info, _final_info=marked.copy())
        return self._seen(seen), rewards, terminated, truncated, infos

    def _whole(self, actions: ArrayLike) -> NDArray[np.int64]:
        array = np.asarray(actions)
        if array.shape == (self.num_envs, 1):
            array = array[:, 0]
        if array.shape != (self.num_envs,):
            raise ValueError(f"actions have the shape {array.shape}: ({self.num_envs},) is needed")
        if array.dtype.kind not in "iu":
            raise TypeError(f"actions are of the type {array.dtype}: whole numbers are needed")
        if array.dtype.kind == "u" and (array >= ACTIONS).any():
            lane = int(np.flatnonzero(array >= ACTIONS)[0])
            raise ValueError(f"action {array[lane]} of lane {lane}: allowed are 0 to {ACTIONS - 1}")
        return array.astype(np.int64)

    def _seen(self, seen: Observations | None) -> Observations:
        if seen is not None:
            return seen
        assert self._out is not None
        return self._out

    def close_extras(self, **kwargs: Any) -> None:
        """No step and no reset after it."""
        self._plain = False

    def _open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the vector is closed")

    def render(self) -> tuple[Any, ...] | None:
        """Each cluster in words with `render_mode="ansi"`, as a picture `[height, width, 3]` uint8 with `"rgb_array"`."""
        if self.render_mode is None:
            return None
        if self._past:
            return tuple(self._clusters.picture_of(lane, *self._past.of(lane)) for lane in range(self.num_envs))
        grid = self._clusters.grid
        return tuple(text(self._clusters.state_of(lane), grid) for lane in range(self.num_envs))

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What the attribute or method `name` of the vector gives, once for each lane where it is no tuple of them."""
        value = getattr(self, name)
        value = value(*args, **kwargs) if callable(value) else value
        whole = isinstance(value, tuple) and len(value) == self.num_envs
        return value if whole else (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """As `call`."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """There is nothing that could be set: settings are keywords of make_vec()."""
        raise AttributeError(f"{name} cannot be set: settings are keywords of make_vec()")

    @property
    def settings(self) -> str:
        """All settings, as TOML."""
        return self._clusters.settings()

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in self.__dict__.items() if name != "_clusters"}
        return {**own, "_saved": self._clusters.save()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved")
        self.__dict__.update(state)
        self._clusters = Clusters(*self._made_of)
        self._clusters.restore(saved, self._out)


def whole_number(name: str, value: SupportsIndex) -> int:
    """The keyword `name` as an int of Python."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} {value!r}: allowed are whole numbers") from None


def thread_count(threads: SupportsIndex | None) -> int:
    """The keyword `threads`: as many as this process may use if nobody says."""
    count = min(len(os.sched_getaffinity(0)), 1024) if threads is None else whole_number("threads", threads)
    if not 1 <= count <= 1024:
        raise ValueError(f"threads {count}: allowed are whole numbers from 1 to 1024")
    return count


def masks(all_lanes: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_] | None]:
    """The masks of infos that every lane has, in one array that nobody can write, behind places for the infos."""
    full = all_lanes.copy()
    full.flags.writeable = False
    keys = ("avg_load", "oom_nodes", "critical_oom", "budget")
    return {**dict.fromkeys(keys), **{f"_{key}": full for key in keys}}
