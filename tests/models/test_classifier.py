from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig
from mammoscope.errors import MammoscopeError
from mammoscope.models.classifier import build_classifier, probabilities_of
from mammoscope.models.weights import find_weights
from mammoscope.refusals import conf_folder
from mammoscope.vocabulary import ImageVariant, LossName, TargetPolicy, Trainable

SIZE = ImageConfig(name=ImageVariant.full, height_px=96, width_px=64)
BCE, CROSS_ENTROPY = LossConfig(name=LossName.bce), LossConfig(name=LossName.cross_entropy)
MALIGNANCY = TargetConfig(name=TargetPolicy.malignancy)
SHIPPED = {
    path.stem: yaml.safe_load(path.read_text())["backbone"]
    for path in sorted((conf_folder() / "model").glob("*.yaml"))
    if path.stem != "timm"
}


def a_model(backbone: str, weights: str = "none", **more: object) -> ModelConfig:
    return ModelConfig(name=backbone, backbone=backbone, weights=weights, **more)


@pytest.mark.parametrize("name", list(SHIPPED))
def test_every_shipped_model_takes_one_channel_at_a_non_square_size(name: str):
    classifier, _ = build_classifier(a_model(SHIPPED[name]), SIZE, BCE, MALIGNANCY)
    images = torch.rand(2, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    classifier.eval()
    with torch.inference_mode():
        logits, again = classifier(images), classifier.head(classifier.features(images))
    assert logits.shape == (2, 1)
    assert logits.isfinite().all()
    torch.testing.assert_close(again, logits)


def test_a_grey_image_gives_what_its_three_channel_copy_gives():
    """in_chans=1 sums the RGB kernels; with one mean and deviation that is exact."""
    one, _ = build_classifier(a_model("tf_efficientnet_lite0", "imagenet"), SIZE, BCE, MALIGNANCY)
    three = timm.create_model(
        "tf_efficientnet_lite0",
        pretrained=True,
        pretrained_cfg_overlay=find_weights(a_model("tf_efficientnet_lite0", "imagenet")).overlay(),
    ).eval()
    image = torch.rand(2, 1, 96, 64, generator=torch.Generator().manual_seed(1))
    grey = one.normalise(image)
    with torch.inference_mode():
        ours = one.eval().features(image)
        theirs = three.forward_head(three.forward_features(grey.repeat(1, 3, 1, 1)), pre_logits=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_cross_entropy_has_two_logits_and_scores_are_probabilities():
    classifier, _ = build_classifier(a_model("resnet18"), SIZE, CROSS_ENTROPY, MALIGNANCY)
    logits = classifier(torch.rand(2, 1, 96, 64))
    assert logits.shape == (2, 2)
    torch.testing.assert_close(probabilities_of(torch.tensor([[0.0, 1.0]]))[:, 1], torch.tensor([1.0]).sigmoid())
    torch.testing.assert_close(probabilities_of(torch.tensor([[1.0]]))[:, 1], torch.tensor([1.0]).sigmoid())


def test_more_classes_have_a_logit_each():
    tissue = TargetConfig(name=TargetPolicy.tissue_by_kind)
    classifier, _ = build_classifier(a_model("resnet18"), SIZE, CROSS_ENTROPY, tissue)
    logits = classifier(torch.rand(2, 1, 96, 64))
    assert logits.shape == (2, classifier.architecture.outputs) == (2, 5)
    torch.testing.assert_close(probabilities_of(logits).sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "resnet18", "vit_small_patch16_224"])
def test_first_scores_are_near_a_half(backbone: str):
    classifier, _ = build_classifier(a_model(backbone, "auto" if "lite" in backbone else "none"), SIZE, BCE, MALIGNANCY)
    images = torch.rand(8, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    assert (probabilities_of(classifier.train()(images)) - 0.5).abs().max() < 0.3


def test_weights_from_a_file_are_loaded_and_named_by_their_digest(tmp_path: Path):
    network = timm.create_model("resnet18")
    file = tmp_path / "mine.safetensors"
    save_file(network.state_dict(), file)
    classifier, weights = build_classifier(a_model("resnet18", str(file)), SIZE, BCE, MALIGNANCY)
    expected = network.state_dict()["conv1.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(classifier.backbone.state_dict()["conv1.weight"], expected)
    assert weights.tag == f"mine.safetensors:{weights.sha256[:12]}"


def test_auto_starts_random_where_nothing_can_be_had(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mammoscope.models.weights._hub_answers", lambda: False)
    monkeypatch.setattr("mammoscope.models.weights._from_cache", lambda backbone: None)
    assert find_weights(a_model("resnet18", "auto")).tag == "random"


def test_a_checkpoint_of_ours_is_a_start_for_another_run(tmp_path: Path):
    first, _ = build_classifier(a_model("resnet18"), SIZE, BCE, MALIGNANCY)
    save_file(first.state_dict(), tmp_path / "best.safetensors")
    second, _ = build_classifier(a_model("resnet18", str(tmp_path / "best.safetensors")), SIZE, BCE, MALIGNANCY)
    torch.testing.assert_close(second.backbone.layer1[0].conv1.weight, first.backbone.layer1[0].conv1.weight)


@pytest.mark.parametrize(
    ("model", "image", "said"),
    [
        (a_model("resnet19"), SIZE, r"model\.backbone=resnet19: .*nearest: .*resnet18"),
        (
            a_model("vit_small_patch16_224"),
            ImageConfig(name=ImageVariant.full, height_px=100, width_px=64),
            r"image\.height_px=100: .*multiple of 16",
        ),
        (a_model("resnet18", "weights.pth"), SIZE, r"model\.weights=weights\.pth: allowed: auto"),
        (a_model("resnet18", "no.safetensors"), SIZE, r"no\.safetensors: there is no such file"),
        (a_model("densenet121", drop_path_rate=0.1), SIZE, r"model\.backbone=densenet121: timm cannot build it"),
    ],
)
def test_bad_models_are_refused_in_the_users_words(model: ModelConfig, image: ImageConfig, said: str):
    with pytest.raises(MammoscopeError, match=said):
        build_classifier(model, image, BCE, MALIGNANCY)


def test_imagenet_refuses_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mammoscope.models.weights._hub_answers", lambda: False)
    monkeypatch.setattr("mammoscope.models.weights._from_cache", lambda backbone: None)
    with pytest.raises(MammoscopeError, match=r"model\.weights=imagenet: no ImageNet weights for resnet18"):
        find_weights(a_model("resnet18", "imagenet"))


def test_a_file_that_does_not_fit_is_named(tmp_path: Path):
    file = tmp_path / "other.safetensors"
    save_file(timm.create_model("resnet34").state_dict(), file)
    with pytest.raises(MammoscopeError, match=r"other\.safetensors does not fit resnet18"):
        build_classifier(a_model("resnet18", str(file)), SIZE, BCE, MALIGNANCY)
    file.write_bytes(b"nonsense")
    with pytest.raises(MammoscopeError, match="not a readable safetensors file"):
        find_weights(a_model("resnet18", str(file)))


def test_a_frozen_random_backbone_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mammoscope.models.weights._hub_answers", lambda: False)
    monkeypatch.setattr("mammoscope.models.weights._from_cache", lambda backbone: None)
    with pytest.raises(MammoscopeError, match=r"model\.trainable=head: no pretrained weights for resnet18"):
        build_classifier(a_model("resnet18", "auto", trainable=Trainable.head), SIZE, BCE, MALIGNANCY)


def test_trainable_head_wants_one_linear_layer():
    classifier, _ = build_classifier(
        a_model("tf_efficientnet_lite0", "auto", trainable=Trainable.head), SIZE, BCE, MALIGNANCY
    )
    assert classifier.head.out_features == 1
    classifier.backbone.get_classifier = nn.Identity
    with pytest.raises(MammoscopeError, match="ends in Identity"):
        classifier.head  # noqa: B018
