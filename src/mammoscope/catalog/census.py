"""What a source holds, in numbers, beside what its case descriptions name."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mammoscope.catalog.selection import target_of
from mammoscope.records import Abnormality, Catalog, Mammogram
from mammoscope.vocabulary import AbnormalityKind, Partition, Pathology


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusRow:
    """One kind as published in one partition, or all of them (`kind` and `published` are None).

    Named are what the case descriptions name; present is what lies in the tree and can be used.
    """

    kind: AbnormalityKind | None
    published: Partition | None
    rows: int  # abnormality x view
    malignant: int
    without_callback: int
    mammograms_named: int
    films_named: int  # distinct patient, side and view: a film may be stored once a kind
    mammograms_present: int
    masks_present: int
    crops_present: int
    mixed_films: int  # with malignant and other abnormalities
    breasts: int
    breasts_with_both_views: int
    patients: int
    patients_present: int


@dataclass(frozen=True, slots=True)
class Census:
    rows: tuple[CensusRow, ...]  # kinds x partitions that the source names, in the order of the vocabulary
    total: CensusRow
    defects: Mapping[str, int]  # as defect_counts has them

    @property
    def is_partial(self) -> bool:
        t = self.total
        return t.mammograms_present < t.mammograms_named or t.masks_present < t.rows

    def summary(self) -> str:
        t = self.total
        state = "partial download" if self.is_partial else "complete"
        return (
            f"{state}: {t.mammograms_present} of {t.mammograms_named} mammograms, {t.masks_present} of {t.rows} masks, "
            f"{t.crops_present} of {t.rows} crops, {t.patients_present} of {t.patients} patients"
        )


def census(catalog: Catalog) -> Census:
    groups = [(kind, published) for kind in AbnormalityKind for published in Partition]
    rows = (_count(catalog, kind, published) for kind, published in groups)
    return Census(
        rows=tuple(row for row in rows if row.rows),
        total=_count(catalog, None, None),
        defects=defect_counts(catalog),
    )


def defect_counts(catalog: Catalog) -> dict[str, int]:
    """How often each problem stands in the ledger, the most frequent first."""
    problems = Counter(defect.problem for defect in catalog.defects)
    return dict(sorted(problems.items(), key=lambda item: (-item[1], item[0])))


def _count(catalog: Catalog, kind: AbnormalityKind | None, published: Partition | None) -> CensusRow:
    def belongs(record: Abnormality | Mammogram) -> bool:
        return (kind is None or record.kind is kind) and (published is None or record.published is published)

    rows = [a for a in catalog.abnormalities if belongs(a)]
    mammograms = [m for m in catalog.mammograms if belongs(m)]
    present = [m for m in mammograms if m.path is not None]
    films = {(m.patient, m.laterality, m.view) for m in mammograms}
    views = Counter((patient, laterality) for patient, laterality, _ in films)
    return CensusRow(
        kind=kind,
        published=published,
        rows=len(rows),
        malignant=sum(target_of(a) for a in rows),
        without_callback=sum(a.pathology is Pathology.BENIGN_WITHOUT_CALLBACK for a in rows),
        mammograms_named=len(mammograms),
        films_named=len(films),
        mammograms_present=len(present),
        masks_present=sum(a.mask_path is not None for a in rows),
        crops_present=sum(a.crop_path is not None for a in rows),
        mixed_films=_mixed_films(rows),
        breasts=len(views),
        breasts_with_both_views=sum(count > 1 for count in views.values()),
        patients=len({m.patient for m in mammograms}),
        patients_present=len({m.patient for m in present}),
    )


def _mixed_films(rows: Sequence[Abnormality]) -> int:
    """Films, not mammograms as stored: merging the kinds brings abnormalities of one film together."""
    targets: dict[tuple[str, str, str], set[int]] = {}
    for row in rows:
        targets.setdefault((row.patient, row.laterality, row.view), set()).add(target_of(row))
    return sum(len(found) > 1 for found in targets.values())
