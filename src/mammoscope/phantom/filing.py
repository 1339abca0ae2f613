"""Where TCIA puts a picture and what it calls it: folders, file names, UIDs, and the CSVs' older paths."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mammoscope.dicom.write import FilmHeader, write_film
from mammoscope.phantom.tables import SeriesRow
from mammoscope.phantom.uids import Role, ending, make_uid
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, View

FULL, CROP, MASK = "full mammogram images", "cropped images", "ROI mask images"
CROP_MARGIN_PX = 5
CROP_FIRST = 2 / 3  # share of series in which the crop is 1-1.dcm; in the others it is 1-2.dcm
NAMED_CROPPED = 0.15  # share of two-image folders that are called "cropped images"
PREFIX = {
    (AbnormalityKind.mass, Partition.train): "Mass-Training",
    (AbnormalityKind.mass, Partition.test): "Mass-Test",
    (AbnormalityKind.calc, Partition.train): "Calc-Training",
    (AbnormalityKind.calc, Partition.test): "Calc-Test",
}
# Dates of release, which stand in folder names and headers: of full images, of ROI folders, and of ROI headers.
RELEASED = {
    "Mass-Training": ("07-20-2016", "07-21-2016", "20160720"),
    "Mass-Test": ("10-04-2016", "10-04-2016", "20161004"),
    "Calc-Training": ("08-07-2016", "09-06-2017", "20170830"),
    "Calc-Test": ("08-29-2017", "08-29-2017", "20170829"),
}
SITE = {Partition.train: "43352602", Partition.test: "43372602"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One mammogram of one kind: a film with masses and calcifications is two of these."""

    kind: AbnormalityKind
    published: Partition
    patient: str
    laterality: Laterality
    view: View

    @property
    def key(self) -> str:
        return f"{PREFIX[self.kind, self.published]}_{self.patient}_{self.laterality.upper()}_{self.view}"

    @property
    def released(self) -> tuple[str, str, str]:
        return RELEASED[PREFIX[self.kind, self.published]]


@dataclass(frozen=True, slots=True)
class FiledRoi:
    series: tuple[SeriesRow, ...]
    crop_path: str  # as the case description file has it
    mask_path: str


@dataclass(frozen=True, slots=True)
class _File:
    pixels: np.ndarray
    sop_uid: str
    description: str  # the header's SeriesDescription: right even where the folder's name is not
    number: int  # InstanceNumber: 1 full or crop, 2 mask, whatever the file is called


@dataclass(frozen=True, slots=True)
class _Series:
    """One folder of one picture."""

    picture: Picture
    subject: str  # DICOM PatientID
    study_uid: str
    series_uid: str
    folder_date: str  # MM-DD-YYYY
    header_date: str  # YYYYMMDD
    description: str  # the folder's; what the headers say may differ

    @property
    def folder(self) -> str:
        return (
            f"CBIS-DDSM/{self.subject}/{self.folder_date}-DDSM-NA-{ending(self.study_uid)}/"
            f"1.000000-{self.description}-{ending(self.series_uid)}"
        )

    def old_path(self, number: int) -> str:
        return f"{self.subject}/{self.study_uid}/{self.series_uid}/{number:06d}.dcm"

    def write(self, root: Path, *files: _File) -> SeriesRow:
        """As 1-1.dcm, 1-2.dcm."""
        folder = root / self.folder
        folder.mkdir(parents=True)
        for number, file in enumerate(files, start=1):
            write_film(folder / f"1-{number}.dcm", file.pixels, self._header(file))
        return SeriesRow(
            series_uid=self.series_uid,
            subject=self.subject,
            study_uid=self.study_uid,
            study_date=self.folder_date,
            description=self.description,
            images=len(files),
            size_bytes=sum(path.stat().st_size for path in folder.iterdir()),
            folder=self.folder,
        )

    def _header(self, file: _File) -> FilmHeader:
        return FilmHeader(
            patient_id=self.subject,
            study_uid=self.study_uid,
            series_uid=self.series_uid,
            sop_uid=file.sop_uid,
            description=file.description,
            instance_number=file.number,
            laterality=self.picture.laterality,
            view=self.picture.view,
            study_date=self.header_date,
            study_time="180052",
            content_date="20160414" if self.picture.kind is AbnormalityKind.mass else "20160503",
            content_time="105948.640000",
            site=SITE[self.picture.published],
        )


def file_film(root: Path, namespace: str, picture: Picture, pixels: np.ndarray) -> tuple[SeriesRow, str]:
    """Write the full image; returns its folder's row and its path as the case description file has it."""
    date = picture.released[0]
    study, series, sop = (make_uid(namespace, picture.key, r) for r in (Role.film_study, Role.film_series, Role.film))
    filed = _Series(picture, picture.key, study, series, date, f"{date[6:]}{date[:2]}{date[3:5]}", FULL)
    return filed.write(root, _File(pixels, sop, FULL, 1)), filed.old_path(0)


def file_roi(
    rng: np.random.Generator,
    root: Path,
    namespace: str,
    picture: Picture,
    number: int,
    film: np.ndarray,
    mask: np.ndarray,
    separate_series: float,
) -> FiledRoi:
    """Write mask and crop of one abnormality, in one series or two, in either order.

    separate_series: share of the masses that have two.
    """
    separate, crop_first, named_cropped = rng.random(3) < (separate_series, CROP_FIRST, NAMED_CROPPED)
    subject = f"{picture.key}_{number}"
    uids = {role: make_uid(namespace, subject, role) for role in Role}
    _, date, header_date = picture.released
    crop, roi = _File(cut_crop(film, mask), uids[Role.crop], CROP, 1), _File(mask, uids[Role.mask], MASK, 2)
    if separate and picture.kind is AbnormalityKind.mass:
        crop_uids = uids[Role.crop_study], uids[Role.crop_series]
        of_crop = _Series(picture, subject, *crop_uids, picture.released[0], header_date, CROP)
        of_mask = _Series(picture, subject, uids[Role.roi_study], uids[Role.roi_series], date, header_date, MASK)
        rows = of_crop.write(root, crop), of_mask.write(root, roi)
        return FiledRoi(rows, of_crop.old_path(0), of_mask.old_path(0))
    description = CROP if named_cropped else MASK
    both = _Series(picture, subject, uids[Role.roi_study], uids[Role.roi_series], date, header_date, description)
    row = both.write(root, crop, roi) if crop_first else both.write(root, roi, crop)
    in_csv = 0 if picture.kind is AbnormalityKind.mass else 1  # whatever the files are called
    return FiledRoi((row,), both.old_path(in_csv), both.old_path(1 - in_csv))


def cut_crop(film: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The released crop: the mask's box and 5 px around it, with the gain that makes its maximum 65535."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(rows[0] - CROP_MARGIN_PX, 0), max(columns[0] - CROP_MARGIN_PX, 0)
    crop = film[top : rows[-1] + CROP_MARGIN_PX + 1, left : columns[-1] + CROP_MARGIN_PX + 1].astype(np.float64)
    return np.rint(crop * (65535 / max(crop.max(), 1))).astype(np.uint16)
