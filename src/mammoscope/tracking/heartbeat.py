"""That a run's process lives, told to hosts that cannot see its lock: a tag with the time, by the clock of its host."""

from collections.abc import Mapping
from datetime import UTC, datetime

from mlflow import MlflowClient

HEARTBEAT = "heartbeat"
SILENT_S = 300.0  # several beats: a store may have been away, and clocks of two hosts may differ by a minute


def tell_heartbeat(client: MlflowClient, run_id: str) -> None:
    client.set_tag(run_id, HEARTBEAT, now_text())


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def last_beat(tags: Mapping[str, str]) -> datetime | None:
    """None where there was none that can be read."""
    try:
        told = datetime.fromisoformat(tags[HEARTBEAT])
    except (KeyError, ValueError):
        return None
    return None if told.tzinfo is None else told


def age_s(tags: Mapping[str, str]) -> float | None:
    """Seconds since the last beat, 0 where the other clock is ahead; None where there was none that can be read."""
    told = last_beat(tags)
    return None if told is None else max(0.0, (datetime.now(UTC) - told).total_seconds())
