"""Rows of the case descriptions + headers of the files -> the catalog's records, joined on UIDs.

What a file is, its content says: folders called "ROI mask images" hold crops, and either may be 1-1.dcm. A mask has 8
bits and the Rows and Columns of the full image; the other file of its series is the crop.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mammoscope.catalog.case_descriptions import CaseRow, Place
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.read import Header
from mammoscope.errors import DicomError
from mammoscope.records import Abnormality, Defect, Mammogram
from mammoscope.vocabulary import Laterality, Trap

_SIDE = {Laterality.left: "L", Laterality.right: "R"}
_CSV_WINS = "the case description file is what was published"
_UNNAMED = "no case description names the series"
_TRAPS = {"E-TRUNCATED": Trap.truncated, "E-UNDECODABLE": Trap.syntax}


def trap_of(error: DicomError) -> Trap:
    """Which trap a file that is refused is."""
    return _TRAPS.get(error.code, Trap.unreadable)


Series = tuple[str, str]  # (StudyInstanceUID, SeriesInstanceUID)


@dataclass(frozen=True, slots=True)
class Found:
    """A file that can be read."""

    path: str
    header: Header

    @property
    def series(self) -> Series:
        return self.header.study_uid, self.header.series_uid

    @property
    def shape_px(self) -> tuple[int, int]:
        return self.header.rows_px, self.header.columns_px

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Join:
    """What has been joined so far; the ledger grows as it goes."""

    series: dict[Series, list[Found]] = field(default_factory=lambda: defaultdict(list))
    unusable: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # folder name -> paths
    mammograms: dict[str, Mammogram] = field(default_factory=dict)
    abnormalities: list[Abnormality] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)

    def note(self, row: str, problem: str, found: str, taken_as: str, reason: str) -> None:
        self.defects.append(Defect(row=row, problem=str(problem), found=found, taken_as=taken_as, reason=reason))


def join(rows: Sequence[CaseRow], files: Iterable[tuple[str, Header | DicomError]]) -> Join:
    """Every row is in the result, whether its files are or not; what was wrong is in its ledger. Files by path."""
    joined = Join()
    _sort_into_series(files, joined)
    images: dict[str, Found | None] = {}
    for row in rows:
        if row.mammogram not in images:
            images[row.mammogram] = _add_mammogram(row, joined)
        _add_abnormality(row, images[row.mammogram], joined)
    named = {place.series for row in rows for place in (row.image, row.crop, row.mask)}
    for series, members in joined.series.items():
        if series not in named:
            for member in members:
                joined.note(member.path, Trap.unnamed_series, f"a file of series {series[1]}", "left out", _UNNAMED)
    return joined


def _sort_into_series(files: Iterable[tuple[str, Header | DicomError]], joined: Join) -> None:
    first: dict[tuple[object, ...], str] = {}
    for path, header in files:
        if isinstance(header, DicomError):
            joined.note(path, trap_of(header), f"{header.code}: {header.reason}", "left out", CODES[header.code])
            for folder in path.split("/")[:-1]:
                joined.unusable[folder].append(path)
            continue
        found = Found(path, header)
        # a mask and a crop may share an instance UID through a careless writer; they do not share this
        identity = (*found.series, header.sop_uid, *found.shape_px, header.bits_allocated)
        if identity in first:
            told = f"the same instance as {first[identity]}"
            joined.note(path, Trap.repeated_file, told, "left out", "stored twice")
            continue
        first[identity] = path
        if header.photometric == "MONOCHROME1":
            told = "PhotometricInterpretation is MONOCHROME1: brighter is less dense"
            joined.note(path, Trap.monochrome1, told, "inverted once, after window and LUT", "the header says so")
        joined.series[found.series].append(found)


def _add_mammogram(row: CaseRow, joined: Join) -> Found | None:
    key = row.mammogram
    candidates = joined.series.get(row.image.series, [])
    ranked = sorted(candidates, key=lambda f: (f.header.patient_id != key, -f.shape_px[0] * f.shape_px[1], f.path))
    image = _first(ranked, key, "image", "the PatientID of the row, then the most pixels", joined)
    if image is None:
        _note_missing(key, {"image": row.image}, joined)
    else:
        _note_contradictions(row, key, image, joined)
    joined.mammograms[key] = Mammogram(
        key=key,
        kind=row.kind,
        published=row.published,
        patient=row.patient,
        laterality=row.laterality,
        view=row.view,
        study_uid=row.image.study_uid,
        series_uid=row.image.series_uid,
        path=image.path if image else None,
        sop_uid=image.header.sop_uid if image else None,
        rows_px=image.header.rows_px if image else None,
        columns_px=image.header.columns_px if image else None,
        file_bytes=image.header.file_bytes if image else None,
    )
    return image


def _add_abnormality(row: CaseRow, image: Found | None, joined: Join) -> None:
    mask, crop, is_other_size = _mask_and_crop(row, image, joined)
    _note_swap(row, mask, crop, joined)
    if row.mask.series != row.crop.series:
        found = f"mask in series {row.mask.series_uid}, crop in {row.crop.series_uid}"
        joined.note(row.key, Trap.separate_series, found, "one abnormality", "both are named in its row")
    for file in (mask, crop):
        if file is not None:
            _note_contradictions(row, row.key, file, joined)
    absent = {"mask": row.mask} if mask is None and not is_other_size else {}
    _note_missing(row.key, absent | ({"crop": row.crop} if crop is None else {}), joined)
    joined.abnormalities.append(
        Abnormality(
            kind=row.kind,
            patient=row.patient,
            laterality=row.laterality,
            view=row.view,
            number=row.number,
            mammogram=row.mammogram,
            published=row.published,
            pathology=row.pathology,
            assessment=row.assessment,
            density=row.density,
            subtlety=row.subtlety,
            descriptor_1=row.descriptor_1,
            descriptor_2=row.descriptor_2,
            mask_path=mask.path if mask else None,
            mask_sop_uid=mask.header.sop_uid if mask else None,
            crop_path=crop.path if crop else None,
            crop_rows_px=crop.header.rows_px if crop else None,
            crop_columns_px=crop.header.columns_px if crop else None,
        )
    )


def _mask_and_crop(row: CaseRow, image: Found | None, joined: Join) -> tuple[Found | None, Found | None, bool]:
    """The mask, the crop, and whether a mask was refused for its size."""
    named = dict.fromkeys((row.mask.series, row.crop.series))  # one series; two in 104 of the real rows
    candidates = [f for series in named for f in joined.series.get(series, [])]
    masks = [f for f in candidates if f.header.bits_allocated == 8 and (image is None or f.shape_px == image.shape_px)]
    others = [f for f in candidates if f not in masks]
    wrong_size = [f for f in others if f.header.bits_allocated == 8] if not masks and image is not None else []
    if image is not None:
        for wrong in wrong_size:
            others.remove(wrong)
            found = f"{wrong.path}: 8 bits, {wrong.shape_px[0]} x {wrong.shape_px[1]} px"
            wanted = f"the full image has {image.shape_px[0]} x {image.shape_px[1]} px"
            joined.note(row.key, Trap.mask_size, found, "no mask", wanted)
    masks.sort(key=lambda f: (f.series != row.mask.series, "mask" not in f.header.series_description.lower(), f.path))
    others.sort(key=lambda f: (f.header.bits_allocated == 8, f.series != row.crop.series, f.path))
    mask = _first(masks, row.key, "mask", "the series that the row names, then SeriesDescription", joined)
    crop = _first(others, row.key, "crop", "16 bits, then the series that the row names", joined)
    if mask is not None and image is None:
        joined.note(row.key, "unconfirmed_mask", mask.path, "mask", "8 bits; no full image to compare its size with")
    return mask, crop, bool(wrong_size)


def _first(ranked: Sequence[Found], row: str, role: str, rule: str, joined: Join) -> Found | None:
    if len(ranked) > 1:
        found = f"{len(ranked)} candidates: {', '.join(f.path for f in ranked)}"
        joined.note(row, Trap.ambiguous, f"{role}: {found}", ranked[0].path, f"taken by {rule}")
    return ranked[0] if ranked else None


def _note_swap(row: CaseRow, mask: Found | None, crop: Found | None, joined: Join) -> None:
    if (mask and _is_elsewhere(mask, row.mask, row.crop)) or (crop and _is_elsewhere(crop, row.crop, row.mask)):
        found = f"the row names {row.mask.series_uid}/{row.mask.file_name} as its mask"
        taken_as = f"mask {mask.path if mask else 'missing'}, crop {crop.path if crop else 'missing'}"
        joined.note(row.key, Trap.swapped_mask, found, taken_as, "bits and size of the files tell mask from crop")


def _is_elsewhere(file: Found, own: Place, other: Place) -> bool:
    """In the other column's series; or, both being one series, under the other's name, where names have survived."""
    if own.series != other.series:
        return file.series == other.series
    return file.name == other.file_name != own.file_name


def _note_missing(row: str, absent: Mapping[str, Place], joined: Join) -> None:
    """absent: what the row has no file for. As much of it as there are files in its folder that cannot be used is a
    consequence of theirs, which are told by path; the rest is not in the tree."""
    unusable = sorted({path for place in absent.values() for path in joined.unusable.get(place.patient_id, [])})
    for role in list(absent)[: len(unusable)]:
        found = f"what lies there cannot be used: {', '.join(unusable)}"
        joined.note(row, f"unusable_{role}", found, f"no {role}", "a file that cannot be used")
    if missing := {role: absent[role] for role in list(absent)[len(unusable) :]}:
        series = ", ".join(dict.fromkeys(place.series_uid for place in missing.values()))
        found = f"no {' and no '.join(missing)}: not in the tree, series {series}"
        joined.note(row, Trap.missing_series, found, f"no {' and no '.join(missing)}", "partial download")


def _note_contradictions(row: CaseRow, key: str, file: Found, joined: Join) -> None:
    header = file.header
    for problem, found, expected in (
        (Trap.laterality, header.laterality, _SIDE[row.laterality]),
        (Trap.view, header.view, str(row.view)),
        (Trap.patient_id, header.patient_id, key),
    ):
        if found and found != expected:
            joined.note(key, problem, f"{file.path}: {found}", expected, _CSV_WINS)
