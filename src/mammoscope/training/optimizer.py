"""Optimizer and schedule: which weights learn, and how fast at which step."""

import math

import timm.optim
import torch
from torch import nn

from mammoscope.config import OptimizerConfig, ScheduleConfig
from mammoscope.errors import MammoscopeError
from mammoscope.vocabulary import ScheduleName


def check_optimizer(optimizer: OptimizerConfig) -> None:
    """Raises MammoscopeError for a name that timm lacks."""
    names = [str(name) for name in timm.optim.list_optimizers()]
    if optimizer.name not in names:
        allowed = ", ".join(names)
        raise MammoscopeError(f"optimizer.name={optimizer.name}: timm has no such optimizer; allowed: {allowed}")


def build_optimizer(optimizer: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """timm's, which spares biases and norms from weight decay."""
    decay = optimizer.weight_decay
    return timm.optim.create_optimizer_v2(network, opt=optimizer.name, lr=optimizer.lr, weight_decay=decay)


def build_schedule(
    schedule: ScheduleConfig, optimizer: torch.optim.Optimizer, *, epochs: int, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Stepped once a step: linear warm-up, then half a cosine down to `final_lr_fraction`."""
    steps, warmup = epochs * steps_per_epoch, round(schedule.warmup_epochs * steps_per_epoch)

    def fraction(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        way = min(1.0, (step - warmup) / max(1, steps - warmup))
        return schedule.final_lr_fraction + (1 - schedule.final_lr_fraction) * 0.5 * (1 + math.cos(math.pi * way))

    def constant(step: int) -> float:
        return min(1.0, (step + 1) / warmup) if warmup else 1.0

    return torch.optim.lr_scheduler.LambdaLR(optimizer, fraction if schedule.name is ScheduleName.cosine else constant)
