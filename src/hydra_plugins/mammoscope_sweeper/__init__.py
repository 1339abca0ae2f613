"""Hydra finds sweepers in this namespace only, and imports it at every start: nothing heavy, and no logic, here."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class MammoscopeSweeper(Sweeper):
    """The sweeper of `search=`: mammoscope.jobs.sweep, with what only compose.py knows."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from mammoscope.compose import composer
        from mammoscope.jobs.sweep import Sweep

        self._sweep = Sweep(hydra_context, config, composer())

    def sweep(self, arguments: list[str]) -> Any:
        return self._sweep.run(arguments)
