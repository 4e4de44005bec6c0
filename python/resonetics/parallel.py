"""The garden as a pettingzoo.ParallelEnv."""

import copy
import operator
from typing import Any, SupportsIndex

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from resonetics._native import Garden
from resonetics.gardens import ACTIONS
from resonetics.render import Past, checked_mode
from resonetics.single import drawn_seed, named, whole_seed

Observation = NDArray[np.float32]
Observations = dict[str, Observation]
Infos = dict[str, dict[str, Any]]


class GardenerParallel(ParallelEnv[str, Observation, int]):
    """A garden on which dirt grows, and gardeners who are born and die (RULES section 2).

    An agent is a gardener: `gardener_0` and on, in the order of their births, and a name is never used again in an
    episode. `born` is how many there can be: an episode in which more are born is truncated. A newborn is in every dict of
    the step of its birth (reward 0), one that dies in every dict of the step of its death (its observation is 0
    then), and in none after it. `infos[agent]["action_mask"]` says which actions count: of a gardener in an emergency none
    does. The garden's last generation, by the names of `resonetics_data.csv`, is in `generation`.

    `preset` is `"calm"`, `"reference"` or `"storm"`; every other keyword is a setting, such as `dirt_growth=0.01`.
    """

    metadata = {
        "name": "resonetics_gardener_v0",
        "render_modes": ["rgb_array"],
        "render_fps": 10,
        "is_parallelizable": True,
    }

    def __init__(
        self, preset: str = "reference", render_mode: str | None = None, born: int = 10_000, **settings: Any
    ) -> None:
        self.render_mode = checked_mode(render_mode, ["rgb_array"])
        self._past = Past(1) if render_mode else None
        named("gardener", preset)
        self._garden = Garden("gardener", preset, settings)
        # Of its own: the caller's may change.
        self._made_of = ("gardener", preset, copy.deepcopy(settings))
        rows, side, _ = self._garden.sizes
        if operator.index(born) < rows:
            raise ValueError(f"born {born}: allowed are whole numbers from {rows} on, the most gardeners at a time")
        self.possible_agents = [f"gardener_{number}" for number in range(born)]
        self.agents: list[str] = []
        high = self._garden.high()
        # One object for all of this garden's agents, and none that another garden has.
        self._observation_space = Box(np.zeros_like(high), high, dtype=np.float32)
        self._action_space: Discrete[np.int64] = Discrete(ACTIONS)
        most = np.ones((2, side, side), np.float32)
        most[1] = rows
        self.state_space = Box(np.zeros_like(most), most, dtype=np.float32)
        self.generation: dict[str, Any] = {}
        self._slots: dict[str, int] = {}
        self._seeded = False

    @property
    def observation_spaces(self) -> dict[str, Box]:
        """That of each agent that can be: the same object."""
        return dict.fromkeys(self.possible_agents, self._observation_space)

    @property
    def action_spaces(self) -> "dict[str, Discrete[np.int64]]":
        """That of each agent that can be: the same object, so that its seed is that of all."""
        return dict.fromkeys(self.possible_agents, self._action_space)

    def observation_space(self, agent: str) -> Box:
        """What a gardener sees: the cells around it, row by row, and five numbers (RULES section 2.4), float32."""
        return self._observation_space

    def action_space(self, agent: str) -> "Discrete[np.int64]":
        """North, south, west, east, clean, wait."""
        return self._action_space

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, Infos]:
        """Begins an episode: that of `seed`, the next one of the seed in use, or one of a seed drawn from the system.

        There are no options: PettingZoo's own tests pass some, so they are not refused.
        """
        if seed is not None:
            seed = whole_seed(seed)
        elif not self._seeded:
            seed = drawn_seed()
        self._seeded = True
        shown = self._garden.reset(seed)
        self.agents, self._slots = [], {}
        self._born(shown["ids"])
        self.generation = shown["generation"]
        if self._past:
            self._past.begin(np.zeros(1, np.intp), np.array([self.grid.mean()]))
        return self._observations(shown), self._infos(shown)

    def step(
        self, actions: dict[str, SupportsIndex]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """A generation. Raises ValueError or TypeError for what are no actions, ResetNeeded for actions without an episode;
        nothing has changed then.
        """
        if not self._slots:
            if actions:
                raise ResetNeeded("the episode is over, or none has begun: call reset() first")
            # As PettingZoo's wrappers ask for it.
            return {}, {}, {}, {}, {}
        shown = self._garden.step(self._rows(actions))
        self.generation = shown["generation"]
        before, died = self._slots, shown["died"]
        dead = {agent for agent, slot in before.items() if died[slot]}
        rewards = {agent: float(shown["rewards"][slot]) for agent, slot in before.items()}
        self._slots = {agent: slot for agent, slot in before.items() if agent not in dead}
        newborn, full = self._born(shown["ids"])
        rewards.update(dict.fromkeys(newborn, 0.0))
        observations, infos = self._observations(shown), self._infos(shown)
        for agent in dead:
            observations[agent] = np.zeros_like(self._observation_space.high)
            infos[agent] = {"action_mask": np.zeros(ACTIONS, np.int8)}
        terminated, truncated = shown["terminated"], shown["truncated"] or full
        if self._past:
            self._past.step([self.grid.mean()], np.array([terminated]), np.array([truncated]))
        terminations = {agent: terminated or agent in dead for agent in rewards}
        truncations = {agent: truncated for agent in rewards}
        if terminated or truncated:
            self.agents, self._slots = [], {}
        return observations, rewards, terminations, truncations, infos

    def _born(self, ids: NDArray[np.int64]) -> tuple[list[str], bool]:
        """Takes in who lives now and did not; yields them, and whether there were more than have a name."""
        newborn, full = [], False
        for slot in np.flatnonzero(ids >= 0).tolist():
            number = int(ids[slot])
            if number >= len(self.possible_agents):
                full = True
                continue
            agent = self.possible_agents[number]
            if self._slots.get(agent) is None:
                self._slots[agent] = slot
                newborn.append(agent)
        self.agents = sorted(self._slots, key=lambda agent: int(agent.rpartition("_")[2]))
        return newborn, full

    def _rows(self, actions: dict[str, SupportsIndex]) -> NDArray[np.int64]:
        unknown = [agent for agent in actions if agent not in self._slots]
        missing = [agent for agent in self._slots if agent not in actions]
        if unknown or missing:
            words = [f"{agent} does not live" for agent in unknown[:3]] + [f"{agent} has none" for agent in missing[:3]]
            raise ValueError(f"actions: {', '.join(words)}: one for each living agent is needed")
        rows = np.zeros(self._garden.sizes[0], np.int64)
        for agent, action in actions.items():
            try:
                whole = operator.index(action)
            except TypeError:
                raise TypeError(f"action {action!r} of {agent}: allowed are whole numbers") from None
            if not 0 <= whole < ACTIONS:
                raise ValueError(f"action {whole} of {agent}: allowed are 0 to {ACTIONS - 1}")
            rows[self._slots[agent]] = whole
        return rows

    def _observations(self, shown: dict[str, Any]) -> Observations:
        return {agent: shown["observations"][slot].copy() for agent, slot in self._slots.items()}

    def _infos(self, shown: dict[str, Any]) -> Infos:
        masks = shown["action_mask"].astype(np.int8)
        return {agent: {"action_mask": masks[slot].copy()} for agent, slot in self._slots.items()}

    def state(self) -> Observation:
        """`[2, side, side]`: the dirt of each cell, and how many gardeners stand on it."""
        grid = self._garden.grid()
        standing = np.zeros_like(grid)
        for gardener in self._garden.gardeners():
            standing[gardener["row"], gardener["column"]] += 1.0
        return np.stack([grid, standing])

    @property
    def grid(self) -> Observation:
        """The dirt of each cell, `[side, side]`, 0 to 1."""
        return self._garden.grid()

    @property
    def gardeners(self) -> list[dict[str, Any]]:
        """Who lives: id, row, column, energy, age."""
        return self._garden.gardeners()

    @property
    def settings(self) -> str:
        """All settings, as TOML."""
        return self._garden.settings()

    def render(self) -> NDArray[np.uint8] | None:
        """A picture with `render_mode="rgb_array"`, `[height, width, 3]` uint8: dirt, gardeners, and the curve of the mean dirt."""
        if not self._past:
            return None
        return self._garden.picture(*self._past.of(0))

    def close(self) -> None:
        """There is nothing to close."""

    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in self.__dict__.items() if name != "_garden"}
        return {**own, "_saved": self._garden.save()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_saved")
        self.__dict__.update(state)
        self._garden = Garden(*self._made_of)
        self._garden.restore(saved)
