"""Worlds that drift toward collapse, for Gymnasium, at the speed of Rust.

`import resonetics` registers them::

    gymnasium.make("resonetics/K8sSmartTensor-v0")                    # rules v4.5; -v1 has rules v4.6
    gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=4096)  # all of them stepped in Rust

`resonetics.train`, `evaluate`, `compare`, `limit` and `analyze` make runs as the program `resonetics` does, and
`load_policy` acts as what was trained.

Settings are keywords with the names that `resonetics list --env k8s` prints, such as `mem_drift_mu=0.02`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

from resonetics._native import __version__

if TYPE_CHECKING:
    from resonetics.datasets import minari_export
    from resonetics.gardens import GardenVector
    from resonetics.parallel import GardenerParallel
    from resonetics.policy import Policy, load_policy
    from resonetics.runs import analyze, compare, evaluate, limit, resume, sweep, train
    from resonetics.simulation import GardenSimulation
    from resonetics.single import K8sSmartTensor
    from resonetics.vector import K8sSmartTensorVector

__all__ = [
    "__version__",
    "GardenSimulation",
    "GardenVector",
    "K8sSmartTensor",
    "K8sSmartTensorVector",
    "Policy",
    "analyze",
    "compare",
    "evaluate",
    "limit",
    "load_policy",
    "minari_export",
    "parallel_env",
    "resume",
    "sweep",
    "train",
]

for _version, _rules in [("v0", "k8s"), ("v1", "k8s-v4.6")]:
    gymnasium.register(
        id=f"resonetics/K8sSmartTensor-{_version}",
        # Names, not classes: a spec travels to other processes and into files.
        entry_point="resonetics.single:K8sSmartTensor",
        vector_entry_point="resonetics.vector:K8sSmartTensorVector",
        kwargs={"rules": _rules},
    )

# Imported when they are asked for: whoever wants a world waits for nothing else.
_HOMES = {
    "GardenSimulation": "simulation",
    "GardenVector": "gardens",
    "K8sSmartTensor": "single",
    "K8sSmartTensorVector": "vector",
    "Policy": "policy",
    "load_policy": "policy",
    "minari_export": "datasets",
    **dict.fromkeys(["analyze", "compare", "evaluate", "limit", "resume", "sweep", "train"], "runs"),
}


def parallel_env(world: str = "gardener", **config: Any) -> "GardenerParallel":
    """The garden for PettingZoo, which has to be installed: `pip install pettingzoo`."""
    if world != "gardener":
        raise ValueError(f"world {world!r}: allowed is 'gardener'")
    from resonetics.datasets import minari_export
    from resonetics.gardens import GardenVector
    from resonetics.parallel import GardenerParallel

    return GardenerParallel(**config)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'resonetics' has no attribute {name!r}")
    return getattr(import_module(f"resonetics.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
