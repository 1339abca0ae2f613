"""What sliding over whole mammograms gives, written into the run: keys and artifacts below `sliding/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.inference.sliding import Score
from mammoscope.jobs.evidence import Report, gather_all_evidence, log_evidence, predictions_of
from mammoscope.jobs.gather import GatheredData
from mammoscope.jobs.sliding import SlidFilm, localisation_of, slide_partition
from mammoscope.metrics.localisation import Localisation
from mammoscope.records import Predictions
from mammoscope.reporting.console import console, say
from mammoscope.reporting.figures import class_map_figure
from mammoscope.reporting.tables import localisation_markdown, localisation_table, results_markdown, results_table
from mammoscope.tracking.lookup import RunInfo
from mammoscope.tracking.run import Tracker
from mammoscope.vocabulary import CLASSES, NORMAL, ImageVariant, Level, Partition, TargetPolicy

SLIDING = "sliding/"


@dataclass(frozen=True, slots=True)
class SlidingReport:
    report: Report  # at image level and above; a row is a film
    localisation: Localisation

    def markdown(self, title: str) -> str:
        table = results_markdown(self.report.evidence, title=title, references=self.report.references)
        return f"{table}\n\n{localisation_markdown(self.localisation)}"

    def show(self) -> None:
        title = f"{self.report.evidence.partition}: sliding over whole mammograms"
        console.print(results_table(self.report.evidence, title=title, references=self.report.references))
        console.print(localisation_table(self.localisation))


def can_slide(target: TargetPolicy) -> bool:
    """A model that knows what is normal can be asked about any place."""
    return NORMAL in CLASSES[target]


def check_slidable(run: RunInfo, catalog: str, partition: Partition) -> None:
    """Raises MammoscopeError where the threshold would have to be chosen on a validation that is not the run's own."""
    is_own = catalog == run.tags.get("catalog")
    if not is_own and partition is not Partition.validation and not _stored_thresholds(run):
        raise MammoscopeError(
            f"run {run.id}: no threshold for whole mammograms yet; `mammoscope evaluate {run.id[:8]}` on the run's own "
            "source chooses it on validation"
        )


def evaluate_sliding(
    config: TrainConfig,
    tracker: Tracker,
    run: RunInfo,
    data: GatheredData,
    partition: Partition,
    score: Score,
    *,
    prefix: str,
) -> SlidingReport:
    """Metrics and figures as of any evaluation, and those of localisation; class maps of some films."""
    thresholds = None if partition is Partition.validation else _thresholds(config, tracker, run, data, score)
    films = slide_partition(config, data, data.samples[partition], score)
    samples = [film.sample for film in films]
    prefix = f"{prefix}{SLIDING}"
    report = log_evidence(
        tracker, _predictions(config, films, partition), samples, data, thresholds=thresholds, prefix=prefix
    )
    found = localisation_of(films)
    tracker.metrics({f"{prefix}{partition}/localisation/{key}": value for key, value in found.flat().items()})
    looks = [film.look for film in films if film.look is not None]
    facts = f"{len(looks)} of {len(films)} films, windows of {config.image.window_px} film px"
    tracker.figure(
        class_map_figure(looks, f"Class maps: {partition} partition", facts),
        f"figures/{prefix}{partition}_class_map.png",
    )
    return SlidingReport(report, found)


def _predictions(config: TrainConfig, films: Sequence[SlidFilm], partition: Partition) -> Predictions:
    probabilities = np.stack([film.probabilities for film in films])
    samples = [film.sample for film in films]
    return predictions_of(samples, probabilities, partition, ImageVariant.full, config.target.name)


def _thresholds(
    config: TrainConfig, tracker: Tracker, run: RunInfo, data: GatheredData, score: Score
) -> Mapping[Level, float]:
    """Those that an evaluation of validation has stored; else chosen now, which takes a pass over its films."""
    stored = _stored_thresholds(run)
    if stored:
        return stored
    say("sliding over validation first, where the threshold is chosen")
    films = slide_partition(config, data, data.samples[Partition.validation], score)
    evidence, _ = gather_all_evidence(_predictions(config, films, Partition.validation), None)
    chosen = dict(evidence.thresholds)
    tracker.metrics({_threshold_key(level): value for level, value in chosen.items()})
    return chosen


def _stored_thresholds(run: RunInfo) -> dict[Level, float]:
    found = {level: run.metrics.get(_threshold_key(level)) for level in Level}
    return {level: value for level, value in found.items() if value is not None}


def _threshold_key(level: Level) -> str:
    return f"{SLIDING}{Partition.validation}/{level}/threshold"
