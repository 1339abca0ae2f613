"""A user's table of images -> a catalog: headers only, compared with what the table says."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from mammoscope.catalog.box_masks import box_mask
from mammoscope.catalog.cells import refuse_bad
from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.headers import Progress, read_headers
from mammoscope.catalog.png_header import IMAGE_BITS, MASK_BITS, is_png, read_png_header
from mammoscope.catalog.pseudonyms import Pseudonyms
from mammoscope.catalog.table import ImageTable, TableRow
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.records import Abnormality, Catalog, Defect, Mammogram
from mammoscope.vocabulary import AbnormalityKind, Laterality, Partition, Pathology, Trap, View

_SIDES = {"L": Laterality.left, "R": Laterality.right}
_TABLE_WINS = "the table is the user's own word"
_NO_DESCRIPTOR = "N/A"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Of one file, whatever its format is; what a PNG does not say is empty."""

    rows_px: int
    columns_px: int
    file_bytes: int
    laterality: str = ""
    view: str = ""


def index_table(
    table: ImageTable, names: Pseudonyms, boxes: Path, *, workers: int = 0, progress: Progress | None = None
) -> Catalog:
    """The catalog of the table's images. Patients and images go by pseudonyms in it; paths are seen from table.root.

    boxes: a folder in which each box that stands in for a mask becomes one.

    Raises:
        MammoscopeError: naming the rows whose image or mask cannot be used, or whose ROI does not fit its image.
    """
    facts = _read_facts(table, workers, progress)
    refuse_bad([(f"{table.path} line {row.line}", words) for row in table.rows for words in _unfit(row, facts)])
    mammograms: dict[str, Mammogram] = {}
    abnormalities: list[Abnormality] = []
    defects: list[Defect] = []
    for rows in _by_image(table).values():
        mammogram = _mammogram(rows[0], names, facts[rows[0].path])
        mammograms[mammogram.key] = mammogram
        defects.extend(_contradictions(mammogram, rows[0], facts[rows[0].path]))
        # numbered by what they are, not by where they stand: a table that is sorted anew keeps the names of its rows
        for number, row in enumerate(sorted(rows, key=lambda r: (r.roi or "", r.box or ())), start=1):
            abnormalities.append(_abnormality(row, mammogram, number, boxes))
    return as_catalog(tuple(mammograms.values()), tuple(abnormalities), tuple(defects), is_phantom=False)


def _read_facts(table: ImageTable, workers: int, progress: Progress | None) -> dict[str, _Facts | MammoscopeError]:
    images = dict.fromkeys(row.path for row in table.rows)
    masks = dict.fromkeys(row.roi for row in table.rows if row.roi)
    paths = list(chain(images, (path for path in masks if path not in images)))
    found: dict[str, _Facts | MammoscopeError] = {}
    for path in filter(is_png, paths):
        found[path] = _png_facts(table.root / path, IMAGE_BITS if path in images else MASK_BITS)
    others = [path for path in paths if not is_png(path)]
    for path, header in read_headers(table.root, others, workers=workers, progress=progress):
        if isinstance(header, DicomError):
            found[path] = header
        else:
            found[path] = _Facts(
                rows_px=header.rows_px,
                columns_px=header.columns_px,
                file_bytes=header.file_bytes,
                laterality=header.laterality,
                view=header.view,
            )
    return found


def _png_facts(path: Path, bits: tuple[int, ...]) -> _Facts | MammoscopeError:
    try:
        header = read_png_header(path, bits)
    except MammoscopeError as error:
        return error
    return _Facts(rows_px=header.rows_px, columns_px=header.columns_px, file_bytes=header.file_bytes)


def _unfit(row: TableRow, facts: Mapping[str, _Facts | MammoscopeError]) -> Iterator[str]:
    """What of a row its files contradict so that it cannot be used."""
    for name, path in (("path", row.path), ("roi", row.roi)):
        if path is not None and isinstance(error := facts[path], MammoscopeError):
            yield f"column {name!r}: {error}"
    image = facts[row.path]
    if isinstance(image, MammoscopeError):
        return
    shape = f"{image.rows_px} x {image.columns_px} px"
    mask = facts[row.roi] if row.roi else None
    if isinstance(mask, _Facts) and (mask.rows_px, mask.columns_px) != (image.rows_px, image.columns_px):
        yield f"column 'roi': {row.roi!r} has {mask.rows_px} x {mask.columns_px} px; allowed: the image's {shape}"
    if row.box is not None and (row.box[2] > image.rows_px or row.box[3] > image.columns_px):
        yield f"column 'box': '{' '.join(map(str, row.box))}'; allowed: within the image of {shape}"


def _by_image(table: ImageTable) -> dict[tuple[Path, AbnormalityKind], list[TableRow]]:
    """As CBIS-DDSM does, a film that carries both kinds is two mammograms, one a kind."""
    images: dict[tuple[Path, AbnormalityKind], list[TableRow]] = defaultdict(list)
    for row in table.rows:
        images[(table.root / row.path).resolve(), row.kind].append(row)
    return images


def _mammogram(row: TableRow, names: Pseudonyms, facts: _Facts | MammoscopeError) -> Mammogram:
    assert isinstance(facts, _Facts), "unfit rows were refused"
    patient = names.patient(row.patient)
    return Mammogram(
        key=f"{patient}_{row.laterality.upper()}_{row.view}_{names.image(row.kind, row.path)}",
        kind=row.kind,
        published=row.partition or Partition.train,
        patient=patient,
        laterality=row.laterality,
        view=row.view,
        study_uid="",
        series_uid="",
        path=row.path,
        sop_uid=None,
        rows_px=facts.rows_px,
        columns_px=facts.columns_px,
        file_bytes=facts.file_bytes,
    )


def _abnormality(row: TableRow, mammogram: Mammogram, number: int, boxes: Path) -> Abnormality:
    mask_path = row.roi
    if row.box is not None:
        assert mammogram.rows_px is not None
        assert mammogram.columns_px is not None
        mask_path = str(box_mask(boxes, (mammogram.rows_px, mammogram.columns_px), row.box))
    return Abnormality(
        kind=row.kind,
        patient=mammogram.patient,
        laterality=row.laterality,
        view=row.view,
        number=number,
        mammogram=mammogram.key,
        published=mammogram.published,
        pathology=Pathology.MALIGNANT if row.target else Pathology.BENIGN,
        assessment=0,  # of these three, 0 is what the official files have where nothing is known
        density=0,
        subtlety=0,
        descriptor_1=_NO_DESCRIPTOR,
        descriptor_2=_NO_DESCRIPTOR,
        mask_path=mask_path,
        mask_sop_uid=None,
        crop_path=None,
        crop_rows_px=None,
        crop_columns_px=None,
    )


def _contradictions(mammogram: Mammogram, row: TableRow, facts: _Facts | MammoscopeError) -> Iterator[Defect]:
    """Where the header says another side or view than the table; other words than these two say nothing of either."""
    assert isinstance(facts, _Facts), "unfit rows were refused"
    side, views = _SIDES.get(facts.laterality), set(View)
    if side not in (None, row.laterality):
        yield _defect(mammogram, row, Trap.laterality, facts.laterality, row.laterality)
    if facts.view in views and facts.view != row.view:
        yield _defect(mammogram, row, Trap.view, facts.view, row.view)


def _defect(mammogram: Mammogram, row: TableRow, trap: Trap, found: str, taken_as: str) -> Defect:
    said = f"line {row.line}: its header says {found}"
    return Defect(row=mammogram.key, problem=trap, found=said, taken_as=taken_as, reason=_TABLE_WINS)
