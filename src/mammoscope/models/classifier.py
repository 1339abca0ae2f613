"""A timm backbone with one input channel and one normalisation, from image to logit."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import timm
import timm.models
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig, ViewConfig
from mammoscope.errors import MammoscopeError
from mammoscope.models.fusion import ViewFusion, at_scales, with_missing_filled
from mammoscope.models.input_size import check_patches, check_size
from mammoscope.models.lite import LITE_PACKAGES
from mammoscope.models.weights import Weights, find_weights
from mammoscope.vocabulary import CLASSES, BatchNorm, Fusion, HeadStart, LossName, Trainable


@dataclass(frozen=True, slots=True)
class Architecture:
    """All that `timm.create_model` needs to rebuild the network without its weights; JSON-able."""

    backbone: str
    arguments: dict[str, Any]
    outputs: int  # 1 logit (bce), or one a class (cross_entropy)
    mean: float
    std: float
    views: int = 1  # images a sample: more than one are fused
    fusion: Fusion | None = None
    scales: tuple[float, ...] = ()  # what is looked at of an image, as fractions of its sides; fused like views
    average_flips: bool = False


# a timm network: an nn.Module with forward_features, forward_head and get_classifier, which nn.Module does not declare
Backbone = Any


class Classifier(nn.Module):
    """images float (batch, views, height, width) in [0, 1] -> logits (batch, outputs). Final.

    One view; or all of a breast, each through the one backbone and then fused, where a view that is 0 all over is
    missing. Of one view several scales may be looked at, which are fused in the same way.

    One mean and one standard deviation: timm sums the RGB kernels of pretrained weights into one channel, which equals
    a grey picture in three channels only when all three are normalised alike.
    """

    def __init__(self, backbone: Backbone, architecture: Architecture, fusion: ViewFusion | None = None):
        """fusion: takes the place of the backbone's last layer."""
        super().__init__()
        self.backbone: Backbone = backbone
        self.fusion = fusion
        self.architecture = architecture

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.architecture.mean) / self.architecture.std

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._averaged(self._logits, images)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last linear layer sees, (batch, features)."""
        return self._averaged(self._features, images)

    def _averaged(self, function: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """While it learns, augmentation shows it both."""
        if self.training or not self.architecture.average_flips:
            return function(images)
        return (function(images) + function(images.flip(-2))) / 2

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        if self.fusion is not None:
            return self.fusion.head(self._features(images))
        return self.backbone(self.normalise(images))

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        backbone = self.backbone
        if self.fusion is not None:
            if self.architecture.scales:
                images = at_scales(images, self.architecture.scales)
            filled, there = with_missing_filled(images)
            each = backbone(self.normalise(filled.flatten(0, 1).unsqueeze(1)))  # which ends in its features
            return self.fusion(each.unflatten(0, tuple(there.shape)), there)
        return backbone.forward_head(backbone.forward_features(self.normalise(images)), pre_logits=True)

    def head_parameters(self) -> list[nn.Parameter]:
        """Of what no pretrained weights bring: the last layer, and what fuses the views before it."""
        if self.fusion is not None:
            return list(self.fusion.parameters())
        last = self.backbone.get_classifier()  # of distilled transformers, two
        layers = last if isinstance(last, tuple) else (last,)
        return [parameter for layer in layers for parameter in layer.parameters()]

    def stage_parameters(self, stages: int) -> list[nn.Parameter]:
        """Of the stem and of the first so many stages, as timm tells them apart; of no stage, none.

        Raises MammoscopeError where that leaves none that learns.
        """
        if stages == 0:
            return []
        backbone = self.backbone
        names = timm.models.group_parameters(backbone, backbone.group_matcher(coarse=True))
        parameters, head = dict(backbone.named_parameters()), {id(parameter) for parameter in self.head_parameters()}
        groups = [[parameters[name] for name in group] for _, group in sorted(names.items())]
        below = [group for group in groups if not any(id(parameter) in head for parameter in group)]
        most = len(below) - 2  # the stem is not counted, and one stage has to learn
        if stages > most:
            raise MammoscopeError(
                f"model.frozen_stages={stages}: {self.architecture.backbone} has {most + 1} stages; allowed: 0 to "
                f"{most}, or model.trainable=head"
            )
        return [parameter for group in below[: stages + 1] for parameter in group]

    @property
    def head(self) -> nn.Linear:
        """The last linear layer. Raises MammoscopeError where the backbone has none."""
        if self.fusion is not None:
            return self.fusion.head
        return _last_layer(self.backbone, self.architecture.backbone, "a head that is fitted alone", "another model")


def _last_layer(backbone: Backbone, name: str, asked_by: str, way_out: str) -> nn.Linear:
    head = backbone.get_classifier()
    if isinstance(head, nn.Linear):
        return head
    found = type(head).__name__
    raise MammoscopeError(f"{asked_by}: {name} ends in {found}, not in one linear layer; use {way_out}")


def probabilities_of(logits: torch.Tensor) -> torch.Tensor:
    """Logits (batch, outputs) -> probabilities float32 (batch, classes); one output stands for benign and malignant."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.softmax(dim=1)
    malignant = logits.sigmoid()
    return torch.cat([1 - malignant, malignant], dim=1)


def outputs_for(loss: LossConfig, target: TargetConfig) -> int:
    classes = len(CLASSES[target.name])
    return 1 if loss.name is LossName.bce or (loss.name is LossName.focal and classes == 2) else classes


def _check_backbone(model: ModelConfig) -> None:
    """Raises MammoscopeError for a name that timm does not have, with the nearest that it has."""
    if timm.is_model(model.backbone):
        return
    names = timm.list_models()
    near = difflib.get_close_matches(model.backbone, names, n=5, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise MammoscopeError(
        f"model.backbone={model.backbone}: timm {timm.__version__} has no such model; allowed: one of the {len(names)} "
        f"names that timm.list_models() gives{hint}"
    )


def build_classifier(
    model: ModelConfig, image: ImageConfig, loss: LossConfig, target: TargetConfig, *, view: ViewConfig | None = None
) -> tuple[Classifier, Weights]:
    """view: with a fusion, the classifier takes all its views at once; else one image.

    Raises MammoscopeError: unknown backbone, an image size that it cannot take, weights that cannot be had."""
    _check_backbone(model)
    weights = find_weights(model)
    arguments = _arguments(model, image)
    if weights.file is None:
        _refuse_without_weights(model)
    overlay = weights.overlay()
    try:
        backbone = timm.create_model(
            model.backbone,
            pretrained=overlay is not None,
            pretrained_cfg_overlay=overlay,
            in_chans=1,
            num_classes=outputs_for(loss, target),
            drop_rate=model.drop_rate,
            **arguments,
        )
    except (RuntimeError, AssertionError, ValueError, KeyError, TypeError) as error:
        raise MammoscopeError(_refusal(model, image, weights, error)) from error
    check_patches(backbone, model, image)
    if model.trainable is Trainable.head:
        _last_layer(backbone, model.backbone, "model.trainable=head", "trainable=all")
    if model.head_start is HeadStart.probe:
        _last_layer(backbone, model.backbone, "model.head_start=probe", "model.head_start=undecided")
    if model.batch_norm is BatchNorm.frozen and not any(isinstance(m, _BatchNorm) for m in backbone.modules()):
        raise MammoscopeError(f"model.batch_norm=frozen: {model.backbone} has no batch norm; allowed: train")
    if weights.from_user:
        _check_names(backbone, model, weights)
    _start_undecided(backbone)
    settings = timm.get_pretrained_cfg(model.backbone)
    mean, std = settings.mean if settings else (0.5,), settings.std if settings else (0.5,)
    architecture = Architecture(
        model.backbone,
        arguments,
        outputs_for(loss, target),
        sum(mean) / len(mean),
        sum(std) / len(std),
        scales=tuple(model.scales),
        average_flips=model.average_flips,
    )
    classifier = Classifier(backbone, architecture)
    if view is not None and view.fusion is not None:
        classifier = _fused(classifier, view.fusion, len(view.views), "view=pair")
    elif model.scales:
        classifier = _fused(classifier, Fusion.concatenation, len(model.scales), f"model.scales={list(model.scales)}")
    classifier.stage_parameters(model.frozen_stages)
    architecture = classifier.architecture  # a fusion has changed it
    check_size(classifier, repr(architecture), architecture.views, model, image)
    return classifier, weights


def _refuse_without_weights(model: ModelConfig) -> None:
    """What stands on pretrained weights must have them, also where `auto` was to find them."""
    for asked, key, otherwise in (
        (model.trainable is Trainable.head, "model.trainable=head", "model.trainable=all"),
        (model.head_start is HeadStart.probe, "model.head_start=probe", "model.head_start=undecided"),
        (model.batch_norm is BatchNorm.frozen, "model.batch_norm=frozen", "model.batch_norm=train"),
        (model.frozen_stages > 0, f"model.frozen_stages={model.frozen_stages}", "model.frozen_stages=0"),
    ):
        if asked:
            raise MammoscopeError(
                f"{key}: no pretrained weights for {model.backbone} can be had here, and a frozen random backbone says "
                f"nothing; use {otherwise}, or a backbone whose weights come by pip: {', '.join(LITE_PACKAGES)}"
            )


def _fused(single: Classifier, fusion: Fusion, parts: int, asked_by: str) -> Classifier:
    """The same network for several views or scales: its last layer goes behind the fusion, and the backbone ends in
    features."""
    backbone, architecture = single.backbone, single.architecture
    head = _last_layer(backbone, architecture.backbone, asked_by, "another model, or one image a sample")
    backbone.reset_classifier(0)
    views = 1 if architecture.scales else parts
    return Classifier(backbone, replace(architecture, views=views, fusion=fusion), ViewFusion(fusion, parts, head))


def _arguments(model: ModelConfig, image: ImageConfig) -> dict[str, Any]:
    """What this backbone wants to be told besides its name. Transformers fix their grid when they are built."""
    arguments: dict[str, Any] = {}
    settings = timm.get_pretrained_cfg(model.backbone)
    if settings is not None and settings.fixed_input_size:
        arguments["img_size"] = [image.height_px, image.width_px]
    if model.drop_path_rate > 0:
        arguments["drop_path_rate"] = model.drop_path_rate
    return arguments


def _start_undecided(backbone: Backbone) -> None:
    """A last layer whose first scores are all near 0.5.

    timm draws EfficientNet's from +-1/sqrt(outputs), meant for 1,000 classes: with one output that is +-1, logits of
    tens, and the first epochs go into unlearning them (loss 2.2 instead of 0.7 on the first epoch of lite0).
    """
    head = backbone.get_classifier()
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        if head.bias is not None:
            nn.init.zeros_(head.bias)


def _check_names(backbone: nn.Module, model: ModelConfig, weights: Weights) -> None:
    """timm loads what fits and only logs the rest; a file that the user names must fit but for the last layer."""
    assert isinstance(backbone.pretrained_cfg, dict), "timm notes where its weights came from"
    last = backbone.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{name}." for name in ((last,) if isinstance(last, str) else last))
    found, wanted = (
        {name for name in names if not name.startswith(heads) and not name.endswith("num_batches_tracked")}
        for names in (weights.state(), backbone.state_dict())
    )
    for which, names in (("lacks", wanted - found), ("has a tensor too many,", found - wanted)):
        if names:
            raise MammoscopeError(
                f"model.weights={model.weights}: {weights.file.name if weights.file else ''} does not fit "
                f"{model.backbone}: it {which} {sorted(names)[0]} ({len(names)} in all); allowed: timm's own tensors"
            )


def _refusal(model: ModelConfig, image: ImageConfig, weights: Weights, error: Exception) -> str:
    if weights.file is not None:
        return f"model.weights={model.weights}: {weights.file.name} does not fit {model.backbone}: {error}"
    return f"model.backbone={model.backbone}: timm cannot build it for {image.height_px} x {image.width_px} px: {error}"
