"""One cluster as a gymnasium.Env."""

import copy
import operator
import os
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from resonetics._native import Cluster
from resonetics.render import Past, checked_mode
from resonetics.spaces import ACTIONS, LAST_SEED, PRESETS, action_space, observation_space

Observation = NDArray[np.float32]


class K8sSmartTensor(gymnasium.Env[Observation, SupportsIndex]):
    """A cluster whose memory leaks for ever: 30 numbers of 0 to 1 observed, 6 actions (RULES section 1).

    `rules` is `"k8s"` (v4.5) or `"k8s-v4.6"`, `preset` is `"calm"`, `"reference"` or `"storm"`; every other keyword is a
    setting, such as `max_steps=2000` or `drift={"schedule": "ramp"}`. The time limit is the setting `max_steps`.

    `reset(seed=S)` begins the episode that every other way into this world begins with S; `reset()` the next one of
    that seed, or of a seed drawn from the system where there is none yet (`np_random_seed` has it).
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}

    def __init__(
        self, rules: str = "k8s", preset: str = "reference", render_mode: str | None = None, **settings: Any
    ) -> None:
        if "frameskip" in settings:
            # TorchRL tries it on every environment, and leaves it out where it is refused in Python's own words.
            raise TypeError("K8sSmartTensor.__init__() got an unexpected keyword argument 'frameskip'")
        self.render_mode = checked_mode(render_mode, self.metadata["render_modes"])
        # Only pictures ask for it.
        self._past = Past(1) if render_mode == "rgb_array" else None
        self.observation_space = observation_space()
        self.action_space = action_space()
        named(rules, preset)
        self._cluster = Cluster(rules, preset, settings)
        # Of its own: the caller's may change.
        self._made_of = (rules, preset, copy.deepcopy(settings))
        self._seeded = False
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode. There are no options."""
        if options:
            raise ValueError(f"options {sorted(options)}: there are none; settings are keywords of make()")
        if seed is not None:
            seed = whole_seed(seed)
        elif not self._seeded:
            seed = drawn_seed()
        super().reset(seed=seed)
        self._seeded = True
        observation, info = self._cluster.reset(seed)
        self._over = False
        if self._past:
            self._past.begin(np.zeros(1, np.intp), np.array([info["avg_load"]]))
        return observation, info

    def step(self, action: SupportsIndex) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One step. Raises ResetNeeded after the end of an episode, ValueError or TypeError for what is no action."""
        if self._over:
            raise ResetNeeded("the episode is over, or none has begun: call reset() first")
        stepped = self._cluster.step(whole_action(action))
        self._over = stepped[2] or stepped[3]
        if self._past:
            _, _, terminated, truncated, info = stepped
            self._past.step([info["avg_load"]], np.array([terminated]), np.array([truncated]))
        return stepped

    def render(self) -> str | NDArray[np.uint8] | None:
        """The grid in words with `render_mode="ansi"`: a node is its memory in hundredths, the agent's in brackets. With `"rgb_array"`
        a picture, `[height, width, 3]` uint8, with the load's curve below it.
        """
        if self._past:
            return self._cluster.picture(*self._past.of(0))
        if self.render_mode is None:
            return None
        return text(self._cluster.state(), self._cluster.grid)

    @property
    def settings(self) -> str:
        """All settings, as TOML."""
        return self._cluster.settings()

    def state(self) -> dict[str, Any]:
        """Cpu, memory and priority of every node, float32, where the agent stands (row, column), and the budget."""
        return self._cluster.state()

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in self.__dict__.items() if name != "_cluster"}
        return {**own, "_saved": self._cluster.save()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved")
        self.__dict__.update(state)
        self._cluster = Cluster(*self._made_of)
        self._cluster.restore(saved)


def whole_seed(seed: SupportsIndex) -> int:
    """A seed as an int of Python."""
    try:
        whole = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed {seed!r}: allowed are whole numbers") from None
    if not 0 <= whole <= LAST_SEED:
        raise ValueError(f"seed {whole}: allowed are whole numbers from 0 to {LAST_SEED}")
    return whole


def drawn_seed() -> int:
    """A seed from the system, one that a float holds too."""
    return int.from_bytes(os.urandom(8), "little") >> 11


def named(rules: str, preset: str) -> None:
    """Refuses what are no names; whether there is one the worlds know."""
    if not isinstance(rules, str):
        raise ValueError(f"rules {rules!r}: allowed are 'k8s' and 'k8s-v4.6'")
    if not isinstance(preset, str):
        raise ValueError(f"preset {preset!r}: allowed are {', '.join(PRESETS)}")


def whole_action(action: SupportsIndex) -> int:
    """An action as an int of Python."""
    try:
        whole = operator.index(action)
    except TypeError:
        raise TypeError(f"action {action!r}: allowed are whole numbers") from None
    if not 0 <= whole < ACTIONS:
        raise ValueError(f"action {whole}: allowed are 0 to {ACTIONS - 1}")
    return whole


def text(state: dict[str, Any], grid: tuple[int, int]) -> str:
    """A cluster in words."""
    width, (row, column) = grid[1], state["agent"]
    rows = []
    for first in range(0, len(state["memory"]), width):
        cells = []
        for place, memory in enumerate(state["memory"][first : first + width]):
            here = (first // width, place) == (row, column)
            cells.append(f"[{100 * memory:3.0f}]" if here else f" {100 * memory:3.0f} ")
        rows.append("".join(cells))
    return "\n".join([*rows, f"budget {state['budget']:.1f}"])
