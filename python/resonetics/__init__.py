"""Worlds that drift toward collapse, for Gymnasium, at the speed of Rust.

`import resonetics` registers them::

    gymnasium.make("resonetics/K8sSmartTensor-v0")                    # rules v4.5; -v1 has rules v4.6
    gymnasium.make_vec("resonetics/K8sSmartTensor-v0", num_envs=4096)  # all of them stepped in Rust

Settings are keywords with the names that `resonetics list --env k8s` prints, such as `mem_drift_mu=0.02`.
"""

from typing import TYPE_CHECKING, Any

import gymnasium

from resonetics._native import __version__

if TYPE_CHECKING:
    from resonetics.parallel import GardenerParallel

__all__ = ["__version__", "K8sSmartTensor", "K8sSmartTensorVector", "parallel_env"]

for _version, _rules in [("v0", "k8s"), ("v1", "k8s-v4.6")]:
    gymnasium.register(
        id=f"resonetics/K8sSmartTensor-{_version}",
        # Names, not classes: a spec travels to other processes and into files.
        entry_point="resonetics.single:K8sSmartTensor",
        vector_entry_point="resonetics.vector:K8sSmartTensorVector",
        kwargs={"rules": _rules},
    )


def parallel_env(world: str = "gardener", **config: Any) -> "GardenerParallel":
    """The garden for PettingZoo, which has to be installed: `pip install pettingzoo`."""
    if world != "gardener":
        raise ValueError(f"world {world!r}: allowed is 'gardener'")
    from resonetics.parallel import GardenerParallel

    return GardenerParallel(**config)


def __getattr__(name: str) -> type:
    if name == "K8sSmartTensor":
        from resonetics.single import K8sSmartTensor

        return K8sSmartTensor
    if name == "K8sSmartTensorVector":
        from resonetics.vector import K8sSmartTensorVector

        return K8sSmartTensorVector
    raise AttributeError(f"module 'resonetics' has no attribute {name!r}")
