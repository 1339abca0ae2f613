"""The weights that come by pip are ImageNet's, under the right names: they recognise photographs."""

import cv2
import numpy as np
import pytest
import timm
import torch
from skimage import data

from mammoscope.config import ModelConfig
from mammoscope.models.lite import LITE_PACKAGES
from mammoscope.models.weights import find_weights


def lite_state(backbone: str) -> dict[str, torch.Tensor]:
    overlay = find_weights(ModelConfig(name="lite", backbone=backbone, weights="imagenet")).overlay()
    return overlay["state_dict"]


@pytest.mark.parametrize("backbone", list(LITE_PACKAGES))
def test_every_tensor_has_its_place_in_timm(backbone: str):
    state, ours = lite_state(backbone), timm.create_model(backbone).state_dict()
    assert state.keys() == ours.keys()
    assert all(state[name].shape == ours[name].shape for name in ours)


def test_lite0_has_296_tensors():
    assert len(lite_state("tf_efficientnet_lite0")) == 296


# ImageNet's class numbers that may be called right for these photographs
PHOTOGRAPHS = {"chelsea": {281, 282, 285}, "coffee": {504, 967, 968, 969}, "rocket": {657, 744, 812}}


@pytest.mark.parametrize("name", list(PHOTOGRAPHS))
def test_lite0_recognises_a_photograph(name: str):
    network = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(lite_state("tf_efficientnet_lite0"))
    photograph = getattr(data, name)()
    side = min(photograph.shape[:2])
    top, left = (photograph.shape[0] - side) // 2, (photograph.shape[1] - side) // 2
    square = cv2.resize(photograph[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_AREA)
    with torch.inference_mode():
        image = torch.from_numpy(square.astype(np.float32).transpose(2, 0, 1)[None] / 255)
        best = network.eval()((image - 0.5) / 0.5).topk(3).indices[0].tolist()
    assert PHOTOGRAPHS[name] & set(best)
