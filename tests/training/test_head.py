from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig
from mammoscope.data.batches import Batch
from mammoscope.data.draws import Draws
from mammoscope.models.classifier import build_classifier
from mammoscope.training.device import build_fabric
from mammoscope.training.head import FrozenHead
from mammoscope.training.loop import score
from mammoscope.vocabulary import ImageVariant, LossName, Precision, TargetPolicy, Trainable


class FewImages:
    """Twelve images in batches of five; counts how often they were asked for."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = torch.from_numpy(rng.integers(0, 65536, (12, 1, 64, 48), dtype=np.uint16))
        self.passes = 0

    def epoch(self, number: int):
        self.passes += 1
        for picks in torch.arange(12).split(5):
            yield Batch(self.images[picks], (picks % 2).float(), picks)


def a_head(loss: LossName = LossName.bce, groups: Sequence[int] = (0,) * 12):
    torch.manual_seed(0)
    classifier, _ = build_classifier(
        ModelConfig(name="resnet18", backbone="resnet18", weights="none", trainable=Trainable.all),
        ImageConfig(name=ImageVariant.full, height_px=64, width_px=48),
        LossConfig(name=loss),
        TargetConfig(name=TargetPolicy.malignancy),
    )
    fabric = build_fabric(torch.device("cpu"), Precision.fp32)
    train, validation = FewImages(), FewImages()
    head = FrozenHead(fabric, classifier, train, validation, Draws(groups, seed=0), batch_size=5)
    return fabric, classifier, head, train


def test_the_folded_classifier_scores_images_as_the_head_scores_features():
    for loss in (LossName.bce, LossName.cross_entropy):
        fabric, classifier, head, images = a_head(loss)
        nn.init.normal_(head.network.weight, generator=torch.Generator().manual_seed(1))
        nn.init.normal_(head.network.bias, generator=torch.Generator().manual_seed(2))
        classifier.load_state_dict(head.folded(head.network.state_dict()))
        np.testing.assert_allclose(
            score(fabric, classifier, images), score(fabric, head.network, head.validation), atol=1e-5
        )


def test_features_are_computed_once_and_standardised():
    _, _, head, train = a_head()
    for number in range(5):
        list(head.train.epoch(number))
    assert train.passes == 1
    torch.testing.assert_close(head.train.features.mean(dim=0), torch.zeros(512), atol=1e-4, rtol=0)


def test_the_backbone_does_not_learn():
    _, classifier, _, _ = a_head()
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_epochs_are_shuffled_and_complete():
    _, _, head, _ = a_head()
    orders = [[int(i) for batch in head.train.epoch(n) for i in batch.indices] for n in range(3)]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert orders[0] != orders[1]
    assert [int(i) for batch in head.validation.epoch(1) for i in batch.indices] == list(range(12))


def test_frozen_features_are_sampled_as_images_are():
    groups = (0,) * 9 + (1,) * 3
    _, _, head, _ = a_head(groups=groups)
    shown = [int(i) for batch in head.train.epoch(0) for i in batch.indices]
    assert shown == Draws(groups, seed=0).epoch(0).tolist()
    assert sum(groups[i] for i in shown) == 6
