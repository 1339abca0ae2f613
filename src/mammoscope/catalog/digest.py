"""Records -> a catalog that knows what it holds."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields

from mammoscope.records import Abnormality, Catalog, Defect, Mammogram


def as_catalog(
    mammograms: Sequence[Mammogram],
    abnormalities: Sequence[Abnormality],
    defects: Sequence[Defect],
    *,
    is_phantom: bool,
) -> Catalog:
    """The records with the SHA-256 of their canonical JSON: equal records, wherever they lay, have equal digests."""
    content = [
        _plain(records, kind)
        for records, kind in ((mammograms, Mammogram), (abnormalities, Abnormality), (defects, Defect))
    ]
    canonical = json.dumps([*content, is_phantom], separators=(",", ":"))
    return Catalog(
        mammograms=tuple(mammograms),
        abnormalities=tuple(abnormalities),
        defects=tuple(defects),
        is_phantom=is_phantom,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _plain(records: Sequence[object], kind: type[Mammogram | Abnormality | Defect]) -> list[list[object]]:
    names = [field.name for field in fields(kind)]
    return [names, *([getattr(record, name) for name in names] for record in records)]
