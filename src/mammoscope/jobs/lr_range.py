"""`python train.py debug=lr_range`: one step at each of a row of growing rates, and the rate that they suggest."""

import csv
import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from mammoscope.config import TrainConfig
from mammoscope.data.batches import Batch, train_batches
from mammoscope.files import all_written_whole
from mammoscope.jobs.provenance import run_name
from mammoscope.jobs.rehearsal import Rehearsal, rehearse
from mammoscope.reporting.console import console, say
from mammoscope.reporting.lr_range import lr_range_figure, lr_range_table
from mammoscope.training.device import find_workers
from mammoscope.training.rate import Range, growing_rates, has_diverged, smooth
from mammoscope.vocabulary import Partition


def lr_range(config: TrainConfig) -> Range:
    """Leaves `<run name>-lr_range.csv` and `.png` in `debug.folder`. The rates are the head's where it has its own.

    Raises MammoscopeError as a run would.
    """
    debug = config.debug
    assert debug is not None, "the menu chose this"
    assert debug.lr_from is not None, "checks ask for it"
    assert debug.lr_to is not None, "checks ask for it"
    rehearsal = rehearse(config)
    found = _climb(rehearsal, growing_rates(debug.lr_from, debug.lr_to, debug.steps))
    console.print(lr_range_table(found.rates, found.losses, found.smoothed))
    say(_verdict(found))
    assert debug.folder is not None, "checks ask for it"
    table, picture = _write(found, Path(debug.folder), f"{run_name(rehearsal.config)}-lr_range")
    say(f"table {table}\npicture {picture}")
    return found


def _climb(rehearsal: Rehearsal, rates: list[float]) -> Range:
    """Ends where the loss has blown up."""
    full = rehearsal.config.optimizer.lr
    shares = [group["lr"] / full for group in rehearsal.optimizer.param_groups]  # a backbone may be slower
    losses: list[float] = []
    smoothed: list[float] = []
    for rate, batch in zip(rates, _batches(rehearsal), strict=False):
        for group, share in zip(rehearsal.optimizer.param_groups, shares, strict=True):
            group["lr"] = rate * share
        loss = float(rehearsal.step(batch)[0])
        if not math.isfinite(loss):
            break
        losses.append(loss)
        smoothed = smooth(losses)
        if has_diverged(smoothed):
            break
    return Range(tuple(rates[: len(losses)]), tuple(losses), tuple(smoothed))


def _batches(rehearsal: Rehearsal) -> Iterator[Batch]:
    """As a run shows them, epoch after epoch; of full size, because a small one's loss says less."""
    config = rehearsal.config
    batches = train_batches(
        rehearsal.data.samples[Partition.train],
        rehearsal.data.stores,
        config.augment,
        rehearsal.draws,
        batch_size=min(config.trainer.batch_size, len(rehearsal.draws)),
        workers=find_workers(config.trainer, rehearsal.fabric.device),
        seed=config.seed,
        pin=False,
    )
    for number in count():
        yield from (batch for batch in batches.epoch(number) if len(batch.targets) == _size(rehearsal))


def _size(rehearsal: Rehearsal) -> int:
    return min(rehearsal.config.trainer.batch_size, len(rehearsal.draws))


def _verdict(found: Range) -> str:
    if found.suggested is None:
        return "no rate is suggested: the smoothed loss never fell by 5 %; try other debug.lr_from and debug.lr_to"
    return (
        f"suggested: optimizer.lr={found.suggested:.2g} (a tenth of {found.rates[found.lowest]:.2g}, at which the "
        "smoothed loss is lowest)"
    )


def _write(found: Range, folder: Path, name: str) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    table, picture = folder / f"{name}.csv", folder / f"{name}.png"
    with all_written_whole([table, picture]) as (rows, pixels):
        with open(rows, "w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["step", "lr", "loss", "smoothed_loss"])
            writer.writerows(zip(count(), found.rates, found.losses, found.smoothed, strict=False))
        lr_range_figure(found.rates, found.losses, found.smoothed, found.suggested, name).savefig(pixels, format="png")
    return table, picture
