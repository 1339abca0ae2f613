import csv
import io
from pathlib import Path

import pytest

from mammoscope.phantom.clinical import Finding
from mammoscope.phantom.tables import CaseRow, SeriesRow, case_file, case_file_name, listing
from mammoscope.vocabulary import CBIS_DDSM_KINDS, AbnormalityKind, Laterality, Partition, Pathology, View

MASS, CALC = AbnormalityKind.mass, AbnormalityKind.calc


def row(kind: AbnormalityKind) -> CaseRow:
    return CaseRow(
        kind=kind,
        published=Partition.train,
        patient="P_00001",
        density=3,
        laterality=Laterality.left,
        view=View.MLO,
        number=2,
        finding=Finding(Pathology.BENIGN_WITHOUT_CALLBACK, 2, 4, "OVAL", "N/A"),
        film_path="a/b/c/000000.dcm",
        crop_path="d/e/f/000000.dcm",
        mask_path="d/e/f/000001.dcm",
    )


def test_a_mass_row_byte_for_byte():
    head, line, end = case_file(MASS, [row(MASS)]).split(b"\r\n")
    assert head.startswith(
        b"patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,"
    )
    assert line == (
        b"P_00001,3,LEFT,MLO,2,mass,OVAL,N/A,2,BENIGN_WITHOUT_CALLBACK,4,a/b/c/000000.dcm,d/e/f/000000.dcm,"
        b'"d/e/f/000001.dcm\n"'
    )
    assert end == b""


def test_a_calc_row_byte_for_byte():
    head, line, end = case_file(CALC, [row(CALC)]).split(b"\r\n")
    assert head.startswith(b"patient_id,breast density,left or right breast,")
    assert line == (
        b"P_00001,3,LEFT,MLO,2,calcification,OVAL,N/A,2,BENIGN_WITHOUT_CALLBACK,4,a/b/c/000000.dcm,"
        b'"d/e/f/000000.dcm\n",d/e/f/000001.dcm'
    )
    assert end == b""


def reread(line: dict[str, str], kind: AbnormalityKind, published: Partition) -> CaseRow:
    cells = [cell.strip() for cell in line.values()]
    patient, density, side, view, number, _, descriptor_1, descriptor_2, assessment, pathology, subtlety = cells[:11]
    return CaseRow(
        kind=kind,
        published=published,
        patient=patient,
        density=int(density),
        laterality=Laterality(side.lower()),
        view=View(view),
        number=int(number),
        finding=Finding(Pathology(pathology), int(assessment), int(subtlety), descriptor_1, descriptor_2),
        film_path=cells[11],
        crop_path=cells[12],
        mask_path=cells[13],
    )


@pytest.mark.parametrize("kind", list(CBIS_DDSM_KINDS))
@pytest.mark.parametrize("published", [Partition.train, Partition.test])
def test_the_official_rows_come_out_as_the_official_bytes(shared: Path, kind: AbnormalityKind, published: Partition):
    official = (shared / "data/cbis_ddsm/csv" / case_file_name(kind, published)).read_bytes()
    lines = csv.DictReader(io.StringIO(official.decode(), newline=""))
    assert case_file(kind, [reread(line, kind, published) for line in lines]) == official


def test_listing_has_the_official_columns_and_windows_paths(shared: Path):
    made = listing(
        [
            SeriesRow(
                series_uid="2.25.12",
                subject="Mass-Test_P_00001_LEFT_CC",
                study_uid="2.25.11",
                study_date="10-04-2016",
                description="full mammogram images",
                images=1,
                size_bytes=28_970_000,
                folder="CBIS-DDSM/x/y",
            )
        ]
    )
    with (shared / "data/cbis_ddsm/nbia_metadata.csv").open("rb") as handle:
        assert made.startswith(handle.readline())
    cells = next(csv.DictReader(io.StringIO(made.decode())))
    assert cells["File Location"] == ".\\CBIS-DDSM\\x\\y"
    assert cells["File Size"] == "28.97 MB"
