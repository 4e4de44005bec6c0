"""What a cluster's agent sees and does."""

from typing import cast

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from numpy.typing import NDArray

OBSERVATION = 30
ACTIONS = 6
LAST_SEED = 2**63 - 1
PRESETS = ("calm", "reference", "storm")


def observation_space() -> Space[NDArray[np.float32]]:
    """Numbers of 0 to 1, float32: cpu, memory and priority of nine nodes, row, column, budget (RULES section 1)."""
    # A Box does not say of what type its numbers are.
    return cast("Space[NDArray[np.float32]]", Box(0.0, 1.0, (OBSERVATION,), np.float32))


def action_space() -> "Discrete[np.int64]":
    """North, south, west, east, clean, scale."""
    return Discrete(ACTIONS)
