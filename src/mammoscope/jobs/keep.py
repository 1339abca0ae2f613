"""`mammoscope keep RUN`: a run becomes a recipe in conf/experiment/ and a row in the leaderboard."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mammoscope import __version__
from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.files import all_written_whole
from mammoscope.fingerprint import config_hash
from mammoscope.jobs.provenance import CONFIG_FILE
from mammoscope.jobs.recipe import Compose, is_file, recipe_of
from mammoscope.jobs.trial_tags import REPEAT, SUMMARY
from mammoscope.reporting.console import say
from mammoscope.reporting.recipe import KeptRun, leaderboard_row, recipe_header, with_row
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.store import TrackingStore
from mammoscope.vocabulary import Level, Partition, SourceName

Verify = Callable[[str, str, TrainConfig], TrainConfig]  # (name, text, whose source) -> what the recipe composes to


def keep(
    store: TrackingStore,
    run: RunInfo,
    name: str,
    checkout: Path,
    *,
    options: Mapping[str, Sequence[str]],
    compose: Compose,
    parse: Callable[[str], TrainConfig],
    verify: Verify,
) -> Path:
    """Writes both files, or neither; returns the recipe's path. options: of each config group.

    Raises MammoscopeError: an unfinished run, a name that is taken or is none, a run whose settings this version cannot
    compose again, no checkout to write to.
    """
    path, leaderboard = checkout / "conf" / "experiment" / f"{name}.yaml", checkout / "experiments" / "README.md"
    _refuse(run, name, path, leaderboard)
    whole = run.folder / CONFIG_FILE
    config = parse((whole if whole.is_file() else store.artifact(run.id, CONFIG_FILE)).read_text())
    if config.source.name is SourceName.table:
        raise MammoscopeError(
            f"run {run.id}: its settings follow from the columns of a table of your own (source=table), which no "
            "recipe can hold; allowed: runs on source=phantom and source=cbis_ddsm"
        )
    kept = _kept(run, config, name, store.environment(run))
    text = f"{recipe_header(kept)}\n{recipe_of(config, options, compose)}"
    _check_hash(run, verify(name, text, config))
    with all_written_whole([path, leaderboard]) as (recipe, page):
        recipe.write_text(text)
        page.write_text(with_row(leaderboard.read_text(), leaderboard_row(kept, name)))
    if run.tags.get("git_dirty") == "true":
        say(f"note: the run's code had changes that no commit has; {kept.commit} alone does not give it again")
    say(f"recipe {path}\nrow in {leaderboard}")
    return path


def _refuse(run: RunInfo, name: str, path: Path, leaderboard: Path) -> None:
    if run.tags.get(REPEAT) == SUMMARY:
        raise MammoscopeError(
            f"run {run.id}: holds a trial's trainings over seeds or folds together; allowed: one of its children"
        )
    if run.status != "FINISHED":
        raise MammoscopeError(f"run {run.id} is {run.status}: it has no result to keep; allowed: finished runs")
    if re.fullmatch(r"\w[\w.-]*", name) is None:
        raise MammoscopeError(f"--name={name}: allowed: letters, digits, and any of _ . -")
    if not leaderboard.is_file() or not path.parent.is_dir():
        raise MammoscopeError(f"{leaderboard} is not there: recipes are kept in a checkout; allowed: to stand in one")
    if path.exists():
        raise MammoscopeError(f"--name={name}: {path} is there already; allowed: another name")


def _check_hash(run: RunInfo, composed: TrainConfig) -> None:
    wanted, found = run.tags.get("config_hash"), config_hash(composed, run.tags.get("weights", ""))
    if wanted != found:
        raise MammoscopeError(
            f"run {run.id}: its recipe would compose to config hash {found}, not to the run's {wanted}; the run is of "
            "another version of mammoscope; allowed: runs that this version made"
        )


def _kept(run: RunInfo, config: TrainConfig, name: str, environment: Mapping[str, str]) -> KeptRun:
    level = next(level for level in Level if f"validation/{level}/auc" in run.metrics)
    aucs = {
        str(partition): "{:.3f} ({:.3f}-{:.3f})".format(*(run.metrics[f"{key}{end}"] for end in ("", "_low", "_high")))
        for partition in (Partition.validation, Partition.test)
        if (key := f"{partition}/{level}/auc") in run.metrics
    }
    ideal = run.metrics.get(f"validation/{level}/ideal_auc")
    gpu, changed = environment.get("gpu", "none"), run.tags.get("git_dirty") == "true"
    image = config.image
    return KeptRun(
        run=run.id,
        what=f"{config.data.name}, {image.name} {image.height_px} x {image.width_px} px, {config.target.name}, "
        f"{config.model.name}, {config.trainer.epochs} epochs",
        command=_command(config, name),
        source=str(config.source.name) + ("" if ideal is None else f" (ideal observer {ideal:.3f} on validation)"),
        level=str(level),
        patients=round(run.metrics[f"validation/{level}/patients"]),
        aucs=aucs,
        hardware=f"{environment.get('cpu', '?') if gpu == 'none' else gpu}, {environment.get('precision', '?')}",
        minutes=run.metrics["kept/seconds"] / 60,
        commit=_commit(run.tags.get("git_commit", "unknown")) + (" + uncommitted changes" if changed else ""),
        version=__version__,
        date=f"{run.started:%Y-%m-%d}",
    )


def _commit(tag: str) -> str:
    return tag[:10] if re.fullmatch(r"[0-9a-f]{40}", tag) else tag


def _command(config: TrainConfig, name: str) -> str:
    """With a word in place of what lies on this machine."""
    words = ["python train.py", f"experiment={name}"]
    if config.source.name is not SourceName.phantom:
        words.append(f"source={config.source.name}")
    words += ["source.root=<tree>"] if config.source.root is not None else []
    words += ["model.weights=<file>"] if is_file(config.model.weights) else []
    words += ["split.allow=<file>"] if config.split.allow is not None else []
    words += [f"seed={config.seed}"] if config.seed else []
    return " ".join(words)
