"""A trial's config on top of what its options compose to is the one that Hydra composes of all its overrides."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from mammoscope.compose import composer, register
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.composing import Compositions
from mammoscope.refusals import conf_folder


@pytest.fixture(scope="module")
def hydra() -> Iterator[tuple[HydraContext, DictConfig]]:
    register()
    GlobalHydra.instance().clear()
    setup_globals()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("train", ["search=quick"], run_mode=RunMode.MULTIRUN)
        yield HydraContext(config_loader=loader, callbacks=None), config  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "overrides",
    [
        {"optimizer.lr": "1e-3"},
        {"optimizer.lr": "0.01", "model": "resnet18", "optimizer.weight_decay": "0"},
        {"model": "timm", "model.backbone": "resnet10t", "image.height_px": "64"},
        {"data": "calc", "augment": "none", "trainer.epochs": "3", "optimizer.lr": "0.001"},
        {"trainer.patience_epochs": "null", "tracking.experiment": "'a name'", "optimizer.lr": "${schedule.min_lr}"},
    ],
)
def test_alike(hydra: tuple[HydraContext, DictConfig], overrides: dict[str, str]):
    context, config = hydra
    compositions = Compositions(context, config, composer())
    arguments = [f"{key}={text}" for key, text in overrides.items()]
    whole = context.config_loader.load_sweep_config(config, arguments)
    for _ in range(2):  # read, and kept
        ours = compositions.composed(arguments)
        assert OmegaConf.to_container(ours) == OmegaConf.to_container(whole)
        OmegaConf.update(ours, "optimizer.lr", 9.0)  # a trial's own, which the next one does not see


def test_a_key_that_is_not_there_is_refused_as_hydra_refuses_it(hydra: tuple[HydraContext, DictConfig]):
    context, config = hydra
    compositions = Compositions(context, config, composer())
    with pytest.raises(MammoscopeError, match=r"optimizer\.rate: there is no such key"):
        compositions.trial({"data": "calc", "optimizer.rate": "0.1"})


def test_options_are_read_once(hydra: tuple[HydraContext, DictConfig], monkeypatch: pytest.MonkeyPatch):
    context, config = hydra
    read: list[list[str]] = []
    load = context.config_loader.load_sweep_config

    def counted(config: DictConfig, arguments: list[str]) -> DictConfig:
        read.append(arguments)
        return load(config, arguments)

    monkeypatch.setattr(context.config_loader, "load_sweep_config", counted)
    compositions = Compositions(context, config, composer())
    for lr in ("0.1", "0.2", "0.3"):
        for model in ("resnet18", "resnet50"):
            assert compositions.trial({"model": model, "optimizer.lr": lr})[0].optimizer.lr == float(lr)
    assert read == [["model=resnet18"], ["model=resnet50"]]
