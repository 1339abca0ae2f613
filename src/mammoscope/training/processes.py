"""The processes that torchrun starts together, each with its share of every batch. Alone, all of this does nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import distributed

from mammoscope.data.draws import ALONE, Share

T = TypeVar("T")


def join(device_type: str) -> Share:
    """Meets the processes that torchrun has started, where it has; returns which of them this is."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        return ALONE
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device_type == "cuda" else "gloo")
    return share()


def leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def share() -> Share:
    return Share(distributed.get_rank(), distributed.get_world_size()) if distributed.is_initialized() else ALONE


def is_first() -> bool:
    """Whether this is the process that talks, tracks and writes."""
    return share().rank == 0


def everyone(value: T) -> list[T]:
    """Each process's value, by rank, in all of them."""
    values: list[T | None] = [None] * share().processes
    if not distributed.is_initialized():
        return [value]
    distributed.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def from_first(value: T) -> T:
    """The first process's value, in all of them."""
    if not distributed.is_initialized():
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def any_of(flag: bool) -> bool:
    return any(everyone(flag))


def mean_of(tensor: torch.Tensor) -> torch.Tensor:
    """Over the processes, element by element."""
    if distributed.is_initialized():
        distributed.all_reduce(tensor)
        tensor /= share().processes
    return tensor


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The others enter the block when the first process has left it, and then find what it has made."""
    if not is_first():
        from_first(None)
    yield
    if is_first():
        from_first(None)
