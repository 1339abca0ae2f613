"""RUN on the command line -> one run, or an error that says which there are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from mammoscope.errors import MammoscopeError

ID = re.compile(r"[0-9a-f]{1,32}")
PAGE = 1000
LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run as it stands in the store; `metrics` are the latest values."""

    id: str
    name: str
    status: str
    experiment_id: str
    started: datetime
    ended: datetime | None  # None while it is RUNNING
    folder: Path  # on this disk; there only if the run was made here
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]

    @property
    def description(self) -> str:
        """What Tracker.describe said last; blank where nothing was said."""
        return self.tags.get(MLFLOW_RUN_NOTE, "")


def run_info(run: Run, folder: Path) -> RunInfo:
    """`folder` is the store's."""
    return RunInfo(
        id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        experiment_id=run.info.experiment_id,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        ended=None if run.info.end_time is None else datetime.fromtimestamp(run.info.end_time / 1000, UTC),
        folder=run_folder(folder, run.info.run_id),
        tags=run.data.tags,
        params=run.data.params,
        metrics=run.data.metrics,
    )


def run_folder(folder: Path, run_id: str) -> Path:
    return folder / "runs" / run_id


def find_run(client: MlflowClient, experiment_id: str, reference: str) -> Run:
    """The run whose id, unique prefix of an id, or name `reference` is: in this experiment, else in the store's others.

    Raises MammoscopeError where there is none (with the latest runs) or several (with all of them).
    """
    others = [e.experiment_id for e in client.search_experiments() if e.experiment_id != experiment_id]
    for ids in ([experiment_id], others):
        found = _matching(client, ids, reference) if ids else []
        if len(found) > 1:
            raise MammoscopeError(f"run {reference}: fits {len(found)} runs; allowed: one of\n{_listed(found)}")
        if found:
            return found[0]
    latest = client.search_runs([experiment_id], max_results=LISTED)
    raise MammoscopeError(
        f"run {reference}: there is none; allowed: an id, a unique prefix of one, or a name: "
        + (f"\n{_listed(latest)}" if latest else "the experiment has no runs yet")
    )


def _matching(client: MlflowClient, experiment_ids: Sequence[str], reference: str) -> list[Run]:
    quote = '"' if "'" in reference else "'"
    found: list[Run] = []
    if quote not in reference:  # MLflow's filter language has no escapes: a name with both quotes is found by its id
        found += search(client, experiment_ids, f"attributes.run_name = {quote}{reference}{quote}")
    if ID.fullmatch(reference):
        found += search(client, experiment_ids, f"attributes.run_id LIKE '{reference}%'")
    return list({run.info.run_id: run for run in found}.values())


def search(client: MlflowClient, experiment_ids: Sequence[str], condition: str) -> Iterator[Run]:
    """All runs that fulfil a condition in MLflow's filter language, latest first."""
    token = None
    while True:
        page = client.search_runs(list(experiment_ids), condition, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _listed(runs: Sequence[Run]) -> str:
    lines = [
        f"  {run.info.run_id}  {run.info.run_name}  {run.info.status}  "
        f"{datetime.fromtimestamp(run.info.start_time / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        for run in runs[:LISTED]
    ]
    return "\n".join([*lines, *([f"  and {len(runs) - LISTED} more"] if len(runs) > LISTED else [])])
