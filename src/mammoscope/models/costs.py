"""What a network costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def costs_of(network: nn.Module, views: int, height_px: int, width_px: int) -> dict[str, float]:
    """Parameters, in millions, and floating-point operations of a sample's images, in 1e9, scoring."""
    image = torch.zeros((1, views, height_px, width_px), device=next(network.parameters()).device)
    was_training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    network.train(was_training)
    return {
        "cost/parameters_million": sum(weight.numel() for weight in network.parameters()) / 1e6,
        "cost/gflops_per_image": counter.get_total_flops() / 1e9,
    }
