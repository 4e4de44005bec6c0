"""A garden whose gardeners act by themselves, generation by generation."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resonetics._native import Simulation
from resonetics.single import drawn_seed, named, whole_seed
from resonetics.vector import whole_number

if TYPE_CHECKING:
    import pandas


class GardenSimulation:
    """What `resonetics gardener --seed S` simulates: a garden with gardeners of `agent`, such as `"evolved"`, `"patrol"` or `"prophet:RUN"`.

    It goes on after the garden is lost, as the program's log does; `lost` says whether it is. Other keywords are settings.
    """

    def __init__(
        self,
        agent: str = "evolved",
        seed: int | None = None,
        preset: str = "reference",
        config: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> None:
        named("gardener", preset)
        self.seed = drawn_seed() >> 21 if seed is None else whole_seed(seed)
        world = {"env": "gardener", "preset": preset, "config": config, "settings": settings}
        self._simulation = Simulation(world, agent, self.seed)
        self.rows: list[dict[str, Any]] = []
        grid = self.grid
        self._cells = grid.size
        self._dirt = [float(grid.mean())]

    def step(self, generations: int = 1) -> dict[str, Any]:
        """Goes on for so many generations; yields the row of the last by the names of `resonetics_data.csv`, with all digits."""
        count = whole_number("generations", generations)
        if count < 1:
            raise ValueError(f"generations {generations}: allowed are whole numbers from 1 on")
        for _ in range(count):
            self.rows.append(self._simulation.step())
            self._dirt.append(float(self.rows[-1]["Total_Entropy"]) / self._cells)
        return self.rows[-1]

    @property
    def lost(self) -> bool:
        """Whether the garden is lost."""
        return self._simulation.lost()

    @property
    def grid(self) -> NDArray[np.float32]:
        """The dirt of each cell, `[side, side]`, 0 to 1."""
        return self._simulation.grid()

    @property
    def gardeners(self) -> list[dict[str, Any]]:
        """Who lives: id, row, column, energy, age."""
        return self._simulation.gardeners()

    def log(self) -> "pandas.DataFrame":
        """All generations so far, a row each."""
        try:
            import pandas
        except ImportError:
            raise ImportError("log() makes a DataFrame: pip install pandas, or take rows") from None
        return pandas.DataFrame(self.rows)

    def render(self) -> NDArray[np.uint8]:
        """A picture, `[height, width, 3]` uint8."""
        return self._simulation.picture(self._dirt)

    @property
    def settings(self) -> str:
        """All settings, as TOML."""
        return self._simulation.settings()
