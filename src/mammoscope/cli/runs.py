"""`mammoscope evaluate | keep | reproduce | runs`: what is done with a run that there is."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from mammoscope.compose import compose_config, compose_recipe, config_from_yaml
from mammoscope.config import TrackingConfig
from mammoscope.errors import MammoscopeError
from mammoscope.refusals import conf_folder, groups, options
from mammoscope.vocabulary import Partition

_RUN: Final = "id, unique prefix of an id, or name of a run"
_ENDED_SHOWN: Final = 10  # runs
_RUNS_NOTE: Final = "overrides: tracking.uri, tracking.home, tracking.experiment"
_EVALUATE_NOTE: Final = (
    "overrides: source, source.*, phantom.*, store.*, split.allow, tracking.*, trainer.device, trainer.batch_size, "
    "trainer.workers; everything else is the run's own"
)
_EVALUATE_KEYS: Final = (
    "source",
    "source.",
    "phantom.",
    "store.",
    "split.allow",
    "tracking.",
    "trainer.device",
    "trainer.batch_size",
    "trainer.workers",
)
_REPRODUCE_NOTE: Final = (
    "exit status: 0 bit-equal or within the tolerance, 1 it differs or cannot be repeated here. Overrides: source, "
    "source.*, phantom.*, store.*, split.allow, model.weights, tracking.*, trainer.device, trainer.workers; everything "
    "else is the run's own"
)
_REPRODUCE_KEYS: Final = (
    "source",
    "source.",
    "phantom.",
    "store.",
    "split.allow",
    "model.weights",
    "tracking.",
    "trainer.device",
    "trainer.workers",
)


def add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="score a partition with a run's model", epilog=_EVALUATE_NOTE)
    evaluate.add_argument("RUN", help=_RUN)
    evaluate.add_argument("--partition", choices=["validation", "test"], default="validation")
    evaluate.set_defaults(run=_evaluate, takes_overrides=True)


def _evaluate(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    keys = _keys(overrides, _EVALUATE_KEYS, f"cannot be changed in an evaluation; {_EVALUATE_NOTE}")
    given = compose_config(overrides)
    from mammoscope.jobs.evaluate import evaluate
    from mammoscope.jobs.reload import run_config
    from mammoscope.jobs.tracking import open_tracking

    store = open_tracking(given.tracking)
    run = store.find_run(arguments.RUN)
    config = run_config(store, run, given, keys, config_from_yaml)
    evaluate(config, store, run, Partition(arguments.partition))


def add_keep(commands: Any) -> None:
    keep = commands.add_parser("keep", help="make a run a recipe and a row of the leaderboard", epilog=_RUNS_NOTE)
    keep.add_argument("RUN", help=_RUN)
    keep.add_argument("--name", help="of conf/experiment/NAME.yaml; default: the run's name")
    keep.set_defaults(run=_keep, takes_overrides=True)


def _keep(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    tracking = _tracking(overrides)
    from mammoscope.jobs.keep import keep
    from mammoscope.jobs.recipe import source_overrides
    from mammoscope.jobs.tracking import open_tracking

    store = open_tracking(tracking)
    run = store.find_run(arguments.RUN)
    keep(
        store,
        run,
        arguments.name or run.name,
        conf_folder().parent,
        options={group: options(group) for group in groups()},
        compose=compose_config,
        parse=config_from_yaml,
        verify=lambda name, text, config: compose_recipe(name, text, source_overrides(config)),
    )


def add_reproduce(commands: Any) -> None:
    reproduce = commands.add_parser("reproduce", help="train a run once more and compare", epilog=_REPRODUCE_NOTE)
    reproduce.add_argument("RUN", help=_RUN)
    reproduce.add_argument("--tolerance", type=float, default=1e-3, help="of scores and metrics; default: %(default)s")
    reproduce.set_defaults(run=_reproduce, takes_overrides=True)


def _reproduce(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    keys = _keys(overrides, _REPRODUCE_KEYS, f"cannot be changed in a reproduction; {_REPRODUCE_NOTE}")
    if not 0 <= arguments.tolerance < float("inf"):
        raise MammoscopeError(f"--tolerance {arguments.tolerance}: allowed: 0 or more")
    given = compose_config(overrides)
    from mammoscope.jobs.agreement import Verdict
    from mammoscope.jobs.rebuild import rebuilt_config
    from mammoscope.jobs.reproduce import check_reproducible, reproduce, rerun_apart
    from mammoscope.jobs.tracking import open_tracking

    store = open_tracking(given.tracking)
    run = store.find_run(arguments.RUN)
    check_reproducible(run)
    config = rebuilt_config(store, run, given, keys)
    script = Path(__file__).with_name("rerun.py")
    if reproduce(store, run, config, arguments.tolerance, partial(rerun_apart, script)) is Verdict.differs:
        sys.exit(1)


def add_runs(commands: Any) -> None:
    runs = commands.add_parser("runs", help="what is running, how far it is, and what ended last", epilog=_RUNS_NOTE)
    which = runs.add_mutually_exclusive_group()
    which.add_argument("-n", type=int, metavar="N", help=f"so many that ended; default: {_ENDED_SHOWN}")
    which.add_argument("--all", action="store_true", help="all that ended")
    which.add_argument("--sync", action="store_true", help="send what runs kept while their tracking store was away")
    runs.set_defaults(run=_runs, takes_overrides=True)


def _runs(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    tracking = _tracking(overrides)
    if arguments.n is not None and arguments.n < 0:
        raise MammoscopeError(f"-n {arguments.n}: allowed: 0 or more")
    if arguments.sync:
        from mammoscope.jobs.tracking import sync_runs

        sync_runs(tracking)
        return
    from mammoscope.jobs.runs import show_runs

    show_runs(tracking, ended=None if arguments.all else _ENDED_SHOWN if arguments.n is None else arguments.n)


def _tracking(overrides: Sequence[str]) -> TrackingConfig:
    for override in overrides:
        if not override.startswith("tracking."):
            raise MammoscopeError(f"{override}: means nothing here; {_RUNS_NOTE}")
    return compose_config(overrides).tracking


def _keys(overrides: Sequence[str], allowed: Sequence[str], refusal: str) -> list[str]:
    """What the overrides set. Raises MammoscopeError for a key that is not allowed: `a.` allows all that is below a."""
    keys = [override.lstrip("+~").partition("=")[0] for override in overrides]
    for key in keys:
        if not any(key == name or (name.endswith(".") and key.startswith(name)) for name in allowed):
            raise MammoscopeError(f"{key}: {refusal}")
    return keys
