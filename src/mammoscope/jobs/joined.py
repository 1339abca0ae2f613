"""A training in several processes, as torchrun starts them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.reporting.console import console
from mammoscope.training.processes import is_first, join, leave
from mammoscope.vocabulary import Trainable


@contextmanager
def joined(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Only the first process says anything in the block.

    Raises MammoscopeError for a config that several processes cannot share.
    """
    share = join(device.type)
    console.quiet = not is_first()
    try:
        if share.processes > 1 and config.model.trainable is Trainable.head:
            raise MammoscopeError(
                "model.trainable=head under torchrun: its features are computed once and one layer learns, which one "
                "process does in seconds; allowed: python train.py"
            )
        if share.processes > 1 and config.optimizer.frozen_epochs:
            raise MammoscopeError(
                f"optimizer.frozen_epochs={config.optimizer.frozen_epochs} under torchrun: processes agree when they "
                "begin on the weights whose gradients they share; allowed: 0, or python train.py"
            )
        if config.trainer.batch_size < 2 * share.processes:
            raise MammoscopeError(
                f"trainer.batch_size={config.trainer.batch_size}: is shared by {share.processes} processes; allowed: "
                f"{2 * share.processes} or more"
            )
        yield
    finally:
        console.quiet = False
        leave()
