"""source=table from end to end: a phantom's films as somebody's own DICOM and PNG files, under somebody's names."""

import csv
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.certificate import Certificate
from mammoscope.catalog.pseudonyms import load_pseudonyms
from mammoscope.config import TrainConfig
from mammoscope.dicom.read import read_pixels
from mammoscope.errors import MammoscopeError
from mammoscope.jobs.evaluate import evaluate
from mammoscope.jobs.gather import GatheredData, gather
from mammoscope.jobs.prepare import prepare
from mammoscope.jobs.table import settle_table
from mammoscope.jobs.train import train
from mammoscope.tracking.store import open_store
from mammoscope.vocabulary import AbnormalityKind, Partition, Pathology

Rows = list[dict[str, object]]


def write(path: Path, rows: Rows) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def own(phantom_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A folder, and rows for each mass of the phantom: every second film, and every third mask, is a PNG."""
    folder = tmp_path_factory.mktemp("own")
    catalog = index_cbis_ddsm(phantom_root, workers=1)
    mammograms = {m.key: m for m in catalog.mammograms}
    rows = []
    for number, a in enumerate(a for a in catalog.abnormalities if a.kind is AbnormalityKind.mass):
        mammogram = mammograms[a.mammogram]
        assert mammogram.path
        assert a.mask_path
        film, mask = phantom_root / mammogram.path, phantom_root / a.mask_path
        if list(mammograms).index(a.mammogram) % 2:
            film = _as_png(film, folder / f"{a.mammogram}.png")
        if number % 3 == 0:
            mask = _as_png(mask, folder / f"{a.key}.png")
        rows.append(
            {
                "path": film.name if film.parent == folder else film,
                "patient": f"Erika {a.patient}",
                "laterality": a.laterality,
                "view": a.view,
                "target": int(a.pathology is Pathology.MALIGNANT),
                "kind": a.kind,
                "partition": a.published,
                "roi": mask,
            }
        )
    return folder, rows


def _as_png(dicom: Path, path: Path) -> Path:
    assert cv2.imwrite(str(path), read_pixels(dicom)[0])
    return path


@pytest.fixture
def configure_table(own, configure: Callable[..., TrainConfig], tmp_path: Path) -> Callable[..., TrainConfig]:
    """(columns to leave out, *overrides) -> a config on a table of the phantom's films, or of other rows."""

    def make(without: set[str], *overrides: str, rows: Rows | None = None):
        table = [{name: cell for name, cell in row.items() if name not in without} for row in rows or own[1]]
        path = write(own[0] / f"{tmp_path.name}.csv", table)
        return configure("source=table", f"source.csv={path}", "source.root=null", *overrides)

    return make


def one_an_image(rows: Rows) -> Rows:
    return list({row["path"]: row for row in rows}.values())


def pixels(data: GatheredData) -> dict[Partition, list[bytes]]:
    """What the network sees, with what it should say, whatever the samples are called."""
    images = {}
    for partition, samples in data.samples.items():
        own = []
        for sample in samples:
            place = sample.images[0]
            assert place is not None
            store = data.stores[place.store]
            own.append(store.image(place.row).tobytes() + store.mask(place.row).tobytes() + bytes([sample.target]))
        images[partition] = sorted(own)
    return images


@pytest.mark.parametrize("overrides", [["image=roi"], ["image=full"], ["image.window_px=40"]])
def test_samples_are_those_of_the_phantom_pixel_for_pixel(configure, configure_table, overrides):
    theirs = gather(configure("data=mass", *overrides))
    config = settle_table(configure_table(set(), "data=mass", *overrides))
    ours = gather(config)
    seen = [
        {"test": own[Partition.test], "others": sorted(own[Partition.train] + own[Partition.validation])}
        for own in (pixels(theirs), pixels(ours))
    ]
    assert seen[0] == seen[1]  # which of them validate is drawn by name, and the names differ
    assert all(seen[0].values())


def test_a_run_of_a_table_without_kinds_and_its_sealed_test(configure_table, own, tmp_path, capsys):
    config = configure_table({"kind", "partition"}, "data=calc", "split.validation_fraction=0.3")
    run_id = train(config)
    said = capsys.readouterr().out
    assert said.splitlines()[0].endswith(
        "no column partition, so train, validation and test are carved by patient from split.seed=0; "
        "no column kind, so data= is ignored"
    )
    store = open_store(config.tracking.uri, config.tracking.experiment, home=tmp_path)
    run = store.find_run(run_id)
    assert run.name.startswith("resnet10t-table-roi-both")
    assert (run.tags["data"], run.tags["split"], run.tags["phantom"]) == ("table", "carved", "false")
    assert store.client.get_model_version("mammoscope-table-roi-both-malignancy", "1").run_id == run_id
    certificate = Certificate.from_json(store.artifact(run_id, "certificate.json").read_text())
    assert certificate.scheme == "carved"
    evaluate(config, store, run, Partition.test)
    assert "opening 1 of the test partition" in capsys.readouterr().out
    assert "test/patient/auc" in store.find_run(run_id).metrics
    _assert_names_nobody(tmp_path, own[0])
    another_key = replace(config, tracking=replace(config.tracking, home=str(tmp_path / "another")))
    with pytest.raises(MammoscopeError, match=r"named under the key .*; allowed: the run's own key, as pseudonyms.key"):
        evaluate(another_key, store, run, Partition.test)


def test_another_key_carves_the_same_patients(configure_table, own, tmp_path, capsys):
    members = []
    for home in ("one", "another"):
        config = configure_table({"kind", "partition"}, "image=full", f"tracking.home={tmp_path / home}")
        certificate = gather(settle_table(config)).certificate
        names = load_pseudonyms(tmp_path / home)
        written = {names.patient(str(row["patient"])): row["patient"] for row in own[1]}
        members.append({p: {written[patient] for patient in certificate.members[p].patients} for p in Partition})
        assert "Erika" not in certificate.to_json()
    assert members[0] == members[1]
    assert all(members[0].values())
    assert "Erika" not in capsys.readouterr().out


def _assert_names_nobody(home: Path, folder: Path) -> None:
    """Neither in what MLflow holds nor in any artifact."""
    words = (b"Erika", b"P_000", str(folder).encode())
    for path in (home / "artifacts").rglob("*"):
        if path.is_file():
            assert not any(word in path.read_bytes() for word in words), path
    database = sqlite3.connect(home / "mlflow.db")
    tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
    cells = [
        str(cell).encode() for name in tables for row in database.execute(f'select * from "{name}"') for cell in row
    ]
    database.close()
    assert not [cell for cell in cells if any(word in cell for word in words)]


@pytest.mark.slow
def test_a_run_is_evaluated_on_a_table_of_test_images_alone(own, configure, configure_table, tmp_path, capsys):
    config = configure("data=mass")
    run_id = train(config)
    store = open_store(config.tracking.uri, config.tracking.experiment, home=tmp_path)
    only_test = configure_table({"kind"}, rows=[row for row in own[1] if row["partition"] == "test"])
    with pytest.raises(MammoscopeError, match="split: too few patients of a class in train and validation"):
        prepare(only_test)
    evaluate(replace(config, source=only_test.source), store, store.find_run(run_id), Partition.test)
    assert "split by its column partition; no column kind" in capsys.readouterr().out
    assert any(key.startswith("elsewhere/") and "test/patient/auc" in key for key in store.find_run(run_id).metrics)


def test_rows_without_roi_are_left_out_of_patches_and_said(own, configure_table, capsys):
    rows = [row | {"roi": "" if n % 10 == 0 else row["roi"]} for n, row in enumerate(one_an_image(own[1]))]
    without = sum(row["roi"] == "" for row in rows)
    prepare(configure_table({"kind"}, rows=rows))
    assert f"note: {without} of {len(rows)} rows of the table have neither roi nor box" in capsys.readouterr().out
    prepare(configure_table({"kind"}, "image=full", rows=rows))
    assert "neither roi nor box" not in capsys.readouterr().out
    with pytest.raises(MammoscopeError, match=rf"image=roi: none of the {len(rows)} rows of source.csv=.* selected"):
        prepare(configure_table({"kind", "roi"}, rows=rows))


def test_one_film_under_two_patients_in_two_partitions_is_a_leak(own, configure_table, tmp_path):
    folder, rows = own
    known = next(row for row in rows if row["partition"] == "train" and str(row["path"]).endswith(".png"))
    copy = folder / f"{tmp_path.name}.png"
    copy.write_bytes((folder / str(known["path"])).read_bytes())
    other = known | {"path": copy, "patient": "Another", "partition": "test"}
    with pytest.raises(MammoscopeError, match="films stand in more than one partition, pixel for pixel"):
        prepare(configure_table(set(), "image=full", rows=[*rows, other]))


def test_the_real_full_size_pair(shared, configure, tmp_path):
    """8-bit PNGs of two patients: indexed and prepared, and no training set."""
    folder = shared / "data/cbis_ddsm/fullsize"
    name = "Mass-Test_P_00116_RIGHT_MLO"
    mask = cv2.imread(str(folder / f"mask/{name}_1.png"), cv2.IMREAD_UNCHANGED)
    assert mask.ndim == 3  # as published there: colour, which is refused
    cv2.imwrite(str(tmp_path / f"{name}.png"), mask[..., 0])
    rows: Rows = [
        {
            "path": folder / f"full/{name}.png",
            "patient": name[10:17],
            "laterality": name[18:-3].strip("_").lower(),
            "view": "CC" if name.endswith("CC") else "MLO",
            "target": target,
            "roi": "" if target else tmp_path / f"{name}.png",
            "box": "1000 1000 1500 1400" if target else "",
        }
        for target, name in enumerate(("Mass-Test_P_00116_RIGHT_MLO", "Mass-Test_P_00016_LEFT_CC"))
    ]
    path = write(tmp_path / "own.csv", rows)
    overrides = ["source=table", f"source.csv={path}", "source.root=null", f"store.root={tmp_path}/store"]
    for image in ("roi", "full"):
        with pytest.raises(MammoscopeError, match=r"split: too few patients of a class"):
            prepare(configure(*overrides, f"image={image}", "image.height_px=512", "image.width_px=512"))
    assert len(list((tmp_path / "store").glob("*/unknown-*/index.parquet"))) == 4


def test_an_image_of_a_table_that_shows_no_breast_is_told(own, configure_table, tmp_path, capsys):
    folder, rows = own
    blank = folder / f"{tmp_path.name}.png"
    cv2.imwrite(str(blank), np.zeros((256, 176), np.uint16))
    prepare(configure_table(set(), "image=full", rows=[*rows, rows[0] | {"path": blank, "patient": "Another"}]))
    assert "1 defects found in the pixels while preparing" in capsys.readouterr().out
