"""The `mammoscope` command. What composes a run takes Hydra overrides; everything else takes flags."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mammoscope import __version__
from mammoscope.cli.data import add_data
from mammoscope.cli.dicom import add_dicom
from mammoscope.cli.options import check_options
from mammoscope.cli.runs import add_evaluate, add_keep, add_reproduce, add_runs
from mammoscope.compose import compose_config, door, run_with_hydra
from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import RESEARCH_USE_ONLY


def main() -> None:
    door(_main)


def _main() -> None:
    if sys.argv[1:2] == ["train"]:
        sys.argv[:2] = [f"{Path(sys.argv[0]).name} train"]
        run_with_hydra(_train)
        return
    arguments, rest = _parser().parse_known_args()
    takes_overrides = getattr(arguments, "takes_overrides", False)
    for word in rest:
        if not takes_overrides or word.startswith("-"):
            raise MammoscopeError(f"{word}: not understood; `mammoscope {arguments.command} --help` lists what is")
    check_options(arguments)
    arguments.run(arguments, rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mammoscope", description=f"From mammography DICOM to a registered model. {RESEARCH_USE_ONLY}"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # for the list above only: Hydra parses what follows, as it does for train.py
    commands.add_parser("train", help="train, evaluate on validation, register; Hydra's -m, --cfg and --help work")
    for add in (_add_prepare, add_evaluate, add_keep, add_reproduce, add_runs, _add_ui, add_data, add_dicom):
        add(commands)
    return parser


def _train(config: TrainConfig) -> None:
    from mammoscope.jobs.menu import run

    run(config)


def _add_prepare(commands: Any) -> None:
    overrides = "Hydra overrides, as for train.py: data=calc trainer.epochs=3"
    prepare = commands.add_parser("prepare", help="prepare what a run would train on", epilog=overrides)
    stores = prepare.add_mutually_exclusive_group()
    stores.add_argument("--list", action="store_true", help="the stores in store.root: what, how large, whole or not")
    stores.add_argument("--prune", action="store_true", help="say what nothing can use any more; --yes deletes it")
    stores.add_argument("--verify", action="store_true", help="read every store and name what is damaged")
    prepare.add_argument("--yes", action="store_true", help="with --prune: delete")
    prepare.set_defaults(run=_prepare, takes_overrides=True)


def _prepare(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    if arguments.yes and not arguments.prune:
        raise MammoscopeError("--yes: confirms --prune, and means nothing without it")
    config = compose_config(overrides)
    if arguments.list or arguments.prune or arguments.verify:
        from mammoscope.jobs.stock import prune_stock, show_stock, verify_stock

        if arguments.list:
            show_stock(config.store)
        elif arguments.prune:
            prune_stock(config.store, is_confirmed=arguments.yes)
        else:
            verify_stock(config.store)
        return
    from mammoscope.jobs.prepare import prepare

    prepare(config)


def _add_ui(commands: Any) -> None:
    ui = commands.add_parser("ui", help="open MLflow's pages on this machine")
    ui.add_argument("--tracking-uri", help="where the runs are; default: MLFLOW_TRACKING_URI, else mlruns/mlflow.db")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(run=_ui)


def _ui(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    tracking = compose_config([]).tracking
    tracking.uri = arguments.tracking_uri or tracking.uri  # set here: Hydra's grammar would read a blank or a comma
    from mammoscope.jobs.tracking import open_tracking
    from mammoscope.tracking.ui import serve_ui

    serve_ui(open_tracking(tracking), arguments.port)


if __name__ == "__main__":
    main()
