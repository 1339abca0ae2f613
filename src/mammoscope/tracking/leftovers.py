"""What processes that are gone have left in their runs' outboxes, sent by whoever comes next."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlflow import MlflowClient

from mammoscope.tracking.entries import post
from mammoscope.tracking.journal import OUTBOX, Journal, outboxes, take_journal
from mammoscope.tracking.outage import NO_SUCH_RUN, reason
from mammoscope.tracking.sender import send_some


@dataclass(slots=True)
class Delivery:
    """What became of the outboxes of one run."""

    run_id: str
    sent: int = 0
    left: int = 0
    refusals: list[str] = field(default_factory=list)
    why_left: str = ""
    address: str = ""  # of the store for which entries are left
    is_store_away: bool = False


def deliver(folder: Path, client: MlflowClient) -> list[Delivery]:
    """A row for each run below `folder` that had anything to send. Two at once share the runs between them.

    Where the store does not answer, the rest is counted and not tried.
    """
    deliveries: list[Delivery] = []
    for run_folder in _with_outbox(folder):
        is_store_away = any(delivery.is_store_away for delivery in deliveries)
        delivery = Delivery(run_folder.name, is_store_away=is_store_away)
        for outbox in outboxes(run_folder):
            journal = take_journal(outbox)
            if journal is not None:
                _send_all(journal, client, delivery)
        if delivery.sent or delivery.left or delivery.refusals:
            deliveries.append(delivery)
    return deliveries


def _with_outbox(folder: Path) -> Iterator[Path]:
    yield from (path.parent for path in sorted(folder.glob(f"runs/*/{OUTBOX}")))


def _send_all(journal: Journal, client: MlflowClient, delivery: Delivery) -> None:
    try:
        while not delivery.left and not delivery.is_store_away:
            step = send_some(journal, partial(post, client, delivery.run_id))
            if step.done == 0:
                break
            delivery.sent += step.done - (step.refusal is not None)
            delivery.refusals += [] if step.refusal is None else [step.refusal]
    except Exception as error:  # said by the caller, who goes on with other runs
        delivery.why_left = reason(error)
        delivery.is_store_away = getattr(error, "error_code", None) != NO_SUCH_RUN
    finally:
        delivery.left += journal.count_unsent()
        delivery.address = journal.address
        journal.close()
