import csv
import hashlib
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mammoscope.config import PhantomConfig
from mammoscope.errors import MammoscopeError
from mammoscope.phantom import read_ideal_scores, write_phantom
from mammoscope.phantom.filing import cut_crop
from mammoscope.phantom.marker import VERSION
from mammoscope.phantom.tables import case_file_name
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Partition

FILES = [(kind, published) for kind in CBIS_DDSM_KINDS for published in (Partition.train, Partition.test)]


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(tree: Path, kind: AbnormalityKind, published: Partition) -> list[dict[str, str]]:
    with (tree / case_file_name(kind, published)).open(newline="") as handle:
        return [{key: value.strip() for key, value in row.items()} for row in csv.DictReader(handle)]


def all_rows(tree: Path) -> Iterator[dict[str, str]]:
    for kind, published in FILES:
        yield from rows(tree, kind, published)


@pytest.fixture(scope="module")
def by_series(tree: Path) -> dict[str, list[pydicom.FileDataset]]:
    found = defaultdict(list)
    for path in sorted((tree / "CBIS-DDSM").rglob("*.dcm")):
        dataset = pydicom.dcmread(path)
        found[dataset.SeriesInstanceUID].append(dataset)
    return found


def roi_of(row: dict[str, str], by_series: dict[str, list[pydicom.FileDataset]]) -> tuple[np.ndarray, np.ndarray]:
    """(mask, crop) of a row, told apart by their bits."""
    uids = {row[f"{name} file path"].split("/")[2] for name in ("cropped image", "ROI mask")}
    found = {d.BitsAllocated: d.pixel_array for uid in uids for d in by_series[uid]}
    return found[8], found[16]


def film_of(row: dict[str, str], by_series: dict[str, list[pydicom.FileDataset]]) -> np.ndarray:
    (dataset,) = by_series[row["image file path"].split("/")[2]]
    return dataset.pixel_array


def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path, small: PhantomConfig, tree: Path):
    calls = []
    write_phantom(tmp_path / "again", small, workers=2, progress=lambda done, total: calls.append((done, total)))
    assert digests(tmp_path / "again") == digests(tree)
    assert calls == [(done, small.patients) for done in range(1, small.patients + 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_the_phantom_of_a_version_stays_as_it_is(tree: Path):
    """A tree that lies somewhere is told from another one by marker.VERSION: raise it where this digest has to change.

    Of the tables alone: pixels may differ in the last digit from CPU to CPU. But the tables are drawn after the films
    with the same generator, so whatever draws one number more or less shows in them.
    """
    tables = [path for path in sorted(tree.iterdir()) if path.is_file()]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in tables)).hexdigest()
    assert (VERSION, digest[:16]) == (2, "52eb0d8a3a6b57a3")


def test_another_seed_is_another_phantom(tmp_path: Path, small: PhantomConfig, tree: Path):
    write_phantom(tmp_path / "other", replace(small, seed=4, patients=12), workers=1)
    ours, theirs = ({path.name for path in (root / "CBIS-DDSM").rglob("*-*-*")} for root in (tree, tmp_path / "other"))
    assert not ours & theirs


def test_every_row_has_its_files_and_every_file_its_row(tree: Path, by_series: dict[str, list[pydicom.FileDataset]]):
    named = set()
    for row in all_rows(tree):
        for name in ("image", "cropped image", "ROI mask"):
            subject, study, series, file = row[f"{name} file path"].split("/")
            named.add(series)
            for dataset in by_series[series]:
                assert (dataset.PatientID, dataset.StudyInstanceUID) == (subject, study)
                assert dataset.PatientOrientation == row["image view"]
                assert dataset.Laterality == row["left or right breast"][0]
            assert file in ("000000.dcm", "000001.dcm")
    assert named == set(by_series)
    sop_uids = [dataset.SOPInstanceUID for datasets in by_series.values() for dataset in datasets]
    assert len(set(sop_uids)) == len(sop_uids)


def test_mask_crop_and_box_belong_together(tree: Path, by_series: dict[str, list[pydicom.FileDataset]]):
    for row in all_rows(tree):
        film, (mask, crop) = film_of(row, by_series), roi_of(row, by_series)
        assert mask.shape == film.shape
        assert set(np.unique(mask)) == {0, 255}
        r, c = np.nonzero(mask)
        under = film[max(r.min() - 5, 0) : r.max() + 6, max(c.min() - 5, 0) : c.max() + 6].astype(float)
        assert crop.max() == 65535
        np.testing.assert_array_equal(crop, np.round(under * (65535 / under.max())).astype(np.uint16))


def test_folders_are_those_of_todays_downloads(tree: Path, by_series: dict[str, list[pydicom.FileDataset]]):
    positions, spoken = set(), set()
    with (tree / "metadata.csv").open(newline="") as handle:
        listed = {row["Series UID"]: row for row in csv.DictReader(handle)}
    assert set(listed) == set(by_series)
    folders = [row["File Location"] for row in listed.values()]
    assert len(set(folders)) == len(folders)
    for uid, row in listed.items():
        folder = tree / row["File Location"].removeprefix(".\\").replace("\\", "/")
        study, series = folder.parts[-2:]
        assert study == f"{row['Study Date']}-DDSM-NA-{row['Study UID'][-5:]}"
        assert series == f"1.000000-{row['Series Description']}-{uid[-5:]}"
        files = sorted(path.name for path in folder.iterdir())
        assert files == ["1-1.dcm", "1-2.dcm"][: int(row["Number of Images"])]
        for name in files:
            description = pydicom.dcmread(folder / name, stop_before_pixels=True).SeriesDescription
            positions.add((name, description))
            spoken.add((row["Series Description"], description))
    assert {("1-1.dcm", "cropped images"), ("1-2.dcm", "cropped images")} <= positions
    assert ("ROI mask images", "cropped images") in spoken  # a folder's name is not to be trusted


@pytest.mark.parametrize(("kind", "published"), FILES)
def test_crop_and_mask_numbers_are_swapped_between_the_kinds(tree: Path, kind: AbnormalityKind, published: Partition):
    for row in rows(tree, kind, published):
        crop, mask = row["cropped image file path"], row["ROI mask file path"]
        if crop.split("/")[2] == mask.split("/")[2]:
            ends = (crop[-5], mask[-5])
            assert ends == (("0", "1") if kind is AbnormalityKind.mass else ("1", "0"))
        else:
            assert kind is AbnormalityKind.mass
            assert (crop[-5], mask[-5]) == ("0", "0")


def test_rows_are_in_the_official_order(tree: Path):
    for kind, published in FILES:
        names = ("patient_id", "left or right breast", "image view", "abnormality id")
        keys = [tuple(row[name] for name in names) for row in rows(tree, kind, published)]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)


def test_no_patient_is_train_and_test_of_one_kind_but_some_are_of_two(tree: Path):
    patients = {key: {row["patient_id"] for row in rows(tree, *key)} for key in FILES}
    for kind in CBIS_DDSM_KINDS:
        assert not patients[kind, Partition.train] & patients[kind, Partition.test]
    train = patients[FILES[0]] | patients[FILES[2]]
    assert train & (patients[FILES[1]] | patients[FILES[3]])


def test_a_film_of_both_kinds_is_stored_twice(tree: Path, by_series: dict[str, list[pydicom.FileDataset]]):
    twins = defaultdict(dict)
    for kind, published in FILES:
        for row in rows(tree, kind, published):
            twins[row["patient_id"], row["left or right breast"], row["image view"]][kind] = row
    pairs = [pair for pair in twins.values() if len(pair) == 2]
    assert pairs
    for pair in pairs:
        mass, calc = pair[AbnormalityKind.mass], pair[AbnormalityKind.calc]
        assert mass["image file path"].split("/")[1:3] != calc["image file path"].split("/")[1:3]
        assert mass["abnormality id"] != calc["abnormality id"]
        np.testing.assert_array_equal(film_of(mass, by_series), film_of(calc, by_series))


def test_every_row_has_its_ideal_score_and_views_share_it(tree: Path):
    scores = read_ideal_scores(tree)
    keys = {row["ROI mask file path"].split("/")[0] for row in all_rows(tree)}
    assert set(scores) == keys
    assert len(scores) == sum(1 for _ in all_rows(tree))
    by_finding = defaultdict(set)
    for key, score in scores.items():
        by_finding[key.replace("_CC_", "_").replace("_MLO_", "_")].add(score)
    assert all(len(values) == 1 for values in by_finding.values())


def test_a_crop_at_the_films_edge_is_cut_there():
    film = np.arange(100, dtype=np.uint16).reshape(10, 10)
    mask = np.zeros((10, 10), np.uint8)
    mask[0, 9] = 255
    assert cut_crop(film, mask).shape == (6, 6)
    assert cut_crop(np.zeros_like(film), mask).max() == 0


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("patients", 3, "at least 12"),
        ("patients", 100_000, "at most 99999"),
        ("seed", -1, "0 or more"),
        ("d_prime", 0.0, "above 0"),
        ("d_prime", float("nan"), "above 0"),
        ("height_px", 100, "at least 128"),
        ("height_px", 20_000, "at most 16384"),
        ("width_px", 64, "at least 96"),
        ("width_px", 300, "half of phantom.height_px=240"),
        ("width_px", 119, "half of phantom.height_px=240"),
        ("test_fraction", 0.0, "between 0 and 1"),
        ("test_fraction", 1.0, "between 0 and 1"),
    ],
)
def test_bad_values_are_refused_by_key(tmp_path: Path, small: PhantomConfig, key: str, value: float, allowed: str):
    with pytest.raises(MammoscopeError, match=rf"phantom\.{key}={value}: .*{allowed}"):
        write_phantom(tmp_path / "x", replace(small, **{key: value}), workers=1)
    assert not list(tmp_path.iterdir())


def test_a_full_folder_and_a_file_are_refused(tmp_path: Path, small: PhantomConfig):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name in ("full", "file", "file/below"):
        with pytest.raises(MammoscopeError, match=name):
            write_phantom(tmp_path / name, small, workers=1)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "dear"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_an_empty_folder_is_taken_and_a_stop_leaves_nothing(tmp_path: Path, small: PhantomConfig):
    dest = tmp_path / "dest"
    dest.mkdir()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom(dest, small, workers=1, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["dest"]
    assert not list(dest.iterdir())
    write_phantom(dest, replace(small, patients=12), workers=1)
    assert (dest / "PHANTOM.json").is_file()


def test_what_a_killed_process_left_is_taken_away(tmp_path: Path, small: PhantomConfig):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getppid()):
        (tmp_path / f".dest.{pid}.part" / "below").mkdir(parents=True)
    write_phantom(tmp_path / "dest", replace(small, patients=12), workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".dest.{os.getppid()}.part", "dest"]


@pytest.mark.slow
def test_workers_end_with_a_killed_caller(tmp_path: Path):
    code = (
        "from pathlib import Path; from mammoscope.config import PhantomConfig; from mammoscope.phantom import *\n"
        "config = PhantomConfig(patients=900, seed=0, d_prime=1.8, height_px=720, width_px=480, test_fraction=0.25)\n"
        f"write_phantom(Path({str(tmp_path / 'tree')!r}), config, workers=2, progress=print)"
    )
    # unbuffered: its lines would else come at its end, when the workers have gone
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"1 900\n"  # one worker is at work, the other on its way
        started = time.monotonic()
        while len(children := _children(caller.pid)) < 2 and time.monotonic() < started + 30:
            time.sleep(0.05)
        caller.kill()
    assert len(children) >= 2
    deadline = time.monotonic() + 30
    while any(_runs(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_runs(child) for child in children)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
