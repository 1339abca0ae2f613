"""The door between YAML and Python: Hydra's config comes in, a checked TrainConfig goes out, errors end in one line."""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from mammoscope.checks import check_config
from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.grid import end_grid
from mammoscope.processes import leave_joblibs_start_method
from mammoscope.refusals import conf_folder, dotted, explain, groups, options, unknown_key
from mammoscope.vocabulary import CLASSES, NORMAL, LossName, Register, TargetPolicy


def home() -> Path:
    """Where `mlruns/` lies: the checkout that we stand in or whose train.py runs, else the working directory."""
    script = Path(sys.argv[0]).resolve() if sys.argv and sys.argv[0] else Path.cwd()
    for folder in (Path.cwd(), *Path.cwd().parents, script.parent):
        if (folder / "train.py").is_file() and (folder / "conf" / "train.yaml").is_file():
            return folder
    return Path.cwd()


def register() -> None:
    """Tells Hydra the schema (so that it refuses misspelt keys and wrong types) and where home is."""
    ConfigStore.instance().store(name="train_schema", node=TrainConfig)
    # For each group that --help lists, Hydra copies its repository with the whole schema in it: 130 copies, half the
    # time of --help. The store is a singleton, and copies what it hands out by itself.
    ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]
    OmegaConf.register_new_resolver("mammoscope.home", lambda: str(home()), replace=True)
    OmegaConf.register_new_resolver(
        "mammoscope.unless", lambda given, value: value if given is None else None, replace=True
    )
    OmegaConf.register_new_resolver("mammoscope.loss", _loss, replace=True)
    OmegaConf.register_new_resolver("mammoscope.tissue_window", _tissue_window, replace=True)


def _loss(target: object) -> str:
    """The loss that a target takes unless one is named. An unknown target gets any: it is refused by its own name."""
    return LossName.cross_entropy if len(_classes(target)) > 2 else LossName.bce


def _classes(target: object) -> tuple[str, ...]:
    return CLASSES[TargetPolicy(str(target))] if target in list(TargetPolicy) else ()


def _tissue_window(target: object, window_px: int | None) -> int | None:
    """The recipe's window for targets that cut normal patches, which no ROI's size can guide; none for the others."""
    return window_px if NORMAL in _classes(target) else None


@dataclass(frozen=True, slots=True)
class Composer:
    """What a sweeper, which lives below this door, may ask of it. Goes to other processes."""

    register: Callable[[], None]
    to_config: Callable[[DictConfig], TrainConfig]
    check_choices: Callable[[Mapping[str, object]], None]
    compose: Callable[[Sequence[str]], TrainConfig]
    parse: Callable[[str], TrainConfig]
    home: Callable[[], Path]


def composer() -> Composer:
    return Composer(register, to_config, _check_choices, compose_config, config_from_yaml, home)


def to_config(composed: DictConfig) -> TrainConfig:
    """Raises MammoscopeError for what the schema or the checks refuse."""
    try:
        config = OmegaConf.to_object(composed)
    except AttributeError as error:  # `+foo=1` gets through composition, and the dataclasses have slots
        key = re.search(r"'(\w+)' object has no attribute '(\w+)'", str(error))
        raise MammoscopeError(unknown_key(dotted(*key.groups())) if key else str(error)) from error
    assert isinstance(config, TrainConfig), "the schema is TrainConfig"
    if config.tracking.register is Register.auto and _is_job_of_multirun():
        config.tracking.register = Register.never
    check_config(config)
    return config


def compose_config(overrides: Sequence[str], conf: Path | None = None) -> TrainConfig:
    """The config that `python train.py <overrides>` would run. conf: in place of the checkout's folder `conf/`."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf or conf_folder()), version_base="1.3"):
        composed = compose("train", overrides=list(overrides), return_hydra_config=True)
    _check_choices(composed.hydra.runtime.choices)
    with open_dict(composed):
        del composed["hydra"]
    return to_config(composed)


def compose_recipe(name: str, text: str, overrides: Sequence[str]) -> TrainConfig:
    """What `experiment=<name> <overrides>` would run if `text` were in conf/experiment/; nothing is written there."""
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "conf"
        shutil.copytree(conf_folder(), conf)
        (conf / "experiment" / f"{name}.yaml").write_text(text)
        return compose_config([f"experiment={name}", *overrides], conf)


def run_with_hydra(run: Callable[[TrainConfig], object]) -> None:
    """Hydra's own command line (-m, --cfg, --help, overrides) around `run`, which gets a checked config."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach our one door, which prints the last line
    register()

    def train(composed: DictConfig) -> None:
        leave_joblibs_start_method()
        _check_choices(HydraConfig.get().runtime.choices)
        run(to_config(composed))

    try:
        hydra.main(config_path=str(conf_folder()), config_name="train", version_base="1.3")(train)()
    except (KeyboardInterrupt, SystemExit):
        end_grid("KILLED")
        raise
    except BaseException:
        end_grid("FAILED")
        raise
    end_grid("FINISHED")


def _check_choices(choices: Mapping[str, object]) -> None:
    """Hydra would merge a list of options into one config, of which the last wins, and drop a group without a word."""
    for group in groups():
        if not isinstance(choices.get(group), str):
            allowed = options(group)
            raise MammoscopeError(
                f"{group}: exactly one option is needed; allowed: {', '.join(allowed)}; for a run of each: "
                f"-m {group}={','.join(allowed[:2])}"
            )


def config_from_yaml(text: str) -> TrainConfig:
    """Raises MammoscopeError where the text is not a config that this version writes."""
    try:
        return to_config(OmegaConf.merge(OmegaConf.structured(TrainConfig), OmegaConf.create(text)))  # type: ignore[arg-type]
    except OmegaConfBaseException as error:
        raise MammoscopeError(f"this run's config does not fit this version of mammoscope: {error}") from error


def _is_job_of_multirun() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN


def door(run: Callable[[], object]) -> None:
    """Exits with 0; 1 and one last line that says what was wrong; 130 after Ctrl-C. Our bugs keep their traceback."""
    try:
        run()
    except MammoscopeError as error:
        _last_line(str(error))
    except (HydraException, OmegaConfBaseException) as error:
        _last_line(explain(error))
    except ValueError as error:
        if not (match := re.match(r"Config group override must be a string or a list. Got (\w+)", str(error))):
            raise
        _last_line(f"an option of a group is a name, and one override gives {match[1]}; groups: {', '.join(groups())}")
    except BrokenPipeError:  # `mammoscope ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.errno not in _REFUSED_BY_THE_DISK:
            raise
        _last_line(f"{error.filename or 'a file'}: {error.strerror}; allowed: a place that can be written")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


_REFUSED_BY_THE_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EIO,
}


def _last_line(message: str) -> None:
    sys.stdout.flush()
    lines = [" ".join(line.split()) for line in message.splitlines()]
    print(f"error: {'; '.join(line.rstrip(';') for line in lines if line)}", file=sys.stderr)
    sys.exit(1)
