"""Each fault is there and listed, seen with pydicom and csv alone; and no other is."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pydicom
import pytest

from mammoscope.vocabulary import Trap

MASK, CROP = "ROI mask images", "cropped images"
Row = dict[str, str]
Planted = Any  # the class of that name in conftest.py


def key_of(row: Row) -> str:
    return row["ROI mask file path"].split("/")[0]


def mammogram_of(row: Row) -> str:
    return row["image file path"].split("/")[0]


def others(planted: Planted, mammogram: str) -> Iterator[str]:
    """The films of other patients in the same fault's list."""
    patient = planted.rows_on(mammogram)[0]["patient_id"]
    for names in (planted.faults["duplicate_film"], planted.faults["near_duplicate"]):
        if mammogram in names:
            yield from (name for name in names if planted.rows_on(name)[0]["patient_id"] != patient)


def is_leak(planted: Planted, patient: str) -> bool:
    sides = {row["file"] for row in planted.rows if row["patient_id"] == patient}
    return sides in ({"mass train", "calc test"}, {"mass test", "calc train"})


def is_duplicate(planted: Planted, mammogram: str) -> bool:
    own = planted.film(mammogram)
    twins = [planted.film(name) for name in others(planted, mammogram)]
    return sum(own.PixelData == twin.PixelData and own.SOPInstanceUID != twin.SOPInstanceUID for twin in twins) == 1


def is_near_duplicate(planted: Planted, mammogram: str) -> bool:
    own = planted.film(mammogram)
    alike = []
    for name in others(planted, mammogram):
        assert planted.film(name).PixelData != own.PixelData
        pair = [block_means(image.pixel_array) for image in (own, planted.film(name))]
        alike.append(np.corrcoef(*pair)[0, 1])
    return sum(correlation > 0.995 for correlation in alike) == 1


def block_means(pixels: np.ndarray) -> np.ndarray:
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    return pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3)).ravel()


def is_stored_twice(planted: Planted, mammogram: str) -> bool:
    twin = mammogram.replace("Mass-", "Calc-") if mammogram.startswith("Mass") else mammogram.replace("Calc-", "Mass-")
    return planted.film(mammogram).PixelData == planted.film(twin).PixelData


def is_mixed(planted: Planted, mammogram: str) -> bool:
    return {row["pathology"] == "MALIGNANT" for row in planted.rows_on(mammogram)} == {True, False}


def is_unstable(planted: Planted, key: str) -> bool:
    other = key.replace("_CC_", "_MLO_") if "_CC_" in key else key.replace("_MLO_", "_CC_")
    return (planted.row(key)["pathology"] == "MALIGNANT") != (planted.row(other)["pathology"] == "MALIGNANT")


def is_unknown(planted: Planted, key: str) -> bool:
    return "0" in (planted.row(key)["breast_density"], planted.row(key)["subtlety"])


def is_swapped(planted: Planted, key: str) -> bool:
    """The file that has the mask's name is the crop."""
    row = planted.row(key)
    uid, mask_name = row["ROI mask file path"].split("/")[2:]
    crop_name = row["cropped image file path"].split("/")[3]
    by_name = {path.name: pydicom.dcmread(path).BitsAllocated for path in planted.files(uid)}
    return by_name == {mask_name: 16, crop_name: 8}


def is_separate(planted: Planted, key: str) -> bool:
    row = planted.row(key)
    return row["ROI mask file path"].split("/")[2] != row["cropped image file path"].split("/")[2]


def is_missing(planted: Planted, key: str) -> bool:
    is_film = key.endswith(("CC", "MLO"))
    row = planted.rows_on(key)[0] if is_film else planted.row(key)
    uid = row["image file path" if is_film else "ROI mask file path"].split("/")[2]
    return not planted.files(uid) and uid not in (planted.root / "metadata.csv").read_text()


def is_unnamed(planted: Planted, path: str) -> bool:
    uid = pydicom.dcmread(planted.root / path).SeriesInstanceUID
    tables = [path.read_text() for path in planted.root.glob("*_case_description_*.csv")]
    return not any(uid in table for table in tables) and uid in (planted.root / "metadata.csv").read_text()


def is_repeated(planted: Planted, path: str) -> bool:
    again = planted.root / path
    return any(other.read_bytes() == again.read_bytes() for other in again.parent.iterdir() if other.name < again.name)


def has_two_masks(planted: Planted, key: str) -> bool:
    files = [pydicom.dcmread(path) for path in planted.files(planted.row(key)["ROI mask file path"].split("/")[2])]
    masks = [file for file in files if file.BitsAllocated == 8]
    return len(masks) == 2 and len({mask.SOPInstanceUID for mask in masks}) == 2


def is_truncated(planted: Planted, path: str) -> bool:
    """A file that is smaller than its pixels, or has no pixels."""
    dataset = pydicom.dcmread(planted.root / path)
    size = (planted.root / path).stat().st_size
    return "PixelData" not in dataset or size < dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8


def has_no_decodable_pixels(planted: Planted, path: str) -> bool:
    dataset = pydicom.dcmread(planted.root / path)
    with pytest.raises((NotImplementedError, ValueError, RuntimeError, AttributeError)):
        _ = dataset.pixel_array
    return dataset.file_meta.TransferSyntaxUID.is_compressed


def is_no_dicom(planted: Planted, path: str) -> bool:
    with pytest.raises(pydicom.errors.InvalidDicomError):
        pydicom.dcmread(planted.root / path)
    return True


def is_monochrome1(planted: Planted, path: str) -> bool:
    dataset = pydicom.dcmread(planted.root / path)
    air = np.median(dataset.pixel_array)
    return dataset.PhotometricInterpretation == "MONOCHROME1" and air > 60_000


def differs(keyword: str, expected: Callable[[str], str]) -> Callable[[Planted, str], bool]:
    def check(planted: Planted, key: str) -> bool:
        files = [planted.film(key)] if key.endswith(("CC", "MLO")) else list(planted.roi(key).values())
        return all(getattr(dataset, keyword) != expected(key) for dataset in files)

    return check


def chest_wall_is_elsewhere(planted: Planted, mammogram: str) -> bool:
    pixels = planted.film(mammogram).pixel_array
    rows, edge = slice(len(pixels) // 3, len(pixels) // 2), slice(8, 20)
    on_left = pixels[rows, edge].mean() > pixels[rows, ::-1][:, edge].mean()
    return on_left != ("LEFT" in mammogram)


def is_of_another_size(planted: Planted, key: str) -> bool:
    return planted.roi(key)[MASK].pixel_array.shape != planted.film(key.rpartition("_")[0]).pixel_array.shape


def has_odd_values(planted: Planted, key: str) -> bool:
    values = np.unique(planted.roi(key)[MASK].pixel_array)
    return len(values) > 2 or values.tolist() == [0]


def is_another_crop(planted: Planted, key: str) -> bool:
    roi = planted.roi(key)
    mask = roi[MASK].pixel_array
    r, c = np.nonzero(mask)
    box = [min(v.max() + 6, size) - max(v.min() - 5, 0) for v, size in ((r, mask.shape[0]), (c, mask.shape[1]))]
    return list(roi[CROP].pixel_array.shape) != box


SHOWS: dict[Trap, Callable[[Planted, str], bool]] = {
    Trap.leak: is_leak,
    Trap.duplicate_film: is_duplicate,
    Trap.near_duplicate: is_near_duplicate,
    Trap.stored_twice: is_stored_twice,
    Trap.mixed_pathology: is_mixed,
    Trap.unstable_id: is_unstable,
    Trap.unknown_grade: is_unknown,
    Trap.incomplete_assessment: lambda planted, key: planted.row(key)["assessment"] == "0",
    Trap.swapped_mask: is_swapped,
    Trap.separate_series: is_separate,
    Trap.missing_series: is_missing,
    Trap.unnamed_series: is_unnamed,
    Trap.repeated_file: is_repeated,
    Trap.ambiguous: has_two_masks,
    Trap.truncated: is_truncated,
    Trap.syntax: has_no_decodable_pixels,
    Trap.unreadable: is_no_dicom,
    Trap.monochrome1: is_monochrome1,
    Trap.laterality: differs("Laterality", lambda key: "L" if "_LEFT_" in key else "R"),
    Trap.view: differs("PatientOrientation", lambda key: "CC" if "_CC" in key else "MLO"),
    Trap.patient_id: differs("PatientID", lambda key: key),
    Trap.mirrored: chest_wall_is_elsewhere,
    Trap.mask_size: is_of_another_size,
    Trap.mask_values: has_odd_values,
    Trap.crop_size: is_another_crop,
}


@pytest.mark.parametrize("trap", list(Trap))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_listed_row_shows_its_fault(planted: Planted, trap: Trap):
    rows = planted.faults[trap]
    assert rows == sorted(set(rows))
    assert len(rows) >= (2 if trap is Trap.leak else 1)
    assert all(SHOWS[trap](planted, row) for row in rows)


def test_no_patient_carries_two_faults(planted: Planted):
    carriers = {
        trap: {part for row in rows for part in row.replace("/", "_").split("_") if part.isdecimal() and len(part) == 5}
        for trap, rows in planted.faults.items()
    }
    counted = Counter(number for numbers in carriers.values() for number in numbers)
    assert len(counted) == len(Trap) + 3  # leak and the two of one film under two patients have two each
    assert set(counted.values()) == {1}


def test_a_single_fault_comes_alone(single: Planted):
    """What a phantom has by nature would make the doctor find more than was planted."""
    assert list(single.faults) == ["repeated_file"]
    two_views = {key_of(row) for row in single.rows if len(other_view(single, row)) == 1}
    assert two_views
    for row in single.rows:
        key = key_of(row)
        assert row["assessment"] != "0"
        assert row["subtlety"] != "0"
        assert not is_separate(single, key)
        assert not is_mixed(single, mammogram_of(row))
        assert not chest_wall_is_elsewhere(single, mammogram_of(row))
        assert not is_another_crop(single, key)
        assert key not in two_views or not is_unstable(single, key)
    patients = defaultdict(set)
    for row in single.rows:
        patients[row["patient_id"]].add(row["file"])
    assert all(len(files) == 1 for files in patients.values())
    assert len({files for names in patients.values() for files in names}) == 4
    films = [path.read_bytes() for path in (single.root / "CBIS-DDSM").glob("*/*/*full*/1-1.dcm")]
    assert len({data[-10_000:] for data in films}) == len(films)


def other_view(planted: Planted, row: Row) -> list[Row]:
    same = ("patient_id", "left or right breast", "abnormality id", "abnormality type")
    return [
        other
        for other in planted.rows
        if all(other[name] == row[name] for name in same) and other["image view"] != row["image view"]
    ]
