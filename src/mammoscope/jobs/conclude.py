"""The end of a search, once: the winner registered, the best three described, the recipe and the effects written."""

from dataclasses import replace
from typing import Any

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.effects import say_effects
from mammoscope.jobs.evidence import Report, gather_all_evidence, log_pictures
from mammoscope.jobs.gather import GatheredData, data_key, gather
from mammoscope.jobs.provenance import CONFIG_FILE, Provenance, log_data
from mammoscope.jobs.publish import publish
from mammoscope.jobs.recipe import recipe_of
from mammoscope.jobs.search_run import SearchRun
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.training import build_network
from mammoscope.models.weights import Weights
from mammoscope.refusals import groups, options
from mammoscope.reporting.console import say
from mammoscope.reporting.predictions import read_predictions
from mammoscope.search.search import Search
from mammoscope.search.trials import RUN, RUNS, Result
from mammoscope.tracking.lookup import RunInfo, run_folder
from mammoscope.tracking.store import TrackingStore
from mammoscope.training.checkpoint import BEST, load_weights
from mammoscope.training.device import find_device, find_precision
from mammoscope.vocabulary import Partition, Register, SourceName

KEPT_TRIALS = 3
CONCLUDED = "mammoscope:concluded"
RECIPE = "recipe.yaml"
PREDICTIONS = "predictions/validation.parquet"


def conclude(search: Search, setting: Any, composer: Any, store: TrackingStore, parent: SearchRun) -> None:
    """Does nothing where another command has done it for the same trials."""
    with search.locked("conclusion"):
        best = search.best(KEPT_TRIALS)
        what = " ".join(str(result.number) for result in best) + f" of {len(search.results())}"
        if not best or search.kept(CONCLUDED) == what:
            return
        keep_weights_of_best(search, store)
        data: dict[str, GatheredData] = {}  # by what the trials want of it, which most agree on
        for place, result in enumerate(best):
            _describe(result, store, composer, data, registers=setting.registers, wins=place == 0)
        _recipe(best[0], store, composer, parent)
        if search.plan.is_single:
            say_effects(search, setting, parent)
        search.keep(CONCLUDED, what)


def keep_weights_of_best(search: Search, store: TrackingStore) -> None:
    """Of all trainings on this disk but the best three trials'."""
    kept = {result.number for result in search.best(KEPT_TRIALS)}
    for result in search.results():
        if result.number in kept or result.state not in ("COMPLETE", "FAIL", "PRUNED"):
            continue
        for run in result.attrs.get(RUNS, result.attrs.get(RUN, "")).split():
            (run_folder(store.folder, run) / BEST).unlink(missing_ok=True)


def _describe(
    result: Result,
    store: TrackingStore,
    composer: Any,
    gathered: dict[str, GatheredData],
    *,
    registers: bool,
    wins: bool,
) -> None:
    """Pictures, certificate, environment and package of the trial's first training; the winner's is registered.

    registers: false where no package is wanted.
    """
    runs = result.attrs.get(RUNS, "").split()
    if not runs:
        return
    run = store.find_run(runs[0])
    local = run.folder / CONFIG_FILE
    if not local.is_file() or not (run.folder / BEST).is_file():
        say(f"trial {result.number}: its weights are on another machine; the same command there registers it")
        return
    config = settle_table(composer.parse(local.read_text()))
    classifier, weights = build_network(config)
    report, provenance = _reported(config, store, run, weights, gathered)
    samples = provenance.data.samples[Partition.validation]
    with store.reopened(run.id) as tracker:
        log_data(tracker, config, provenance)
        store.write_environment(tracker, provenance.environment())
        log_pictures(tracker, report, samples, provenance.data)
        if not registers:
            return
        classifier.load_state_dict(load_weights(run.folder / BEST))
        registered = replace(config, tracking=replace(config.tracking, register=Register.always))
        publish(registered, store, tracker, classifier, provenance, report, is_version=wins)


def _reported(
    config: TrainConfig, store: TrackingStore, run: RunInfo, weights: Weights, gathered: dict[str, GatheredData]
) -> tuple[Report, Provenance]:
    what = data_key(config)
    data = gathered[what] if what in gathered else gathered.setdefault(what, gather(config))
    predictions = read_predictions(store.artifact(run.id, PREDICTIONS))
    evidence, classes = gather_all_evidence(predictions, None)
    device = find_device(config.trainer)
    return Report(predictions, evidence, classes, {}), Provenance(
        data, weights, device, find_precision(config.trainer, device)
    )


def _recipe(result: Result, store: TrackingStore, composer: Any, parent: SearchRun) -> None:
    """What `mammoscope keep` would make of the winner; the search's artifact."""
    runs = result.attrs.get(RUNS, "").split()
    run = store.find_run(runs[0]) if runs else None
    if run is None or not (run.folder / CONFIG_FILE).is_file():
        return
    config = composer.parse((run.folder / CONFIG_FILE).read_text())
    if config.source.name is SourceName.table:
        return
    of_groups = {group: options(group) for group in groups()}
    try:
        body = recipe_of(config, of_groups, composer.compose)
    except MammoscopeError as error:
        say(f"no recipe is written: {error}")
        return
    head = f"# @package _global_\n# The best of search {parent.name}: trial {result.number}, run {run.id}\n"
    head += f"# mammoscope keep {run.id} --name=<name> makes an experiment of it\n"
    parent.tracker.text(head + body, RECIPE)
