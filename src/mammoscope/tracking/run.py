"""One run, written to. The silent double keeps the training loop free of `if logging:`."""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol, final

from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NOTE
from mlflow.utils.validation import (
    MAX_DATASET_DIGEST_SIZE,
    MAX_DATASET_NAME_SIZE,
    MAX_INPUT_TAG_VALUE_SIZE,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
)

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.entries import Artifact, Batch, End, Entry, Input
from mammoscope.tracking.limits import check_artifact, check_key, check_length, check_tags, slices
from mammoscope.tracking.privacy import refuse_pickle
from mammoscope.tracking.sender import Sender

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Status = Literal["FINISHED", "FAILED", "KILLED"]
Setting = str | int | float | bool | None | Sequence[str | int | float]
METRICS_A_CALL = MAX_METRICS_PER_BATCH - MAX_PARAMS_TAGS_PER_BATCH  # which leaves room for notes on those not finite
SYSTEM = "system/"  # before the keys of what is said of the machine
PATIENCE_S = 60.0  # how long the end of a run waits for a store that does not answer
LAST_TRY_S = 10.0  # once that was in vain, or where a person or an error ended the run


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

    def sample(self, metrics: Mapping[str, float]) -> None:
        """One more row about the machine, from any thread; it counts its steps by itself."""

    def figure(self, figure: "Figure", path: str) -> None: ...

    def file(self, path: Path, folder: str | None = None) -> None: ...

    def text(self, text: str, path: str) -> None: ...

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None: ...

    def describe(self, markdown: str) -> None: ...

    def flush(self) -> int:
        """How much of this the store does not have yet, after waiting for it; 0 is the rule."""

    def finish(self, status: Status) -> None: ...


class Life(Protocol):
    """What says that a run lives: an flock on its folder, which the kernel drops with the process."""

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Logged:
    """What the store has of a run already."""

    params: frozenset[str] = frozenset()
    last_steps: Mapping[str, int] = field(default_factory=dict)  # by metric


@final
class MlflowTracker:
    """Writes to one run by its id: no active run, no global state, so runs of one process do not meet.

    What it is told goes to the run's outbox on this disk, whence a thread sends it: no call here waits for a network.

    Raises, in every call that tells something: MammoscopeError for what MLflow cannot hold, and once for what the store
    has refused meanwhile; OSError where the disk takes no more.
    """

    def __init__(self, run_id: str, folder: Path, sender: Sender, life: Life | None, *, logged: Logged | None = None):
        """logged: what a process before this one has told of the run, and what is not told twice."""
        self.run_id = run_id
        self.folder = folder
        self._sender = sender
        self._life = life  # held as long as the run lives; None for a run that had ended when it was opened again
        self._known_params = logged.params if logged is not None else frozenset[str]()
        self._last_steps = dict(logged.last_steps) if logged is not None else {}
        self._params: dict[str, str] = {}
        self._not_finite: dict[str, str] = {}
        self._was_in_vain = False  # waiting for the store
        sampled = (step for key, step in self._last_steps.items() if key.startswith(SYSTEM))
        self._samples = 1 + max(sampled, default=-1)

    def params(self, params: Mapping[str, Setting]) -> None:
        """Values read as in YAML: null, true, 0.1. One over 6,000 characters becomes the artifact params/<key>.txt.

        Raises MammoscopeError for a key that was given another value before, or that MLflow cannot hold.
        """
        for key in params:
            check_key("param", key)
        rows = {key: self._param(key, value) for key, value in params.items() if key not in self._known_params}
        self._append(Batch(time_ms=_now_ms(), params=dict(some)) for some in slices(list(rows.items())))

    def _param(self, key: str, value: Setting) -> str:
        whole = shown = value if isinstance(value, str) else json.dumps(value)
        path = f"params/{key}.txt"
        if len(whole) > MAX_PARAM_VAL_LENGTH:
            digest = hashlib.sha256(whole.encode()).hexdigest()
            shown = f"in the artifact {path}: {len(whole)} characters, SHA-256 {digest}"
        first = self._params.setdefault(key, shown)
        if shown != first:
            raise MammoscopeError(f"param {key}: was {first} before, and cannot become {shown}")
        if shown != whole:
            self.text(whole, path)
        return shown

    def tags(self, tags: Mapping[str, str]) -> None:
        """Raises MammoscopeError for a value over 8,000 characters, which MLflow would cut without a word."""
        check_tags(tags)
        self._append(Batch(time_ms=_now_ms(), tags=dict(some)) for some in slices(list(tags.items())))

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """A step that was told before is not told twice: a training that went back goes through it again.

        A value that is not finite leaves a hole in its curve and a tag `not_finite.<metric>`.

        MLflow would store infinity as 1.8e308 and draw it; a NaN it would show as the latest value.
        """
        now_ms = _now_ms()
        for key in metrics:
            check_key("metric", key)
        new = {key: value for key, value in metrics.items() if step > self._last_steps.get(key, -1)}
        self._last_steps.update(dict.fromkeys(new, step))
        finite = [(key, float(value)) for key, value in new.items() if math.isfinite(value)]
        notes = {f"not_finite.{key}": self._note(key, v, step) for key, v in new.items() if not math.isfinite(v)}
        rows = zip_longest(slices(finite, METRICS_A_CALL), slices(list(notes.items())), fillvalue=())
        self._append(Batch(time_ms=now_ms, step=step, metrics=dict(some), tags=dict(told)) for some, told in rows)

    def sample(self, metrics: Mapping[str, float]) -> None:
        """Goes on counting where the process before this one left off. What the store refused is not heard here."""
        batch = Batch(time_ms=_now_ms(), step=self._samples, metrics=dict(metrics))
        self._samples += 1
        self._sender.append([batch])

    def _note(self, key: str, value: float, step: int) -> str:
        last = f"{value} at step {step}"
        first = self._not_finite.setdefault(key, last)
        return last if first == last else f"first {first}, last {last}"

    def figure(self, figure: "Figure", path: str) -> None:
        """A picture of the Artifacts tab; the suffix of `path` says which format."""
        with self._new_artifact(path) as file:
            figure.savefig(file)

    def file(self, path: Path, folder: str | None = None) -> None:
        """A copy of the file at `path`, under its own name in `folder`. Raises MammoscopeError for a pickle."""
        refuse_pickle(path)
        with self._new_artifact(path.name if folder is None else f"{folder}/{path.name}") as file:
            shutil.copyfile(path, file)

    def text(self, text: str, path: str) -> None:
        with self._new_artifact(path) as file:
            file.write_text(text, encoding="utf-8", newline="")

    def written(self, content: bytes, path: str) -> None:
        with self._new_artifact(path) as file:
            file.write_bytes(content)

    @contextmanager
    def _new_artifact(self, path: str) -> Iterator[Path]:
        check_artifact(path)
        inside = PurePosixPath(path)
        with self._sender.journal.new_file(inside.name) as file:
            yield file
        folder = None if inside.parent == PurePosixPath() else str(inside.parent)
        self._append([Artifact(copy=self._sender.journal.copy_of(file), folder=folder)])

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None:
        """An input of the run, as the UI's Datasets column shows it; `context` is its partition.

        MLflow takes 36 characters of a digest: of a longer one it shows the first 32; the tag `digest` is the whole.
        """
        check_length("dataset name", name, MAX_DATASET_NAME_SIZE)
        whole = {"digest": digest} if len(digest) > MAX_DATASET_DIGEST_SIZE else {}
        rows = {MLFLOW_DATASET_CONTEXT: context, **tags, **whole}
        for key, value in rows.items():
            check_length(f"dataset tag {key}", value, MAX_INPUT_TAG_VALUE_SIZE)
        source = json.dumps({"name": name, "digest": digest})
        self._append([Input(name=name, digest=digest[:32] if whole else digest, source=source, tags=rows)])

    def describe(self, markdown: str) -> None:
        """The run's description in the UI, at most 8,000 characters of Markdown."""
        self.tags({MLFLOW_RUN_NOTE: markdown})

    def flush(self) -> int:
        """Waits until the store has everything, a minute at most; returns how many entries still wait.

        Raises MammoscopeError for what the store refused.
        """
        if self._sender.is_away and not self._was_in_vain:
            self._sender.say(f"waiting up to {PATIENCE_S:.0f} s for {self._sender.address}")
        left = self._sender.flush(LAST_TRY_S if self._was_in_vain else PATIENCE_S)
        self._was_in_vain = left > 0
        self._sender.check()
        return left

    def finish(self, status: Status) -> None:
        """Waits as flush() does; what is left then waits on this disk, the status with it, and this is said."""
        self._sender.append([End(time_ms=_now_ms(), status=status)])
        self._was_in_vain = self._was_in_vain or status != "FINISHED"
        self.close()

    def close(self) -> None:
        """Sends what is left, and lets the run go with the status that it has."""
        try:
            if left := self.flush():
                where = f"{self._sender.address} on this disk"
                self._sender.say(
                    f"run {self.run_id}: {left} entries wait for {where}; `mammoscope runs --sync` sends them"
                )
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Ends as if the process had died: what was not sent stays in the outbox, and the lock falls."""
        self._sender.stop()
        if self._life is not None:
            self._life.release()

    def _append(self, entries: Iterable[Entry]) -> None:
        self._sender.check()
        self._sender.append(list(entries))


def _now_ms() -> int:
    return int(time.time() * 1000)


@final
class NullTracker:
    """Keeps nothing and tells nobody; `folder` is still a place to write checkpoints to."""

    def __init__(self, folder: Path):
        self.run_id = "none"
        self.folder = folder

    def params(self, params: Mapping[str, Setting]) -> None: ...

    def tags(self, tags: Mapping[str, str]) -> None: ...

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None: ...

    def sample(self, metrics: Mapping[str, float]) -> None: ...

    def figure(self, figure: "Figure", path: str) -> None: ...

    def file(self, path: Path, folder: str | None = None) -> None: ...

    def text(self, text: str, path: str) -> None: ...

    def dataset(self, name: str, digest: str, context: str, tags: Mapping[str, str]) -> None: ...

    def describe(self, markdown: str) -> None: ...

    def flush(self) -> int:
        return 0

    def finish(self, status: Status) -> None: ...
