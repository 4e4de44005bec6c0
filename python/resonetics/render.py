"""What pictures show of the past: the curve below the grid, and how an episode ended."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Past:
    """The episodes of lanes so far."""

    def __init__(self, lanes: int) -> None:
        self.values: list[list[float]] = [[] for _ in range(lanes)]
        self.ended: list[tuple[bool, bool] | None] = [None] * lanes

    def begin(self, lanes: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        """Episodes begin in these lanes; `values` are those of all."""
        for lane in lanes.tolist():
            self.values[lane] = [float(values[lane])]
            self.ended[lane] = None

    def step(self, values: Any, terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> None:
        """All lanes took a step."""
        for lane, past in enumerate(self.values):
            past.append(float(values[lane]))
            if terminated[lane] or truncated[lane]:
                self.ended[lane] = (bool(terminated[lane]), bool(truncated[lane]))

    def of(self, lane: int) -> tuple[tuple[bool, bool] | None, list[float]]:
        """End and values of a lane's episode."""
        return self.ended[lane], self.values[lane]


def checked_mode(render_mode: str | None, modes: list[str]) -> str | None:
    """The keyword `render_mode`."""
    if render_mode is not None and render_mode not in modes:
        raise ValueError(f"render_mode {render_mode!r}: allowed are None and {modes}")
    return render_mode
