"""The vector of clusters for Stable-Baselines3, which has to be installed: `pip install stable-baselines3`."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv as BaseVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from resonetics.vector import K8sSmartTensorVector

__all__ = ["VecEnv"]


class VecEnv(BaseVecEnv):
    """`num_envs` clusters as Stable-Baselines3 wants them: `PPO("MlpPolicy", VecEnv(64, mem_drift_mu=0.02))`.

    Every keyword is one of `K8sSmartTensorVector`. Episodes begin anew in the step that ends them; the last observation is in
    `infos[i]["terminal_observation"]`, and `infos[i]["TimeLimit.truncated"]` says whether the limit cut it. Wrap it in
    `VecMonitor` for returns and lengths.
    """

    def __init__(self, num_envs: int = 1, **config: Any) -> None:
        if "autoreset_mode" in config or not config.get("copy", True):
            raise ValueError("Stable-Baselines3 needs autoreset_mode SameStep and copies: leave both out")
        self.clusters = K8sSmartTensorVector(num_envs, autoreset_mode=AutoresetMode.SAME_STEP, **config)
        self._actions: NDArray[np.int64] = np.zeros(num_envs, np.int64)
        super().__init__(
            num_envs, self.clusters.single_observation_space, self.clusters.single_action_space
        )

    @property
    def render_mode(self) -> str | None:
        return self.clusters.render_mode

    @render_mode.setter
    def render_mode(self, mode: str | None) -> None:
        """As it was made."""

    def reset(self) -> NDArray[np.float32]:
        """Begins an episode in every lane, with the seeds of `seed()` if there are any."""
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        observations, infos = self.clusters.reset(seed=seeds, options=self._options[0] or None)
        self.reset_infos = self._lists(infos)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keeps the actions of the step."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Takes it."""
        observations, rewards, terminated, truncated, infos = self.clusters.step(self._actions)
        lists = self._lists(infos)
        if "final_obs" in infos:
            final = infos["final_info"]
            for lane in np.flatnonzero(infos["_final_obs"]).tolist():
                lists[lane] = {key: values[lane] for key, values in final.items() if not key.startswith("_")}
                lists[lane]["terminal_observation"] = infos["final_obs"][lane]
                lists[lane]["TimeLimit.truncated"] = bool(truncated[lane] and not terminated[lane])
        return observations, rewards.astype(np.float32), terminated | truncated, lists

    def _lists(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        keys = [key for key in infos if "final" not in key and not key.startswith("_")]
        columns = [infos[key].tolist() for key in keys]
        return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]

    def close(self) -> None:
        """No step and no reset after it."""
        self.clusters.close()

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """An attribute of the vector, once for each lane asked for."""
        return [getattr(self.clusters, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """There is nothing that could be set."""
        self.clusters.set_attr(attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: int | Iterable[int] | None = None, **kwargs: Any
    ) -> list[Any]:
        """What a method of the vector gives, for each lane asked for."""
        found = self.clusters.call(method_name, *args, **kwargs)
        return [found[lane] for lane in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: int | Iterable[int] | None = None) -> list[bool]:
        """None is."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """A picture of each lane with `render_mode="rgb_array"`."""
        pictures = self.clusters.render() if self.render_mode == "rgb_array" else None
        return [None] * self.num_envs if pictures is None else list(pictures)
