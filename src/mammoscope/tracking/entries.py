"""What a run tells, one frozen row at a time: as a line of its journal, and as the call that sends it to MLflow.

Sending a row twice changes nothing: MLflow keeps one of two metrics that agree in key, step, timestamp and value (which
is why the time is the journal's), params, tags and inputs are what they already are, an artifact replaces itself.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import MAX_METRICS_PER_BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """At most 100 params or tags, and 1,000 rows in all; metrics are finite."""

    time_ms: int
    step: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    copy: str  # where the file waits, relative to the outbox
    folder: str | None  # of the run's artifacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    name: str
    digest: str
    source: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    time_ms: int
    status: str


Entry = Batch | Artifact | Input | End
KINDS: dict[str, type[Entry]] = {"batch": Batch, "artifact": Artifact, "input": Input, "end": End}
NAMES = {kind: name for name, kind in KINDS.items()}
Post = Callable[[Path, Sequence[Entry]], None]  # the outbox, and entries that one call can take


def to_line(entry: Entry) -> str:
    return json.dumps({"kind": NAMES[type(entry)], **asdict(entry)})


def from_line(line: str) -> Entry:
    row = json.loads(line)
    return KINDS[row.pop("kind")](**row)


def title(entry: Entry) -> str:
    """The entry for a message: its keys, or its path."""
    match entry:
        case Batch():
            told = (("param", entry.params), ("tag", entry.tags), ("metric", entry.metrics))
            return "; ".join(f"{what} {', '.join(keys)}" for what, keys in told if keys)
        case Artifact():
            return f"artifact {'/'.join(filter(None, (entry.folder, Path(entry.copy).name)))}"
        case Input():
            return f"dataset {entry.name}"
        case End():
            return f"status {entry.status}"


def first_call(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The first entry, with as many metrics behind it as fit into its call where it holds metrics alone."""
    count, metrics = 0, 0
    for entry in entries:
        if not isinstance(entry, Batch) or entry.params or entry.tags:
            break
        metrics += len(entry.metrics)
        if metrics > MAX_METRICS_PER_BATCH:
            break
        count += 1
    return entries[: max(count, 1)]


def post(client: MlflowClient, run_id: str, outbox: Path, entries: Sequence[Entry]) -> None:
    """Sends one entry, or several that first_call put together."""
    if all(isinstance(entry, Batch) for entry in entries):
        batches = [entry for entry in entries if isinstance(entry, Batch)]
        client.log_batch(
            run_id,
            metrics=[Metric(key, value, b.time_ms, b.step) for b in batches for key, value in b.metrics.items()],
            params=[Param(key, value) for b in batches for key, value in b.params.items()],
            tags=[RunTag(key, value) for b in batches for key, value in b.tags.items()],
        )
        return
    (entry,) = entries
    match entry:
        case Artifact():
            client.log_artifact(run_id, str(outbox / entry.copy), entry.folder)
        case Input():
            _post_input(client, run_id, entry)
        case End():
            client.set_terminated(run_id, entry.status, entry.time_ms)


def _post_input(client: MlflowClient, run_id: str, entry: Input) -> None:
    tags = [InputTag(key, value) for key, value in entry.tags.items()]
    dataset = Dataset(name=entry.name, digest=entry.digest, source_type="mammoscope", source=entry.source)
    try:
        client.log_inputs(run_id, [DatasetInput(dataset, tags)])
    except MlflowException:
        # MLflow looks whether the dataset is there and then adds it: of two processes that do so at once, one is
        # refused by the database, each database in its own words. By now it is there.
        client.log_inputs(run_id, [DatasetInput(dataset, tags)])
