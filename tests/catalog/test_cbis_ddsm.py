"""A tree and its case descriptions to a catalog; what is wrong with either stands in the ledger."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import mammoscope.catalog.headers as headers
from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.errors import MammoscopeError
from mammoscope.records import Catalog, Mammogram


def index(tree, **options):
    tree.write_csvs()
    return index_cbis_ddsm(tree.root, workers=1, **options)


def mammogram_of(catalog: Catalog, key: str) -> Mammogram:
    return next(m for m in catalog.mammograms if m.key == key)


def change(path: Path, **elements: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path)


def problems(catalog) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for defect in catalog.defects:
        assert all((defect.row, defect.problem, defect.found, defect.taken_as, defect.reason))
        found.setdefault(defect.problem, []).append(defect.row)
    return found


def relative(tree, name: str) -> str:
    return tree.files[name].relative_to(tree.root).as_posix()


def test_a_whole_tree_has_no_defect(make_tree):
    tree = make_tree()
    catalog = index_cbis_ddsm(tree.root, workers=1)
    assert catalog.defects == ()
    assert len(catalog.mammograms) == len(catalog.abnormalities) == 32
    for abnormality in catalog.abnormalities:
        assert abnormality.mask_path == relative(tree, f"{abnormality.key}/mask")
        assert abnormality.crop_path == relative(tree, f"{abnormality.key}/crop")
        assert (abnormality.crop_rows_px, abnormality.crop_columns_px) == (6, 5)
        mammogram = mammogram_of(catalog, abnormality.mammogram)
        assert mammogram.path == relative(tree, mammogram.key)
        assert (mammogram.rows_px, mammogram.columns_px) == (24, 16)
        assert mammogram.file_bytes == (tree.root / mammogram.path).stat().st_size


def test_where_the_tree_lies_does_not_change_the_catalog(make_tree, tmp_path):
    tree = make_tree()
    shutil.copytree(tree.root, tmp_path / "elsewhere")
    here = index_cbis_ddsm(tree.root)
    assert here == index_cbis_ddsm(tmp_path / "elsewhere")
    assert len(here.digest) == 64


def test_forked_readers_find_what_one_finds(make_tree, monkeypatch):
    tree = make_tree()
    next(iter(tree.files.values())).write_bytes(b"")
    alone = index_cbis_ddsm(tree.root, workers=1)
    monkeypatch.setattr(headers, "_CHUNK", 8)  # so that this small tree is worth a pool
    assert index_cbis_ddsm(tree.root, workers=3) == alone
    assert {d.problem for d in alone.defects} == {"unreadable", "unusable_image", "unconfirmed_mask"}


def test_progress_ends_at_all(make_tree):
    steps = []
    index_cbis_ddsm(make_tree().root, workers=1, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (96, 96)
    assert steps == sorted(steps)


def test_what_a_file_is_its_content_says(tree):
    key = tree.add(1)
    mask, crop = tree.files[f"{key}/mask"], tree.files[f"{key}/crop"]
    shutil.move(mask, mask.with_name("other"))
    shutil.move(crop, mask)
    shutil.move(mask.with_name("other"), crop)
    folder = mask.parent.rename(mask.parent.with_name("1.000000-cropped images-00000"))
    catalog = index(tree)
    abnormality = catalog.abnormalities[0]
    assert abnormality.mask_path == (folder / "1-2.dcm").relative_to(tree.root).as_posix()
    assert abnormality.crop_path == (folder / "1-1.dcm").relative_to(tree.root).as_posix()
    assert catalog.defects == ()


def test_mask_and_crop_in_two_series_and_their_columns_swapped(tree):
    key = tree.add(1, separate=True)
    assert problems(index(tree)) == {"separate_series": [key]}
    row = tree.rows["mass_case_description_train_set.csv"][0]
    names = ("ROI mask file path", "cropped image file path")
    row[names[0]], row[names[1]] = row[names[1]], row[names[0]]
    catalog = index(tree)
    assert catalog.abnormalities[0].mask_path == relative(tree, f"{key}/mask")
    assert catalog.abnormalities[0].crop_path == relative(tree, f"{key}/crop")
    assert problems(catalog) == {"swapped_mask": [key], "separate_series": [key]}


def test_old_file_names_swapped(tree):
    key = tree.add(1)
    folder = tree.files[f"{key}/mask"].parent
    for name, old in (("mask", "000000.dcm"), ("crop", "000001.dcm")):  # the row says the reverse
        tree.files[f"{key}/{name}"].rename(folder / old)
    catalog = index(tree)
    assert catalog.abnormalities[0].mask_path.endswith("000000.dcm")
    assert problems(catalog) == {"swapped_mask": [key]}


def test_missing_files_leave_their_rows(tree):
    keys = [tree.add(number) for number in (1, 2, 3)]
    tree.files[f"{keys[0]}/mask"].unlink()
    tree.files[f"{keys[1]}/crop"].unlink()
    tree.files[keys[2].removesuffix("_1")].unlink()
    catalog = index(tree)
    assert len(catalog.abnormalities) == len(catalog.mammograms) == 3
    first, second, third = catalog.abnormalities
    assert first.mask_path is None
    assert first.crop_path is not None
    assert second.crop_rows_px is None
    assert mammogram_of(catalog, third.mammogram).path is None
    assert third.mask_path == relative(tree, f"{keys[2]}/mask")
    assert problems(catalog) == {
        "missing_series": [keys[0], keys[1], keys[2].removesuffix("_1")],
        "unconfirmed_mask": [keys[2]],
    }


def test_unusable_files_are_named_and_so_are_the_rows_that_miss_them(tree):
    keys = [tree.add(number) for number in range(1, 6)]
    cut, text, empty, other = (tree.files[key.removesuffix("_1")] for key in keys[:4])
    cut.write_bytes(cut.read_bytes()[:-100])
    text.write_text("not found")
    empty.write_bytes(b"")
    change(other, Modality="CT")
    (tree.root / "CBIS-DDSM/broken.dcm").symlink_to("nowhere")
    os.mkfifo(tree.root / "CBIS-DDSM/pipe.dcm")
    catalog = index(tree)
    found = problems(catalog)
    assert found.pop("unusable_image") == [key.removesuffix("_1") for key in keys[:4]]
    assert found.pop("unconfirmed_mask") == keys[:4]
    assert found == {
        "truncated": [relative(tree, keys[0].removesuffix("_1"))],
        "unreadable": [
            *(relative(tree, key.removesuffix("_1")) for key in keys[1:4]),
            "CBIS-DDSM/broken.dcm",
            "CBIS-DDSM/pipe.dcm",
        ],
    }
    codes = {d.found.partition(":")[0] for d in catalog.defects if d.problem == "unreadable"}
    assert codes == {"E-NOT-DICOM", "E-NOT-MG", "E-UNREADABLE"}
    missing = next(d for d in catalog.defects if d.problem == "unusable_image")
    assert relative(tree, keys[0].removesuffix("_1")) in missing.found
    assert str(tree.root) not in "".join(d.found + d.reason for d in catalog.defects)


def test_a_mask_of_another_size_is_no_mask(tree):
    key = tree.add(1)
    path = tree.files[f"{key}/mask"]
    change(path, Rows=16, Columns=24)
    catalog = index(tree)
    assert catalog.abnormalities[0].mask_path is None
    assert catalog.abnormalities[0].crop_path == relative(tree, f"{key}/crop")
    assert problems(catalog) == {"mask_size": [key]}
    assert "16 x 24 px" in catalog.defects[0].found
    assert "24 x 16 px" in catalog.defects[0].reason


def test_two_candidates(tree):
    key = tree.add(1)
    mask, image = tree.files[f"{key}/mask"], tree.files[key.removesuffix("_1")]
    for path, description in ((mask, "ROI mask images"), (image, "full mammogram images")):
        copy = path.with_name("0-other.dcm")
        shutil.copy(path, copy)
        change(copy, SOPInstanceUID=generate_uid(), PatientID="another")
        change(path, SeriesDescription=description)
    catalog = index(tree)
    assert catalog.abnormalities[0].mask_path == relative(tree, f"{key}/mask")
    assert catalog.mammograms[0].path == relative(tree, key.removesuffix("_1"))
    assert problems(catalog) == {"ambiguous": [key.removesuffix("_1"), key]}


def test_a_file_stored_twice(tree):
    key = tree.add(1)
    image = tree.files[key.removesuffix("_1")]
    shutil.copy(image, tree.root / "zzz.dcm")
    catalog = index(tree)
    assert problems(catalog) == {"repeated_file": ["zzz.dcm"]}
    assert relative(tree, key.removesuffix("_1")) in catalog.defects[0].found


def test_headers_that_contradict_the_row(tree):
    key = tree.add(1)
    change(tree.files[f"{key}/mask"], Laterality="R")
    change(tree.files[f"{key}/crop"], PatientID="Mass-Training_P_00002_LEFT_CC_1")
    change(tree.files[key.removesuffix("_1")], PatientOrientation="MLO")
    catalog = index(tree)
    assert problems(catalog) == {
        "view": [key.removesuffix("_1")],
        "laterality": [key],
        "patient_id": [key],
    }
    assert catalog.mammograms[0].view == "CC"
    assert catalog.mammograms[0].path is not None


def test_a_series_that_no_row_names(tree):
    tree.add(1)
    key = tree.add(2)
    tree.rows["mass_case_description_train_set.csv"].pop()
    catalog = index(tree)
    assert sorted(problems(catalog)["unnamed_series"]) == sorted(
        [relative(tree, f"{key}/mask"), relative(tree, f"{key}/crop"), relative(tree, key.removesuffix("_1"))]
    )
    assert len(catalog.mammograms) == 1


@pytest.mark.parametrize("below", ["", "csv"])
def test_any_subset_of_case_descriptions_at_the_root_or_one_below(tree, below):
    tree.add(1, kind="calc", published="test")
    tree.write_csvs()
    (tree.root / below).mkdir(exist_ok=True)
    name = "calc_case_description_test_set.csv"
    (tree.root / name).rename(tree.root / below / name)
    catalog = index_cbis_ddsm(tree.root)
    assert catalog.mammograms[0].key == "Calc-Test_P_00001_LEFT_CC"
    assert catalog.defects == ()


def test_two_different_copies_of_a_case_description(tree):
    tree.add(1)
    tree.write_csvs()
    name = "mass_case_description_train_set.csv"
    (tree.root / "csv").mkdir()
    shutil.copy(tree.root / name, tree.root / "csv")
    assert len(index_cbis_ddsm(tree.root).mammograms) == 1
    with open(tree.root / "csv" / name, "a") as file:
        file.write("\n")
    with pytest.raises(MammoscopeError, match=f"different {name}: csv/{name}, {name}"):
        index_cbis_ddsm(tree.root)


def test_links_are_followed_and_loops_of_links_end(tree, tmp_path):
    tree.add(1)
    (tree.root / "CBIS-DDSM").rename(tmp_path / "elsewhere")
    (tree.root / "CBIS-DDSM").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tree.root)
    (tree.root / "again").symlink_to(tree.root / "CBIS-DDSM")
    (tree.root / "itself").symlink_to(tree.root / "itself")
    catalog = index(tree)
    assert catalog.mammograms[0].path.startswith("CBIS-DDSM/")
    assert catalog.defects == ()


def test_a_name_that_is_not_utf8(tree):
    tree.add(1)
    with open(os.fsencode(tree.root) + b"/\xff.dcm", "wb"):
        pass
    assert problems(index(tree)) == {"unreadable": ["\\udcff.dcm"]}


def test_the_tree_is_never_written_to(make_tree):
    tree = make_tree()
    before = {p: p.stat().st_mtime_ns for p in tree.root.rglob("*")}
    index_cbis_ddsm(tree.root)
    assert {p: p.stat().st_mtime_ns for p in tree.root.rglob("*")} == before


def test_phantom_marker(tree):
    tree.add(1)
    assert not index(tree).is_phantom
    marker = tree.root / "PHANTOM.json"
    marker.write_text(json.dumps({"format": "mammoscope-phantom", "seed": 0}))
    assert index(tree).is_phantom
    below = tree.root.parent  # its case descriptions are found from one folder above, too
    assert index_cbis_ddsm(below).is_phantom
    for content in ("", "[]", '{"format": "other"}'):
        marker.write_text(content)
        with pytest.raises(MammoscopeError, match=r"PHANTOM\.json"):
            index(tree)


def test_no_tree_at_all(tmp_path):
    for path, words in ((tmp_path / "absent", "does not exist"), (tmp_path, "holds no case descriptions")):
        with pytest.raises(MammoscopeError, match=words) as caught:
            index_cbis_ddsm(path)
        assert f"source.root={path}" in str(caught.value)
        assert "mass_case_description_train_set.csv" in str(caught.value)
    (tmp_path / "file").touch()
    with pytest.raises(MammoscopeError, match="is not a folder"):
        index_cbis_ddsm(tmp_path / "file")


def test_case_descriptions_without_files_and_files_of_others(tree):
    key = tree.add(1)
    shutil.rmtree(tree.root / "CBIS-DDSM")
    with pytest.raises(MammoscopeError, match=r"source\.root=.* holds no \.dcm files"):
        index(tree)
    tree.add(2)
    tree.rows["mass_case_description_train_set.csv"].pop()
    with pytest.raises(MammoscopeError, match=r"none of its 3 \.dcm files belongs"):
        index(tree)
    for path in tree.root.rglob("*.dcm"):
        path.write_bytes(b"")
    with pytest.raises(MammoscopeError, match=r"3 cannot be used, the first: E-NOT-DICOM"):
        index(tree)
    assert key


def test_real_crops_join_the_real_rows(shared, tmp_path):
    for sample in ("dicom_sample", "dicom_sample_2016_layout"):
        root = tmp_path / sample
        root.mkdir()
        (root / "dicom").symlink_to(shared / "data/cbis_ddsm" / sample)
        (root / "csv").symlink_to(shared / "data/cbis_ddsm/csv")
        catalog = index_cbis_ddsm(root, workers=1)
        crops = [a for a in catalog.abnormalities if a.crop_path]
        assert len(crops) == {"dicom_sample": 6, "dicom_sample_2016_layout": 3}[sample]
        assert all(a.key in a.crop_path for a in crops)
        counts = Counter(d.problem for d in catalog.defects)
        # the old layout kept the names that the CSVs use, and in one row they are swapped
        swapped = {"swapped_mask": 1} if sample == "dicom_sample_2016_layout" else {}
        missing = 3103 + 3568  # every film, and of every abnormality at least the mask
        assert counts == {"missing_series": missing, "separate_series": 104, **swapped}


@pytest.mark.slow
def test_the_real_tree_of_256_px(shared, tmp_path):
    import subprocess
    import sys

    subprocess.run([sys.executable, shared / "tools/build_cbis_tree.py", tmp_path, "--limit", "200"], check=True)
    catalog = index_cbis_ddsm(tmp_path)
    present = [m for m in catalog.mammograms if m.path]
    masks = [a for a in catalog.abnormalities if a.mask_path]
    assert len(present) == 200
    assert len(masks) > 150
    assert {d.problem for d in catalog.defects} == {"missing_series", "separate_series"}
    for abnormality in masks[:20]:
        assert len(np.unique(pydicom.dcmread(tmp_path / abnormality.mask_path).pixel_array)) == 2


def test_a_file_in_a_series_that_is_not_called_dicom_is_told(make_tree):
    tree = make_tree()
    name, path = next(iter(tree.files.items()))
    path.rename(path.with_suffix(""))
    found = problems(index(tree))
    assert found["unreadable"] == [relative(tree, name).removesuffix(".dcm")]
