"""Tables of small pictures -> catalogs."""

import csv
import os
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from mammoscope.catalog.pseudonyms import Pseudonyms
from mammoscope.catalog.table import read_table
from mammoscope.catalog.table_index import index_table
from mammoscope.errors import MammoscopeError
from mammoscope.records import Catalog
from mammoscope.vocabulary import AbnormalityKind, Partition, Pathology, Trap

from .conftest import write_dicom

SHAPE = (24, 16)
NAMES = Pseudonyms(b"k" * 32)
ROW = {"patient": "Ann", "laterality": "left", "view": "CC", "target": 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """a.png and b.png are images, c.dcm one of a left CC; m.png is a mask, s.png one of another size."""
    rng = np.random.default_rng(0)
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), rng.integers(0, 65536, SHAPE).astype(np.uint16))
    cv2.imwrite(str(tmp_path / "m.png"), np.eye(*SHAPE, dtype=np.uint8) * 255)
    cv2.imwrite(str(tmp_path / "s.png"), np.eye(9, 9, dtype=np.uint8) * 255)
    cv2.imwrite(str(tmp_path / "colour.png"), np.zeros((*SHAPE, 3), np.uint8))
    pixels = rng.integers(0, 65536, SHAPE).astype(np.uint16)
    write_dicom(tmp_path / "c.dcm", pixels, "1.2.3", "1.2.4", "Mass-Training_P_00001_LEFT_CC")
    return tmp_path


def index(root: Path, *rows: dict[str, object]) -> Catalog:
    with open(root / "own.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return index_table(read_table(root / "own.csv"), NAMES, root / "store" / "boxes", workers=1)


def test_what_the_table_does_not_say_is_unknown(root):
    catalog = index(root, ROW | {"path": "a.png"}, ROW | {"path": "c.dcm", "patient": "Bea", "target": 0})
    first, second = catalog.mammograms
    assert first.patient == NAMES.patient("Ann")
    assert first.key.startswith(f"{first.patient}_LEFT_CC_")
    assert (first.path, first.rows_px, first.columns_px) == ("a.png", *SHAPE)
    assert (second.path, second.rows_px, second.columns_px) == ("c.dcm", *SHAPE)
    assert first.kind is AbnormalityKind.unknown
    malignant, benign = catalog.abnormalities
    assert (malignant.pathology, benign.pathology) == (Pathology.MALIGNANT, Pathology.BENIGN)
    assert (malignant.density, malignant.subtlety, malignant.assessment) == (0, 0, 0)
    assert malignant.mask_path is None
    assert malignant.key == f"{first.key}_1"
    assert not catalog.is_phantom
    assert catalog.defects == ()


def test_nothing_but_paths_tells_who_it_is(root):
    mammogram = index(root, ROW | {"path": "a.png"}).mammograms[0]
    told = {f.name for f in fields(mammogram) if any(w in str(getattr(mammogram, f.name)) for w in ("Ann", "a.png"))}
    assert told == {"path"}


def test_a_table_in_another_order_names_its_rows_alike(root):
    rows = [ROW | {"path": "a.png", "box": box} for box in ("9 9 12 12", "1 2 5 6", "3 3 4 4")]
    rows.append(ROW | {"path": "b.png", "box": ""})
    keys = [{a.key: a.mask_path for a in index(root, *order).abnormalities} for order in (rows, rows[::-1])]
    assert keys[0] == keys[1]
    assert len(keys[0]) == 4


def test_a_box_becomes_a_mask_that_is_made_once(root):
    row = index(root, ROW | {"path": "a.png", "box": "1 2 5 7"}).abnormalities[0]
    mask = cv2.imread(row.mask_path, cv2.IMREAD_UNCHANGED)
    expected = np.zeros(SHAPE, np.uint8)
    expected[1:5, 2:7] = 255
    np.testing.assert_array_equal(mask, expected)
    before = os.stat(row.mask_path)
    assert index(root, ROW | {"path": "a.png", "box": "1 2 5 7"}).abnormalities[0] == row
    assert os.stat(row.mask_path).st_ino == before.st_ino
    os.unlink(row.mask_path)
    index(root, ROW | {"path": "a.png", "box": "1 2 5 7"})
    assert os.stat(row.mask_path).st_mtime_ns == before.st_mtime_ns


def test_a_film_of_both_kinds_is_two_mammograms_as_in_cbis_ddsm(root):
    rows = [ROW | {"path": "a.png", "kind": kind, "box": f"1 2 5 {n}"} for n, kind in ((7, "mass"), (8, "calc"))]
    mass, calc = index(root, *rows).mammograms
    assert (mass.kind, calc.kind) == (AbnormalityKind.mass, AbnormalityKind.calc)
    assert mass.key != calc.key


def test_a_partition_that_the_table_names(root):
    rows = [
        ROW | {"path": path, "patient": path, "partition": partition}
        for path, partition in (("a.png", "test"), ("b.png", "validation"))
    ]
    assert [m.published for m in index(root, *rows).mammograms] == [Partition.test, Partition.validation]


def test_a_header_that_contradicts_the_table_is_told(root):
    defects = index(root, ROW | {"path": "c.dcm", "laterality": "right", "view": "MLO"}).defects
    assert [(d.problem, d.found, d.taken_as) for d in defects] == [
        (Trap.laterality, "line 2: its header says L", "right"),
        (Trap.view, "line 2: its header says CC", "MLO"),
    ]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"path": "colour.png"}, "column 'path': .*colour.png: a PNG in colour; allowed: plain grey"),
        ({"path": "own.csv"}, "column 'path': E-NOT-DICOM .*own.csv: no DICM prefix"),
        ({"path": "a.png", "roi": "colour.png"}, "column 'roi': .*colour.png: a PNG in colour"),
        ({"path": "a.png", "roi": "s.png"}, "column 'roi': 's.png' has 9 x 9 px; allowed: the image's 24 x 16 px"),
        ({"path": "a.png", "box": "1 2 25 9"}, "column 'box': '1 2 25 9'; allowed: within the image of 24 x 16 px"),
        ({"path": "a.png", "box": "1 2 9 17"}, "column 'box': '1 2 9 17'; allowed: within"),
    ],
)
def test_a_row_whose_files_do_not_fit_is_named(root, cells, said):
    with pytest.raises(MammoscopeError, match=rf"own.csv line 2, {said}"):
        index(root, ROW | cells)
