"""The `mammoscope` command. What composes a run takes Hydra overrides; everything else takes flags."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mammoscope import __version__
from mammoscope.cli.dicom import add_dicom
from mammoscope.compose import compose_config, compose_recipe, config_from_yaml, door, run_with_hydra
from mammoscope.config import TrackingConfig, TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.refusals import conf_folder, groups, options
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Partition


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
    arguments.run(arguments, rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mammoscope", description=f"From mammography DICOM to a registered model. {RESEARCH_USE_ONLY}"
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    overrides = "Hydra overrides, as for train.py: data=calc trainer.epochs=3"

    # for the list above only: Hydra parses what follows, as it does for train.py
    commands.add_parser("train", help="train, evaluate on validation, register; Hydra's -m, --cfg and --help work")

    prepare = commands.add_parser("prepare", help="prepare what a run would train on", epilog=overrides)
    stores = prepare.add_mutually_exclusive_group()
    stores.add_argument("--list", action="store_true", help="the stores in store.root: what, how large, whole or not")
    stores.add_argument("--prune", action="store_true", help="say what nothing can use any more; --yes deletes it")
    stores.add_argument("--verify", action="store_true", help="read every store and name what is damaged")
    prepare.add_argument("--yes", action="store_true", help="with --prune: delete")
    prepare.set_defaults(run=_prepare, takes_overrides=True)

    evaluate = commands.add_parser("evaluate", help="score a partition with a run's model", epilog=_EVALUATE_NOTE)
    evaluate.add_argument("RUN", help="id, unique prefix of an id, or name of a run")
    evaluate.add_argument("--partition", choices=["validation", "test"], default="validation")
    evaluate.set_defaults(run=_evaluate, takes_overrides=True)

    keep = commands.add_parser("keep", help="make a run a recipe and a row of the leaderboard", epilog=_RUNS_NOTE)
    keep.add_argument("RUN", help="id, unique prefix of an id, or name of a run")
    keep.add_argument("--name", help="of conf/experiment/NAME.yaml; default: the run's name")
    keep.set_defaults(run=_keep, takes_overrides=True)

    reproduce = commands.add_parser("reproduce", help="train a run once more and compare", epilog=_REPRODUCE_NOTE)
    reproduce.add_argument("RUN", help="id, unique prefix of an id, or name of a run")
    reproduce.add_argument("--tolerance", type=float, default=1e-3, help="of scores and metrics; default: %(default)s")
    reproduce.set_defaults(run=_reproduce, takes_overrides=True)

    runs = commands.add_parser("runs", help="what is running, how far it is, and what ended last", epilog=_RUNS_NOTE)
    which = runs.add_mutually_exclusive_group()
    which.add_argument("-n", type=int, metavar="N", help=f"so many that ended; default: {ENDED_SHOWN}")
    which.add_argument("--all", action="store_true", help="all that ended")
    which.add_argument("--sync", action="store_true", help="send what runs kept while their tracking store was away")
    runs.set_defaults(run=_runs, takes_overrides=True)

    ui = commands.add_parser("ui", help="open MLflow's pages on this machine")
    ui.add_argument("--tracking-uri", help="where the runs are; default: MLFLOW_TRACKING_URI, else mlruns/mlflow.db")
    ui.add_argument("--port", type=int, default=5000)
    ui.set_defaults(run=_ui)

    data = commands.add_parser("data", help="phantom | index | doctor").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    phantom = data.add_parser("phantom", help="draw a phantom CBIS-DDSM")
    phantom.add_argument("DEST", type=Path, nargs="?", help="a new or an empty folder")
    phantom.add_argument("--patients", type=int)
    phantom.add_argument("--seed", type=int)
    phantom.add_argument(
        "--size", choices=["small", "full"], default="small", help="full: films as large as CBIS-DDSM's"
    )
    phantom.add_argument("--faults", metavar="NAME[,NAME...]", help="traps to plant, or all; list: say which there are")
    phantom.set_defaults(run=_phantom)
    index = data.add_parser("index", help="say what is in a tree of CBIS-DDSM, by its headers")
    index.add_argument("ROOT", type=Path)
    index.add_argument("-o", "--output", type=Path, help="folder for mammograms, abnormalities and defects as Parquet")
    index.set_defaults(run=_index)
    doctor = data.add_parser(
        "doctor",
        help="check a source for every trap, files and pixels, and say whether it can be trained on",
        epilog=_DOCTOR_NOTE,
    )
    doctor.add_argument("ROOT", type=Path)
    doctor.add_argument("--html", type=Path, metavar="FILE", help="a report for a person, in one file, with pictures")
    doctor.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="findings, defects and the catalog as Parquet"
    )
    doctor.add_argument("--allow", type=Path, metavar="FILE", help="reviewed near-duplicates, as for split.allow")
    doctor.add_argument("--no-pixels", action="store_true", help="headers only: minutes for 163 GB; never status 0")
    doctor.add_argument("--store", type=Path, metavar="FOLDER", help="where what was read is kept; default: store.root")
    doctor.add_argument("--workers", type=int, help="processes; default: as many as there are cores")
    doctor.set_defaults(run=_doctor)
    add_dicom(commands)
    return parser


_DOCTOR_NOTE = (
    "exit status: 0 complete (every published file is here and can be used); 2 partial but usable (files are missing "
    "or refused, or pixels were not checked); 1 blocked (nothing usable, too few patients, films of different patients "
    "in train and test that are the same, case descriptions that contradict themselves, no such source)"
)
ENDED_SHOWN = 10  # runs
_RUNS_NOTE = "overrides: tracking.uri, tracking.home, tracking.experiment"
_REPRODUCE_NOTE = (
    "exit status: 0 bit-equal or within the tolerance, 1 it differs or cannot be repeated here. Overrides: source, "
    "source.*, phantom.*, store.*, split.allow, model.weights, tracking.*, trainer.device, trainer.workers; everything "
    "else is the run's own"
)
_REPRODUCE_KEYS = (
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
_EVALUATE_NOTE = (
    "overrides: source, source.*, phantom.*, store.*, split.allow, tracking.*, trainer.device, trainer.batch_size, "
    "trainer.workers; everything else is the run's own"
)
_EVALUATE_KEYS = (
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


def _train(config: TrainConfig) -> None:
    from mammoscope.jobs.menu import run

    run(config)


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


def _runs(arguments: argparse.Namespace, overrides: Sequence[str]) -> None:
    tracking = _tracking(overrides)
    if arguments.n is not None and arguments.n < 0:
        raise MammoscopeError(f"-n {arguments.n}: allowed: 0 or more")
    if arguments.sync:
        from mammoscope.jobs.tracking import sync_runs

        sync_runs(tracking)
        return
    from mammoscope.jobs.runs import show_runs

    show_runs(tracking, ended=None if arguments.all else ENDED_SHOWN if arguments.n is None else arguments.n)


def _ui(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    tracking = compose_config([]).tracking
    tracking.uri = arguments.tracking_uri or tracking.uri  # set here: Hydra's grammar would read a blank or a comma
    from mammoscope.jobs.tracking import open_tracking
    from mammoscope.tracking.ui import serve_ui

    serve_ui(open_tracking(tracking), arguments.port)


def _phantom(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.sources import draw_phantom, list_faults
    from mammoscope.phantom import parse_faults

    if arguments.faults == "list":
        list_faults()
        return
    if arguments.DEST is None:
        raise MammoscopeError("DEST is missing; allowed: a new or an empty folder to draw the phantom in")
    given = {"patients": arguments.patients, "seed": arguments.seed, **_SIZES[arguments.size]}
    config = compose_config([f"phantom.{key}={value}" for key, value in given.items() if value is not None])
    faults = parse_faults(arguments.faults) if arguments.faults is not None else ()
    draw_phantom(arguments.DEST, config.phantom, config.store.workers, faults)


_SIZES: dict[str, dict[str, int]] = {"small": {}, "full": {"height_px": 4600, "width_px": 2900}}  # a file of 26.7 MB


def _index(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from mammoscope.jobs.index import index

    index(arguments.ROOT, arguments.output)


def _doctor(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    store = compose_config([]).store
    from mammoscope.jobs.doctor import DoctorOptions, doctor

    options = DoctorOptions(
        store_root=arguments.store or Path(store.root),
        workers=store.workers if arguments.workers is None else arguments.workers,
        html=arguments.html,
        output=arguments.output,
        allow=arguments.allow,
        reads_pixels=not arguments.no_pixels,
    )
    if status := doctor(arguments.ROOT, options):
        sys.exit(status)


if __name__ == "__main__":
    main()
