import dataclasses

import numpy as np
import pytest
import timm
import torch

from mammoscope.inference.package import PackageFacts

FACTS = PackageFacts(
    backbone="resnet18",
    model_kwargs={},
    num_classes=1,
    classes=("benign", "malignant"),
    malignant=("malignant",),
    mean=0.45,
    std=0.23,
    height_px=40,
    width_px=32,
    loss="bce",
    threshold=0.5,
    threshold_level="image",
    preprocessing="0123456789abcdef",
    certificate="c" * 64,
    run_id="r" * 32,
    data="mass",
    image="full",
    view="both",
    target="malignancy",
    is_phantom=True,
)


@pytest.fixture
def facts() -> PackageFacts:
    return dataclasses.replace(FACTS)


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model("resnet18", in_chans=1, num_classes=1).eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (5, 40, 32), dtype=np.uint16)
