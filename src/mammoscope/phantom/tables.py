"""The four case description files and the NBIA listing, byte for byte in the form in which TCIA publishes them."""

import csv
import io
from dataclasses import dataclass

from mammoscope.phantom.clinical import Finding
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, View

KIND = {AbnormalityKind.mass: "mass", AbnormalityKind.calc: "calcification"}
# The columns that differ: the density is spelt in two ways.
COLUMNS = {
    AbnormalityKind.mass: ("breast_density", "mass shape", "mass margins"),
    AbnormalityKind.calc: ("breast density", "calc type", "calc distribution"),
}
LISTING = (
    "Series UID,Collection,3rd Party Analysis,Data Description URI,Subject ID,Study UID,Study Description,Study Date,"
    "Series Description,Manufacturer,Modality,SOP Class Name,SOP Class UID,Number of Images,File Size,File Location,"
    "Download Timestamp"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One abnormality on one view. Paths are those of the old layout, which no download has any more."""

    kind: AbnormalityKind
    published: Partition
    patient: str
    density: int
    laterality: Laterality
    view: View
    number: int
    finding: Finding
    film_path: str
    crop_path: str
    mask_path: str

    @property
    def mammogram(self) -> str:
        """The key of the film, which its DICOM PatientID repeats."""
        return self.film_path.partition("/")[0]

    @property
    def key(self) -> str:
        return self.mask_path.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One folder of the tree."""

    series_uid: str
    subject: str
    study_uid: str
    study_date: str  # MM-DD-YYYY
    description: str
    images: int
    size_bytes: int
    folder: str  # below the root, with forward slashes


def case_file_name(kind: AbnormalityKind, published: Partition) -> str:
    return f"{kind}_case_description_{published}_set.csv"


def case_file(kind: AbnormalityKind, rows: list[CaseRow]) -> bytes:
    """CRLF after each row; in each row one quoted path with a line feed inside: of the mask (mass), the crop (calc)."""
    density, descriptor_1, descriptor_2 = COLUMNS[kind]
    header = (
        f"patient_id,{density},left or right breast,image view,abnormality id,abnormality type,{descriptor_1},"
        f"{descriptor_2},assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
    )
    return "".join(f"{line}\r\n" for line in (header, *map(_case_line, rows))).encode("ascii")


def _case_line(row: CaseRow) -> str:
    crop, mask = row.crop_path, row.mask_path
    if row.kind is AbnormalityKind.mass:
        mask = f'"{mask}\n"'
    else:
        crop = f'"{crop}\n"'
    finding = row.finding
    cells = (
        *(row.patient, row.density, row.laterality.upper(), row.view, row.number, KIND[row.kind]),
        *(finding.descriptor_1, finding.descriptor_2, finding.assessment, finding.pathology, finding.subtlety),
        *(row.film_path, crop, mask),
    )
    return ",".join(map(str, cells))


def listing(rows: list[SeriesRow]) -> bytes:
    """metadata.csv of the NBIA Data Retriever: line feeds, Windows paths, a rounded size."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(LISTING.split(","))
    writer.writerows(map(_listing_cells, rows))
    return out.getvalue().encode("ascii")


def _listing_cells(row: SeriesRow) -> tuple[str, ...]:
    kilobytes = row.size_bytes / 1000
    return (
        *(row.series_uid, "CBIS-DDSM", "null", "httpsdoi.org10.7937K9TCIA.2016.7O02S9CY", row.subject, row.study_uid),
        *("NA", row.study_date, row.description, "NA", "MG", "Secondary Capture Image Storage"),
        *("1.2.840.10008.5.1.4.1.1.7", str(row.images)),
        f"{kilobytes / 1000:.2f} MB" if kilobytes >= 1000 else f"{kilobytes:.2f} KB",
        ".\\" + row.folder.replace("/", "\\"),
        "2021-09-05T13:08:40.549",
    )
