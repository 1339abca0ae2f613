"""The package gives the network's own scores, holds no pickle and no path, and needs nothing of mammoscope."""

import dataclasses
import json
import pickletools
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pytest
import timm
import torch

from mammoscope.config import ImageConfig, LossConfig, ModelConfig, TargetConfig, ViewConfig
from mammoscope.inference.package import PackageFacts, write_package
from mammoscope.models.classifier import Classifier, build_classifier
from mammoscope.vocabulary import Fusion, ImageVariant, LossName, TargetPolicy, View


def scores(network: torch.nn.Module, images: np.ndarray, mean: float, std: float) -> np.ndarray:
    with torch.inference_mode():
        pixels = torch.from_numpy(images.astype(np.float32) / 65535).unsqueeze(1)
        return network((pixels - mean) / std)[:, 0].sigmoid().numpy()


def test_it_scores_as_the_network_does(tmp_path: Path, facts, network, images):
    facts = dataclasses.replace(facts, threshold=float(np.median(scores(network, images, facts.mean, facts.std))))
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    table = mlflow.pyfunc.load_model(str(package)).predict(images)
    expected = scores(network, images, facts.mean, facts.std)
    np.testing.assert_allclose(table["malignancy"], expected, atol=1e-6)
    assert table["called_malignant"].tolist() == (table["malignancy"] >= facts.threshold).tolist()
    assert 0 < table["called_malignant"].sum() < len(images)


def test_two_logits_go_through_softmax(tmp_path: Path, facts, images):
    network = timm.create_model("resnet18", in_chans=1, num_classes=2).eval()
    facts = dataclasses.replace(facts, num_classes=2, loss="cross_entropy")
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    table = mlflow.pyfunc.load_model(str(package)).predict(images)
    with torch.inference_mode():
        pixels = torch.from_numpy(images.astype(np.float32) / 65535).unsqueeze(1)
        expected = network((pixels - facts.mean) / facts.std).softmax(dim=1)[:, 1].numpy()
    np.testing.assert_allclose(table["malignancy"], expected, atol=1e-6)


@pytest.mark.slow
def test_it_runs_where_mammoscope_is_not_installed(tmp_path: Path, facts, network, images):
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    np.save(tmp_path / "images.npy", images)
    script = (
        "import sys, json, numpy as np\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'mammoscope': raise ImportError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "import mlflow.pyfunc\n"
        f"model = mlflow.pyfunc.load_model({str(package)!r})\n"
        f"print(json.dumps(model.predict(np.load({str(tmp_path / 'images.npy')!r}))['malignancy'].tolist()))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.strip().splitlines()[-1])
    np.testing.assert_allclose(said, scores(network, images, facts.mean, facts.std), atol=1e-6)


def test_no_pickle_and_no_path_is_in_it(tmp_path: Path, facts, network, images):
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    for path in (path for path in package.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert str(tmp_path).encode() not in content, path
        assert str(Path(__file__).parents[2]).encode() not in content, path
        assert path.suffix not in {".pkl", ".pt", ".pth", ".pt2"}
        assert not content.startswith(b"\x80"), path  # a pickle of protocol 2 or later
        with pytest.raises(Exception):  # noqa: B017, PT011  (anything but a program for the pickle machine)
            list(pickletools.genops(content))


def test_requirements_are_pinned_and_explicit(tmp_path: Path, facts, network, images):
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    lines = (package / "requirements.txt").read_text().split()
    assert all("==" in line for line in lines)
    assert {line.split("==")[0] for line in lines} == {"mlflow", "numpy", "pandas", "safetensors", "timm", "torch"}


@pytest.mark.parametrize(
    "bad", [np.zeros((1, 40, 33), np.uint16), np.zeros((1, 40, 32), np.float32), np.zeros((40, 32), np.uint16)]
)
def test_images_of_another_kind_are_refused(tmp_path: Path, facts, network, images, bad: np.ndarray):
    package = write_package(tmp_path / "model", network.state_dict(), facts, images[:1])
    with pytest.raises(Exception, match=r"uint16|shape"):
        mlflow.pyfunc.load_model(str(package)).predict(bad)


def packaged(
    folder: Path, classifier: Classifier, facts: PackageFacts, example: np.ndarray
) -> mlflow.pyfunc.PyFuncModel:
    """What is loaded of a package of the classifier."""
    architecture = classifier.architecture
    facts = dataclasses.replace(
        facts,
        backbone=architecture.backbone,
        mean=architecture.mean,
        std=architecture.std,
        fusion=architecture.fusion,
        scales=architecture.scales,
        average_flips=architecture.average_flips,
    )
    state = {name.removeprefix("backbone."): tensor for name, tensor in classifier.state_dict().items()}
    return mlflow.pyfunc.load_model(str(write_package(folder / "model", state, facts, example)))


def assert_same_scores(
    loaded: mlflow.pyfunc.PyFuncModel, classifier: Classifier, images: np.ndarray, seen: np.ndarray
) -> None:
    """images: as the package takes them; seen: (samples, views, height, width), as the classifier does."""
    with torch.inference_mode():
        expected = classifier.eval()(torch.from_numpy(seen.astype(np.float32) / 65535))[:, 0].sigmoid().numpy()
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(loaded.predict(images)["malignancy"], expected, atol=1e-6)


@pytest.mark.parametrize(("scales", "flips"), [((1.0, 0.7, 0.4), False), ((1.0, 0.5), True), ((), True)])
def test_scales_and_flips_are_scored_as_the_classifier_does(tmp_path: Path, facts, scales, flips: bool):
    image = ImageConfig(name=ImageVariant.roi, height_px=48, width_px=40)
    model = ModelConfig(name="r", backbone="resnet10t", weights="none", scales=list(scales), average_flips=flips)
    torch.manual_seed(0)
    classifier, _ = build_classifier(
        model, image, LossConfig(name=LossName.bce), TargetConfig(name=TargetPolicy.malignancy)
    )
    with torch.no_grad():
        for parameter in classifier.head_parameters():
            parameter.normal_()
    facts = dataclasses.replace(facts, height_px=48, width_px=40)
    loaded = packaged(tmp_path, classifier, facts, np.zeros((1, 48, 40), np.uint16))
    images = np.random.default_rng(0).integers(0, 65536, (5, 48, 40), dtype=np.uint16)
    assert_same_scores(loaded, classifier, images, images[:, None])


@pytest.mark.parametrize("fusion", list(Fusion))
def test_two_views_are_fused_as_the_classifier_does(tmp_path: Path, facts, fusion: Fusion):
    """The code of the package imports nothing of mammoscope, so that it fuses by itself."""
    view = ViewConfig(name="pair", views=[View.CC, View.MLO], fusion=fusion)
    image = ImageConfig(name=ImageVariant.full, height_px=40, width_px=32)
    model = ModelConfig(name="r", backbone="resnet10t", weights="none")
    classifier, _ = build_classifier(
        model, image, LossConfig(name=LossName.bce), TargetConfig(name=TargetPolicy.malignancy), view=view
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in classifier.fusion.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    images = np.random.default_rng(0).integers(0, 65536, (5, 2, 40, 32), dtype=np.uint16)
    images[1, 0] = images[2, 1] = 0
    facts = dataclasses.replace(facts, views=("CC", "MLO"))
    loaded = packaged(tmp_path, classifier, facts, np.ones((1, 2, 40, 32), np.uint16))
    assert_same_scores(loaded, classifier, images, images)
    images[3] = 0
    with pytest.raises(Exception, match="row 3 has no view at all"):
        loaded.predict(images)
    with pytest.raises(Exception, match=r"uint16|shape"):
        loaded.predict(images[:, 0])
