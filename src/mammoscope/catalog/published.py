"""What was published: the counts of CBIS-DDSM, and whether the case descriptions at hand are the official ones.

Counts: Lee et al. 2017, Sci Data 4:170177, recounted from the official files. 3103 films, 3568 masks and 3568 crops are
the collection's 10 239 instances.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mammoscope.catalog.case_descriptions import FILES
from mammoscope.vocabulary import AbnormalityKind, ImageType, Partition


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One case description file as TCIA has it."""

    sha256: str
    films: int
    rows: int  # abnormality x view: as many masks, as many crops

    def count(self, image: ImageType) -> int:
        return self.films if image is ImageType.full else self.rows


_MASS, _CALC = AbnormalityKind.mass, AbnormalityKind.calc
PUBLISHED: Final[Mapping[tuple[AbnormalityKind, Partition], PublishedFile]] = {
    (_MASS, Partition.train): PublishedFile(
        "a4bcc1c32bfd040212737e6e8c304819334abe717cfefff56431dc50ae6db723", films=1231, rows=1318
    ),
    (_MASS, Partition.test): PublishedFile(
        "60f0b4504ec024106bbdd1555030d220163ea9da0ea4688473a4c9c3e8ab0457", films=361, rows=378
    ),
    (_CALC, Partition.train): PublishedFile(
        "3c7b07e8202f66709f446b9695e96c5d17484a65fda6a24d0170a0c1b81d56e3", films=1227, rows=1546
    ),
    (_CALC, Partition.test): PublishedFile(
        "03a2f72efb6ed29f417e07f4598950e6a1e02e6b11250ff516ebe7924ace3689", films=284, rows=326
    ),
}


class Origin(StrEnum):
    official = "official"
    other = "other"  # than the official file of this name
    absent = "absent"


def case_description_origins(root: Path, paths: tuple[str, ...]) -> dict[str, Origin]:
    """Of each of the four files, by name; `paths` are those that the tree has. Byte for byte: by SHA-256."""
    at_hand = {path.rpartition("/")[2]: root / path for path in paths}
    return {name: _origin(at_hand.get(name), PUBLISHED[FILES[name]]) for name in FILES}


def _origin(path: Path | None, published: PublishedFile) -> Origin:
    if path is None:
        return Origin.absent
    is_official = hashlib.sha256(path.read_bytes()).hexdigest() == published.sha256
    return Origin.official if is_official else Origin.other
