"""model.head_start=probe: the head that a training begins with, fitted on frozen features."""

import numpy as np
import pytest
import torch

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig
from mammoscope.data.batches import Batch
from mammoscope.data.draws import Draws
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import build_classifier
from mammoscope.training.device import build_fabric
from mammoscope.training.loop import score
from mammoscope.training.losses import build_loss
from mammoscope.training.probe import start_from_probe
from mammoscope.vocabulary import BatchNorm, HeadStart, ImageVariant, LossName, Precision, TargetPolicy, Trainable

LITE = "tf_efficientnet_lite0"
SIZE = ImageConfig(name=ImageVariant.full, height_px=32, width_px=32)
BCE, MALIGNANCY = LossConfig(name=LossName.bce), TargetConfig(name=TargetPolicy.malignancy)


class Stripes:
    """40 noisy images: every other one has stripes, which are what is to be told."""

    def __init__(self, seed: int) -> None:
        pixels = np.random.default_rng(seed).integers(0, 20000, (40, 1, 32, 32))
        pixels[1::2, :, ::4] += 20000
        self.images = torch.from_numpy(pixels.astype(np.uint16))

    def epoch(self, number: int, start: int = 0):
        for picks in torch.arange(40).split(20)[start:]:
            yield Batch(self.images[picks], (picks % 2).float(), picks)


def test_the_head_tells_the_classes_before_anything_else_has_learnt():
    model = ModelConfig(name=LITE, backbone=LITE, weights="imagenet", head_start=HeadStart.probe)
    classifier, _ = build_classifier(model, SIZE, BCE, MALIGNANCY)
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    fabric = build_fabric(torch.device("cpu"), Precision.fp32)
    loss = build_loss(BCE, [0, 1], np.ones(2))
    train, validation = Stripes(0), Stripes(1)

    probe = start_from_probe(fabric, classifier, train, validation, Draws([0] * 40, seed=0), loss, batch_size=20)

    moved = {name for name, tensor in classifier.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"backbone.classifier.weight", "backbone.classifier.bias"}
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert probe.loss_before == pytest.approx(np.log(2), rel=1e-3)
    assert probe.loss < 0.3 * probe.loss_before
    told = torch.from_numpy(score(fabric, classifier, validation)[:, 1])
    wanted = (torch.arange(40) % 2).double()
    assert torch.nn.functional.binary_cross_entropy(told, wanted).item() == pytest.approx(probe.loss, rel=1e-2)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"head_start": HeadStart.probe}, r"^model\.head_start=probe: no pretrained weights for resnet10t"),
        ({"batch_norm": BatchNorm.frozen}, r"^model\.batch_norm=frozen: no pretrained weights for resnet10t"),
        ({"frozen_stages": 2}, r"^model\.frozen_stages=2: no pretrained weights for resnet10t"),
        ({"trainable": Trainable.head}, r"^model\.trainable=head: no pretrained weights for resnet10t"),
    ],
)
def test_where_auto_finds_no_weights_what_stands_on_them_is_refused(setting, said: str, monkeypatch):
    monkeypatch.setattr("mammoscope.models.classifier.find_weights", lambda model: _random())
    with pytest.raises(MammoscopeError, match=said):
        build_classifier(ModelConfig(name="r", backbone="resnet10t", **setting), SIZE, BCE, MALIGNANCY)


def _random():
    from mammoscope.models.weights import RANDOM

    return RANDOM


def test_a_network_without_batch_norm_has_none_to_freeze(tmp_path):
    from safetensors.torch import save_file

    backbone, size = "convnext_atto", ImageConfig(name=ImageVariant.full, height_px=64, width_px=64)
    classifier, _ = build_classifier(ModelConfig(name="c", backbone=backbone, weights="none"), size, BCE, MALIGNANCY)
    save_file(classifier.state_dict(), tmp_path / "w.safetensors")
    model = ModelConfig(
        name="c", backbone=backbone, weights=str(tmp_path / "w.safetensors"), batch_norm=BatchNorm.frozen
    )
    with pytest.raises(MammoscopeError, match=r"model\.batch_norm=frozen: convnext_atto has no batch norm"):
        build_classifier(model, size, BCE, MALIGNANCY)
