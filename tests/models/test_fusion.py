"""Fusion starts as the mean of the views, knows which are missing, and leaves a single view as it was."""

from dataclasses import replace

import pytest
import torch

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig, ViewConfig
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import build_classifier
from mammoscope.models.fusion import at_scales, with_missing_filled
from mammoscope.vocabulary import Fusion, ImageVariant, LossName, TargetPolicy, View

SIZE = ImageConfig(name=ImageVariant.full, height_px=48, width_px=32)
BCE = LossConfig(name=LossName.bce)
MALIGNANCY = TargetConfig(name=TargetPolicy.malignancy)
RESNET = ModelConfig(name="r", backbone="resnet10t", weights="none")


def pair(fusion: Fusion | None) -> ViewConfig:
    return ViewConfig(name="pair", views=[View.CC, View.MLO], fusion=fusion)


def built(fusion: Fusion | None):
    torch.manual_seed(0)
    return build_classifier(RESNET, SIZE, BCE, MALIGNANCY, view=pair(fusion))[0].eval()


@pytest.fixture
def images() -> torch.Tensor:
    """Three breasts: with both views, without CC, without MLO."""
    images = torch.rand(3, 2, 48, 32, generator=torch.Generator().manual_seed(1))
    images[1, 0] = images[2, 1] = 0
    return images


@pytest.mark.parametrize("fusion", list(Fusion))
@torch.inference_mode()
def test_it_starts_as_the_mean_of_the_views_that_are_there(fusion: Fusion, images):
    single, fused = built(None), built(fusion)
    each = torch.stack([single(images[:, [view]]) for view in (0, 1)], dim=1)
    expected = torch.stack([each[0].mean(dim=0), each[1, 1], each[2, 0]])
    torch.testing.assert_close(fused(images), expected)
    assert each[0, 0] != each[0, 1]


@pytest.mark.parametrize("fusion", [Fusion.concatenation, Fusion.attention])
@torch.inference_mode()
def test_after_learning_the_order_and_the_worth_of_views_matter(fusion: Fusion, images):
    fused = built(fusion)
    generator = torch.Generator().manual_seed(2)
    for parameter in fused.fusion.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    whole, mean = fused(images[:1]), torch.stack([fused(images[:1, [v, v]]) for v in (0, 1)]).mean(dim=0)
    assert not torch.allclose(whole, mean, atol=1e-4)
    if fusion is Fusion.attention:  # which weighs a view by what it shows: a missing one has no weight
        lone = images[2:].clone()
        lone[0, 1] = lone[0, 0]
        torch.testing.assert_close(fused(images[2:]), fused(lone))


@torch.inference_mode()
def test_a_breast_is_scored_alike_whatever_is_in_its_batch(images):
    fused = built(Fusion.concatenation)
    torch.testing.assert_close(fused(images), torch.cat([fused(images[[n]]) for n in range(3)]))


def test_all_parts_learn(images):
    for fusion in Fusion:
        network = built(fusion).train()
        network(images).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters()), fusion


def test_a_missing_view_is_filled_with_the_other_one(images):
    filled, there = with_missing_filled(images)
    assert there.tolist() == [[True, True], [False, True], [True, False]]
    assert torch.equal(filled[0], images[0])
    assert torch.equal(filled[1, 0], images[1, 1])
    assert torch.equal(filled[2, 1], images[2, 0])


def test_without_fusion_nothing_changes(images):
    torch.manual_seed(0)
    plain = build_classifier(RESNET, SIZE, BCE, MALIGNANCY)[0].eval()
    single = built(None)
    assert plain.state_dict().keys() == single.state_dict().keys()
    assert torch.equal(plain(images[:, :1]), single(images[:, :1]))


def test_a_backbone_without_a_linear_end_is_refused():
    model = ModelConfig(name="v", backbone="vgg11", weights="none")
    from mammoscope.models import classifier

    head, classifier.timm.create_model = classifier.timm.create_model, lambda *_, **__: _Headless()
    try:
        with pytest.raises(MammoscopeError, match=r"^view=pair: vgg11 ends in Conv2d, not in one linear layer"):
            build_classifier(model, SIZE, BCE, MALIGNANCY, view=pair(Fusion.mean))
    finally:
        classifier.timm.create_model = head


class _Headless(torch.nn.Module):
    def get_classifier(self) -> torch.nn.Module:
        return torch.nn.Conv2d(1, 1, 1)


def test_each_scale_shows_what_lies_around_the_centre():
    """A ramp from left to right, of which the middle columns stay and all of it is shrunk."""
    images = torch.arange(8.0).expand(1, 1, 8, 8) / 8
    looks = at_scales(images, (1.0, 0.5))
    assert looks.shape == (1, 2, 4, 4)
    assert torch.equal(looks[0, 1], images[0, 0, 2:6, 2:6])
    torch.testing.assert_close(looks[0, 0, :, 1:3], torch.tensor([[2.5, 4.5]]).expand(4, 2) / 8)


@torch.inference_mode()
def test_of_several_scales_it_starts_as_their_mean():
    torch.manual_seed(0)
    single, _ = build_classifier(RESNET, replace(SIZE, height_px=24, width_px=16), BCE, MALIGNANCY)
    torch.manual_seed(0)
    fused, _ = build_classifier(replace(RESNET, scales=[1.0, 0.5]), SIZE, BCE, MALIGNANCY)
    images = torch.rand(3, 1, 48, 32)
    looks = at_scales(images, (1.0, 0.5))
    each = [single.eval()(looks[:, [scale]]) for scale in (0, 1)]
    torch.testing.assert_close(fused.eval()(images), (each[0] + each[1]) / 2)
    assert not torch.allclose(each[0], each[1])


@pytest.mark.parametrize("scales", [[], [1.0, 0.5]])
@torch.inference_mode()
def test_flips_are_averaged_in_scores_and_features_but_not_while_it_learns(scales):
    classifier, _ = build_classifier(replace(RESNET, scales=scales, average_flips=True), SIZE, BCE, MALIGNANCY)
    images = torch.rand(3, 1, 48, 32)
    scored = classifier.eval()(images)
    torch.testing.assert_close(scored, classifier(images.flip(-2)))
    torch.testing.assert_close(scored, classifier.head(classifier.features(images)))
    for module in classifier.modules():
        module.training = module is classifier  # batch norm and dropout as in scoring
    alone = [classifier(images), classifier(images.flip(-2))]
    assert not torch.allclose(alone[0], alone[1], atol=1e-7)
    torch.testing.assert_close(scored, (alone[0] + alone[1]) / 2)
