"""What Hydra lets through, what it refuses, and in which words."""

import dataclasses
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from mammoscope.compose import compose_config, config_from_yaml, door, home
from mammoscope.config import TrainConfig
from mammoscope.errors import MammoscopeError
from mammoscope.refusals import conf_folder
from mammoscope.vocabulary import ImageVariant, LossName, SourceName, Trainable

NOT_FIELDS = {"experiment", "debug", "promotion", "hydra", "search"}
OPTIONS = sorted(path.relative_to(conf_folder()).with_suffix("").as_posix() for path in conf_folder().glob("*/*.yaml"))
NEEDED = {
    "model/timm": ["model.backbone=resnet18"],
    "source/cbis_ddsm": ["source.root=/data"],
    "source/table": ["source.csv=/data/images.csv"],
    "split/cv5": ["split.fold=0"],
    "target/tissue_by_kind": ["data=all"],
    "view/pair": ["image=full"],
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_composes(option: str):
    group, _, name = option.partition("/")
    config = compose_config([f"{group}={name}", *NEEDED.get(option, [])])
    assert isinstance(config, TrainConfig)


def test_groups_fields_and_dataclasses_share_their_names():
    folders = {path.name for path in conf_folder().iterdir() if path.is_dir()} - NOT_FIELDS
    fields = {field.name: field.type for field in dataclasses.fields(TrainConfig)}
    dataclass_fields = {name for name, kind in fields.items() if dataclasses.is_dataclass(kind)}
    assert folders == dataclass_fields
    assert {kind.__name__ for kind in fields.values() if dataclasses.is_dataclass(kind)} == {
        f"{name.title()}Config" for name in dataclass_fields
    }


def test_the_defaults_are_those_that_are_promised():
    config = compose_config([])
    chosen = (config.data.name, config.image.name, config.view.name, config.target.name, config.split.name)
    assert chosen == ("mass", "roi", "both", "malignancy", "official_strict")
    assert (config.model.name, config.source.name, config.seed) == ("resnet18", "phantom", 0)


def test_a_source_brings_its_sizes_and_epochs():
    phantom, real = compose_config([]), compose_config(["source=cbis_ddsm", "source.root=/data"])
    assert (real.image.height_px, real.image.width_px) == (512, 512)
    full = compose_config(["source=cbis_ddsm", "source.root=/data", "image=full"])
    assert (full.image.height_px, full.image.width_px) == (1152, 896)
    assert full.image.context is None
    assert phantom.image.height_px < real.image.height_px
    assert phantom.trainer.epochs < real.trainer.epochs
    assert compose_config(["image.height_px=48"]).image.height_px == 48


def test_the_environment_names_the_root_but_never_the_source(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CBIS_DDSM_ROOT", "/data/cbis")
    assert compose_config([]).source.name is SourceName.phantom
    assert compose_config([]).source.root is None
    assert compose_config(["source=cbis_ddsm"]).source.root == "/data/cbis"
    assert compose_config(["source=cbis_ddsm", "source.root=/other"]).source.root == "/other"


def test_the_tracking_store_comes_from_the_command_then_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert compose_config([]).tracking.uri.endswith("/mlruns/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert compose_config([]).tracking.uri == "http://127.0.0.1:5000"
    assert compose_config(["tracking.uri=sqlite:///x.db"]).tracking.uri == "sqlite:///x.db"


def test_enumerations_come_out_as_enumerations():
    config = compose_config(["image=full", "loss=cross_entropy", "model.trainable=head"])
    assert config.image.name is ImageVariant.full
    assert config.loss.name is LossName.cross_entropy
    assert config.model.trainable is Trainable.head


@pytest.mark.parametrize("override", ["data=null", "trainer=3"])
def test_an_option_that_is_no_name_ends_in_one_line(override: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        door(lambda: compose_config([override]))
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("error: an option of a group is a name")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "error: /a/b: No space left on device"),
        (MammoscopeError("several:\n  one\n  two"), "error: several:; one; two"),
    ],
)
def test_whatever_is_wrong_the_last_line_says_it(error: Exception, said: str, capsys: pytest.CaptureFixture[str]):
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        door(fail)
    assert caught.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)


def test_a_bug_keeps_its_traceback():
    for bug in (FileNotFoundError(errno.ENOENT, "no such file", "x"), ValueError("ours")):
        with pytest.raises(type(bug)):
            door(lambda bug=bug: (_ for _ in ()).throw(bug))


def test_a_written_config_is_read_back():
    import json

    import yaml

    config = compose_config(["image=full", "data=all", "seed=3"])
    text = yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(config))))
    assert config_from_yaml(text) == config
    with pytest.raises(MammoscopeError, match="does not fit this version"):
        config_from_yaml(text + "\nsomething: else\n")


def test_home_is_the_checkout_or_else_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    checkout = conf_folder().parent
    monkeypatch.chdir(checkout / "src")
    assert home() == checkout
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/mammoscope"])
    assert home() == tmp_path
    monkeypatch.setattr(sys, "argv", [str(checkout / "train.py")])
    assert home() == checkout


@pytest.mark.parametrize("argument", ["--help", "--cfg"])
def test_looking_at_the_config_imports_nothing_heavy(argument: str, tmp_path: Path):
    arguments = [argument] if argument == "--help" else [argument, "job"]
    script = (
        "import sys, runpy\n"
        f"sys.argv = {['train.py', *arguments]!r}\n"
        "try:\n"
        f"    runpy.run_path({str(conf_folder().parent / 'train.py')!r}, run_name='__main__')\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'timm', 'mlflow', 'numpy', 'pydicom', 'cv2', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "data" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("overrides", "loss", "window_px", "context"),
    [
        ([], LossName.bce, None, 2.0),
        (["target=pathology"], LossName.cross_entropy, None, 2.0),
        (["target=tissue"], LossName.cross_entropy, 128, None),
        (["target=tissue", "image.window_px=64"], LossName.cross_entropy, 64, None),
        (["loss=cross_entropy"], LossName.cross_entropy, None, 2.0),
    ],
)
def test_a_target_brings_its_loss_and_its_window(overrides, loss, window_px, context):
    config = compose_config(overrides)
    assert (config.loss.name, config.image.window_px, config.image.context) == (loss, window_px, context)


@pytest.mark.parametrize("override", ["~target", "target=[tissue,pathology]"])
def test_no_target_or_two_are_refused_by_its_name(override, capsys):
    with pytest.raises(SystemExit):
        door(lambda: compose_config([override]))
    assert capsys.readouterr().err.startswith("error: target: exactly one option is needed; allowed: malignancy, ")
