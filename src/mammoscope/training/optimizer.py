"""Optimizer and schedule: which weights learn, and how fast at which step."""

import math
from collections.abc import Mapping
from typing import Any

import timm.optim
import torch
from torch import nn

from mammoscope.config import OptimizerConfig, ScheduleConfig
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import Classifier
from mammoscope.vocabulary import ScheduleName


def check_optimizer(optimizer: OptimizerConfig) -> None:
    """Raises MammoscopeError for a name that timm lacks, and for a momentum that the optimizer would ignore."""
    names = [str(name) for name in timm.optim.list_optimizers()]
    if optimizer.name not in names:
        allowed = ", ".join(names)
        raise MammoscopeError(f"optimizer.name={optimizer.name}: timm has no such optimizer; allowed: {allowed}")
    if optimizer.momentum is not None and not timm.optim.get_optimizer_info(optimizer.name).has_momentum:
        raise MammoscopeError(
            f"optimizer.momentum={optimizer.momentum}: optimizer.name={optimizer.name} takes no momentum; allowed: null"
        )


def build_optimizer(optimizer: OptimizerConfig, network: nn.Module) -> torch.optim.Optimizer:
    """timm's, which spares biases and norms from weight decay. Layers of a Classifier may have rates of their own."""
    arguments: dict[str, Any] = {"lr": optimizer.lr, "weight_decay": optimizer.weight_decay}
    if optimizer.momentum is not None:
        arguments["momentum"] = optimizer.momentum
    if isinstance(network, Classifier) and (optimizer.layer_decay is not None or optimizer.backbone_lr_factor != 1):
        arguments["param_group_fn"] = lambda classifier: rate_groups(classifier, optimizer)
    return timm.optim.create_optimizer_v2(network, opt=optimizer.name, **arguments)


def rate_groups(classifier: Classifier, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
    """A group for each rate and decay, fastest first, so that the rate that a run logs is the head's."""
    scales = _layer_scales(classifier, optimizer.layer_decay) if optimizer.layer_decay is not None else {}
    head = {id(parameter) for parameter in classifier.head_parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in filter(lambda each: each.requires_grad, classifier.parameters()):
        scale = 1.0 if id(parameter) in head else scales.get(id(parameter), optimizer.backbone_lr_factor)
        decay = 0.0 if parameter.ndim <= 1 else optimizer.weight_decay  # as timm has it without rates of their own
        groups.setdefault((scale, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": optimizer.lr * scale, "weight_decay": decay}
        for (scale, decay), parameters in sorted(groups.items(), key=lambda item: item[0], reverse=True)
    ]


def _layer_scales(classifier: Classifier, layer_decay: float) -> Mapping[int, float]:
    """Fraction of the full rate by parameter of the backbone, in the layers that timm tells apart.

    timm leaves it to its own schedulers to apply `lr_scale`; ours takes the rates of the groups as they are.
    """
    groups = timm.optim.param_groups_layer_decay(classifier.backbone, layer_decay=layer_decay)
    below = 1.0 if classifier.fusion is None else layer_decay  # a fused backbone ends below the head
    return {id(parameter): below * group["lr_scale"] for group in groups for parameter in group["params"]}


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
