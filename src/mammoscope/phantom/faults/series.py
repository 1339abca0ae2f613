"""Faults of what lies where. A planter returns the rows concerned."""

import shutil
from dataclasses import replace

from mammoscope.dicom.write import rewrite
from mammoscope.phantom.faults.bed import Bed
from mammoscope.phantom.uids import Role, ending, make_uid


def missing_series(bed: Bed) -> list[str]:
    """A film, and mask and crop of another, neither in the tree nor in the listing: as in the real one."""
    first, second = bed.cases
    for subject in (first.mammogram, second.key):
        for series in list(bed.series(subject)):
            shutil.rmtree(bed.root / "CBIS-DDSM" / subject)
            bed.drop(series)
    return [first.mammogram, second.key]


def unnamed_series(bed: Bed) -> list[str]:
    """A crop that is there once more, as that of an abnormality which the case descriptions do not have."""
    case = bed.cases[0]
    (named,) = bed.series(case.key)
    subject = f"{case.mammogram}_9"
    study, series, sop = (make_uid(case.key, subject, role) for role in (Role.roi_study, Role.roi_series, Role.crop))
    date, description = named.study_date, "cropped images"
    folder = f"CBIS-DDSM/{subject}/{date}-DDSM-NA-{ending(study)}/1.000000-{description}-{ending(series)}"
    path = bed.root / folder / "1-1.dcm"
    path.parent.mkdir(parents=True)
    shutil.copy(bed.crop(case), path)
    rewrite(path, PatientID=subject, StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID=sop)
    row = replace(named, series_uid=series, subject=subject, study_uid=study, description=description, folder=folder)
    bed.add(replace(row, images=1, size_bytes=path.stat().st_size))
    return [bed.name(path)]


def ambiguous(bed: Bed) -> list[str]:
    """A second mask in the series of the first, with an instance UID of its own."""
    case = bed.cases[0]
    mask = bed.mask(case)
    other = mask.with_name("1-3.dcm")
    shutil.copy(mask, other)
    rewrite(other, SOPInstanceUID=make_uid(case.key, "ambiguous", Role.mask))
    return [case.key]


def repeated_file(bed: Bed) -> list[str]:
    """The second of the two is the one that is told."""
    film = bed.film(bed.cases[0])
    again = film.with_name("1-2.dcm")
    shutil.copy(film, again)
    return [bed.name(again)]
