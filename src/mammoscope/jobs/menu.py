"""What `python train.py` does: a run, or what `debug=` names in place of one."""

from collections.abc import Callable

from mammoscope.config import TrainConfig
from mammoscope.jobs.lr_range import lr_range
from mammoscope.jobs.one_batch import one_batch
from mammoscope.jobs.train import train
from mammoscope.vocabulary import Debug

DEBUG: dict[Debug, Callable[[TrainConfig], object]] = {Debug.one_batch: one_batch, Debug.lr_range: lr_range}


def run(config: TrainConfig) -> None:
    """Raises MammoscopeError as the job does."""
    job = train if config.debug is None else DEBUG[config.debug.name]
    job(config)
