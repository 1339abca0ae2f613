"""One run, written to. The silent double keeps the training loop free of `if logging:`."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, final

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NOTE
from mlflow.utils.validation import (
    MAX_DATASET_DIGEST_SIZE,
    MAX_INPUT_TAG_VALUE_SIZE,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
)

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.privacy import refuse_pickle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Status = Literal["FINISHED", "FAILED", "KILLED"]
Setting = str | int | float | bool | None | Sequence[str | int | float]
Item = TypeVar("Item")


class Tracker(Protocol):
    """What a job tells about one run. Artifact paths have forward slashes and start at the run's own artifacts."""

    @property
    def run_id(self) -> str: ...

    @property
    def folder(self) -> Path:
        """Stays on this disk: checkpoints, the whole config."""

    def params(self, params: Mapping[str, Setting]) -> None: ...

    def tags(self, tags: Mapping[str, str]) -> None: ...

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def figure(self, figure: "Figure", path: str) -> None: ...

    def file(self, path: Path, folder: str | None = None) -> None: ...

    def text(self, text: str, path: str) -> None: ...

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None: ...

    def describe(self, markdown: str) -> None: ...

    def finish(self, status: Status) -> None: ...


@final
class MlflowTracker:
    """Writes to one run by its id: no active run, no global state, so runs of one process do not meet."""

    def __init__(
        self, client: MlflowClient, run_id: str, folder: Path, life: FileLock | None, *, continued: Run | None = None
    ):
        """continued: the run as a process before left it: what it has logged is not logged twice."""
        self.run_id = run_id
        self.folder = folder
        self._client = client
        self._life = life  # held as long as the run lives; None for a run that had ended when it was opened again
        self._not_finite: dict[str, str] = {}
        self._known_params = frozenset(continued.data.params) if continued is not None else frozenset[str]()
        self._last_steps: dict[str, int] | None = {} if continued is not None else None  # by key, as they are asked for

    def params(self, params: Mapping[str, Setting]) -> None:
        """Values read as in YAML: null, true, 0.1. One over 6,000 characters becomes the artifact params/<key>.txt.

        Raises mlflow.MlflowException for a key that was given another value before, or that MLflow cannot hold.
        """
        new = {key: value for key, value in params.items() if key not in self._known_params}
        rows = [Param(key, self._param(key, value)) for key, value in new.items()]
        for some in _slices(rows, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self.run_id, params=some)

    def _param(self, key: str, value: Setting) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) <= MAX_PARAM_VAL_LENGTH:
            return text
        path = f"params/{key}.txt"
        self.text(text, path)
        return f"in the artifact {path}: {len(text)} characters, SHA-256 {hashlib.sha256(text.encode()).hexdigest()}"

    def tags(self, tags: Mapping[str, str]) -> None:
        """Raises MammoscopeError for a value over 8,000 characters, which MLflow would cut without a word."""
        for some in _slices(run_tags(tags), MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self.run_id, tags=some)

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """One call for all. A value that is not finite leaves a hole in its curve and a tag `not_finite.<metric>`.

        MLflow would store infinity as 1.8e308 and draw it; a NaN it would show as the latest value.
        """
        now_ms = int(time.time() * 1000)
        new = {key: value for key, value in metrics.items() if step > self._last_step(key)}
        finite = {key: float(value) for key, value in new.items() if math.isfinite(value)}
        notes = [self._note(key, value, step) for key, value in new.items() if key not in finite]
        rows = [Metric(key, value, now_ms, step) for key, value in finite.items()]
        for some in _slices(rows, MAX_METRICS_PER_BATCH - len(notes)):
            self._client.log_batch(self.run_id, metrics=some, tags=notes)
            notes = []
        if notes:
            self._client.log_batch(self.run_id, tags=notes)

    def _last_step(self, key: str) -> int:
        """The last step that a process before this one has logged of a metric; -1 for none."""
        if self._last_steps is None:
            return -1
        if key not in self._last_steps:
            history = self._client.get_metric_history(self.run_id, key)
            self._last_steps[key] = max((metric.step for metric in history), default=-1)
        return self._last_steps[key]

    def _note(self, key: str, value: float, step: int) -> RunTag:
        first = self._not_finite.setdefault(key, f"{value} at step {step}")
        text = first if first == f"{value} at step {step}" else f"first {first}, last {value} at step {step}"
        return RunTag(f"not_finite.{key}", text)

    def figure(self, figure: "Figure", path: str) -> None:
        """A picture of the Artifacts tab; the suffix of `path` says which format."""
        self._client.log_figure(self.run_id, figure, path)

    def file(self, path: Path, folder: str | None = None) -> None:
        """A copy of the file at `path`, under its own name in `folder`. Raises MammoscopeError for a pickle."""
        refuse_pickle(path)
        self._client.log_artifact(self.run_id, str(path), folder)

    def text(self, text: str, path: str) -> None:
        self._client.log_text(self.run_id, text, path)

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None:
        """An input of the run, as the UI's Datasets column shows it; `context` is its partition.

        MLflow takes 36 characters of a digest: of a longer one it shows the first 32; the tag `digest` is the whole.
        """
        whole = {"digest": digest} if len(digest) > MAX_DATASET_DIGEST_SIZE else {}
        shown = digest[:32] if whole else digest
        source = json.dumps({"name": name, "digest": digest})
        inputs = [InputTag(key, value) for key, value in {MLFLOW_DATASET_CONTEXT: context, **tags, **whole}.items()]
        for tag in inputs:
            _check_length(f"dataset tag {tag.key}", tag.value, MAX_INPUT_TAG_VALUE_SIZE)
        dataset = Dataset(name=name, digest=shown, source_type="mammoscope", source=source)
        try:
            self._client.log_inputs(self.run_id, [DatasetInput(dataset, inputs)])
        except MlflowException:
            # MLflow looks whether the dataset is there and then adds it: of two processes that do so at once, one is
            # refused by the database, each database in its own words. By now it is there.
            self._client.log_inputs(self.run_id, [DatasetInput(dataset, inputs)])

    def describe(self, markdown: str) -> None:
        """The run's description in the UI, at most 8,000 characters of Markdown."""
        self.tags({MLFLOW_RUN_NOTE: markdown})

    def finish(self, status: Status) -> None:
        self._client.set_terminated(self.run_id, status)
        self.let_go()

    def let_go(self) -> None:
        """Gives up the lock that says: my process lives."""
        if self._life is not None:
            self._life.release()


@final
class NullTracker:
    """Keeps nothing and tells nobody; `folder` is still a place to write checkpoints to."""

    def __init__(self, folder: Path):
        self.run_id = "none"
        self.folder = folder

    def params(self, params: Mapping[str, Setting]) -> None: ...

    def tags(self, tags: Mapping[str, str]) -> None: ...

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def figure(self, figure: "Figure", path: str) -> None: ...

    def file(self, path: Path, folder: str | None = None) -> None: ...

    def text(self, text: str, path: str) -> None: ...

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None: ...

    def describe(self, markdown: str) -> None: ...

    def finish(self, status: Status) -> None: ...


def run_tags(tags: Mapping[str, str]) -> list[RunTag]:
    """Raises MammoscopeError for a value that MLflow would cut."""
    for key, value in tags.items():
        _check_length(f"tag {key}", value, MAX_TAG_VAL_LENGTH)
    return [RunTag(key, value) for key, value in tags.items()]


def _check_length(what: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise MammoscopeError(f"{what}: {len(value)} characters; allowed: at most {longest}")


def _slices(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
