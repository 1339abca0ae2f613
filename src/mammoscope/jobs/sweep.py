"""`python train.py -m search=...`: Hydra's side of a search.

Hydra's launcher starts workers in place of jobs, and each pulls its next trial when it is free. A worker composes a
trial as Hydra would compose a job of a multirun, and runs it in its own process.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mammoscope.config import SearchConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.composing import Composer, Compositions
from mammoscope.jobs.search_plan import build_plan, configure_function
from mammoscope.jobs.space import Asked, as_arguments, asked_for, build_parser, parse_with
from mammoscope.processes import leave_joblibs_start_method
from mammoscope.refusals import explain, groups
from mammoscope.search.drawing import draw_next
from mammoscope.search.owners import is_gone, this_process
from mammoscope.search.plan import Plan
from mammoscope.search.search import Search
from mammoscope.search.storage import open_storage
from mammoscope.vocabulary import Register

WORKER_FOLDER = "workers"
OUTLIVING = ("slurm", "ray")  # launchers whose workers are the cluster's, and go on when the command has gone


@dataclass(frozen=True, slots=True)
class Setting:
    """A search as every process that takes part in it understands it, from the same command."""

    search: SearchConfig
    plan: Plan
    asked: Asked
    base: TrainConfig  # what all trials have in common
    folder: Path  # Hydra's, with one below it for each trial
    registers: bool  # the winner

    def open(self, *, begin: bool = True) -> Search:
        """begin: as Search takes it."""
        return Search(self.plan, open_storage(self.search.storage), self.asked.fixed, begin=begin)


@final
class Sweep:
    """Of one command. What the launcher is handed goes to other processes; this does not."""

    def __init__(self, hydra_context: HydraContext, config: DictConfig, composer: Composer):
        self._context, self._config, self._composer = hydra_context, config, composer

    def run(self, arguments: list[str]) -> None:
        compositions = Compositions(self._context, self._config, self._composer)
        setting = understood(self._context, self._config, self._composer, compositions, arguments)
        _try_one(compositions, setting)
        if setting.search.dry_run:
            from mammoscope.jobs.search_words import explain_search

            explain_search(setting.open(begin=False), setting.search)
            return
        if "Slurm" in str(self._config.hydra.launcher._target_) and shutil.which("srun") is None:
            raise MammoscopeError(
                "hydra/launcher=submitit_slurm: no srun is on this machine's PATH; allowed: on a cluster's login node, "
                "or hydra/launcher=joblib or submitit_local here"
            )

        from mammoscope.jobs.searching import conduct  # late: what is refused above needs neither MLflow nor torch

        def work(workers: int) -> None:
            self._launch(setting, arguments, workers)

        conduct(setting, self._composer, work)

    def _launch(self, setting: Setting, arguments: list[str], workers: int) -> None:
        """Blocks until all of them have nothing left to do."""
        config = self._config.copy()
        with open_dict(config):
            config.hydra.sweep.dir = str(setting.folder)
            if "joblib" in str(config.hydra.launcher._target_):
                config.hydra.launcher.n_jobs = workers
        worker = Worker(self._context, config, self._composer, arguments)
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=worker, config=config
        )
        jobs = [
            [
                *as_arguments(setting.asked.fixed),
                f"hydra.sweep.dir='{setting.folder}'",
                f"hydra.sweep.subdir={WORKER_FOLDER}/{os.getpid()}-{number}",
                "hydra.output_subdir=null",
            ]
            for number in range(workers)
        ]
        for job in launcher.launch(jobs, initial_job_idx=0):
            job.return_value  # noqa: B018  raises what ended the worker


def understood(
    context: HydraContext, config: DictConfig, composer: Composer, compositions: Compositions, arguments: list[str]
) -> Setting:
    """Raises MammoscopeError for all that keeps the search from beginning."""
    try:
        search = OmegaConf.to_object(config.search)
    except OmegaConfBaseException as error:
        raise MammoscopeError(explain(error)) from error
    assert isinstance(search, SearchConfig), "the sweeper is chosen by search="
    if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1:
        raise MammoscopeError("search= under torchrun: its processes would each search; allowed: python train.py -m")
    parser = build_parser(context.config_loader)
    asked = asked_for(arguments, search.space, parser)
    asked = replace(asked, fixed={"search": search.option, **{k: v for k, v in asked.fixed.items() if k != "search"}})
    configure = configure_function(search.configure, composer.home())
    parse = parse_with(parser)
    base = _base(compositions, asked)
    plan = build_plan(base, search, asked.space, parse, configure)
    folder = Path(base.tracking.home).expanduser().resolve() / "searches" / plan.name
    registers = str(OmegaConf.select(config, "tracking.register")) != str(Register.never)
    return Setting(search, plan, asked, base, folder, registers)


def _base(compositions: Compositions, asked: Asked) -> TrainConfig:
    """What trials have in common; where that is not enough of a config, with the first of each choice."""
    try:
        return compositions.trial(asked.fixed)[0]
    except (MammoscopeError, OmegaConfBaseException):
        first = {key: options[0] for key, range_ in asked.space.items() if (options := getattr(range_, "options", ()))}
        known = {key: text for key, text in first.items() if key in groups() or "." in key}
        return compositions.trial({**asked.fixed, **known})[0]


def _try_one(compositions: Compositions, setting: Setting) -> None:
    """Composes what would be trial 0, so that a key that does not exist is told before anything begins."""
    drawn = draw_next(setting.plan, setting.asked.fixed, [])
    assert drawn is not None, "an empty search has a first point"
    try:
        compositions.trial({**setting.asked.fixed, **drawn.overrides})
    except MammoscopeError as error:
        if "there is no such" in str(error):
            raise


@final
class Worker:
    """What a launcher runs as if it were a job. Pulls trials until there are none for it."""

    def __init__(self, context: HydraContext, config: DictConfig, composer: Composer, arguments: list[str]):
        self._context, self._config, self._composer = context, config, composer
        self._arguments = arguments
        launcher = str(config.hydra.launcher._target_).lower()
        outlives = any(name in launcher for name in OUTLIVING)
        self._command = None if outlives else this_process()

    def __reduce__(self) -> tuple[object, ...]:
        """In a new process Hydra composes the worker's own job before it calls this: our resolvers must be there."""
        state = (self._context, self._config, self._composer, self._arguments, self._command)
        return _revived, (self._composer.register, state)

    def __call__(self, job: DictConfig) -> int:
        if self._command is not None and is_gone(self._command):
            return 0
        from mammoscope.jobs.searching import work

        setup_globals()
        leave_joblibs_start_method()
        compositions = Compositions(self._context, self._config, self._composer)
        setting = understood(self._context, self._config, self._composer, compositions, self._arguments)
        return work(setting, self._composer, partial(self._trial_of, compositions), command=self._command)

    def _trial_of(
        self, compositions: Compositions, setting: Setting, number: int, overrides: Mapping[str, str], run: Any
    ) -> Any:
        """Composes the trial, makes its folder as Hydra makes a job's, and gives what `run(config)` returns."""
        whole = {**setting.asked.fixed, **overrides}
        config, sweep_config = compositions.trial(whole)
        with open_dict(sweep_config):
            sweep_config.hydra.job.id = f"{sweep_config.hydra.job.name}_{number}"
            sweep_config.hydra.job.num = number
            sweep_config.hydra.sweep.dir = str(setting.folder)
            sweep_config.hydra.sweep.subdir = str(number)
        former = HydraConfig.instance().cfg
        try:
            done = run_job(
                task_function=lambda _: run(config),
                config=sweep_config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                hydra_context=self._context,
                configure_logging=False,
            )
        finally:
            HydraConfig.instance().cfg = former
        if isinstance(done._return_value, Exception):  # the property would print it
            raise done._return_value
        return done._return_value


def _revived(register: Any, state: tuple[Any, ...]) -> Worker:
    register()
    context, config, composer, arguments, command = state
    worker = Worker(context, config, composer, arguments)
    worker._command = command
    return worker
