"""split.allow: near-duplicates that a person has looked at and found to be two films.

A CSV with these columns, one pair a row; lines that begin with # are comments:

    mammogram,other,film,other_film,who,when,why

mammogram and other are keys of mammograms, film and other_film the hashes of their pixels: a review is of pixels, and
does not hold for others that come later under the same names. `mammoscope prepare` writes such a file with the last
three columns empty, for a person to fill in.

`who` and `why` are asked for and not kept: what a run stands on is logged. A reviewer's name stays in the file, as a
reviewer's words do, which may name a patient.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from mammoscope.errors import CellError
from mammoscope.records import NearDuplicate, Sample
from mammoscope.vocabulary import Partition

COLUMNS: Final = ("mammogram", "other", "film", "other_film", "who", "when", "why")
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPair:
    """One row of the file, in either order of the two films."""

    mammograms: tuple[str, str]
    films: tuple[str, str]  # sorted
    when: str  # ISO 8601 date

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "ReviewedPair":
        """The reverse of dataclasses.asdict through JSON, without `who` and `why`, which older certificates have."""
        mammograms, films = (tuple(content[key]) for key in ("mammograms", "films"))
        return cls(mammograms=mammograms, films=films, when=content["when"])


def read_reviewed(path: Path) -> tuple[ReviewedPair, ...]:
    """Raises: CellError naming file, line, column and value."""
    columns = ",".join(COLUMNS)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _refused(path, f": {reason}; allowed: a CSV of {columns}") from error
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    rows = list(zip((n for n, _ in numbered), csv.reader(line for _, line in numbered), strict=True))
    if not rows or [cell.strip() for cell in rows[0][1]] != list(COLUMNS):
        found = ",".join(rows[0][1]) if rows else "an empty file"
        raise _refused(path, f": begins with {found!r}; allowed: {columns}", f": other columns than {columns}")
    return tuple(_pair(path, line, [cell.strip() for cell in cells]) for line, cells in rows[1:])


def _pair(path: Path, line: int, cells: Sequence[str]) -> ReviewedPair:
    where = f", line {line}"
    if len(cells) != len(COLUMNS):
        raise _refused(path, f"{where}: {len(cells)} cells; allowed: {len(COLUMNS)} ({','.join(COLUMNS)})")
    row = dict(zip(COLUMNS, cells, strict=True))
    if empty := next((column for column in COLUMNS if not row[column]), None):
        raise _refused(
            path, f"{where}, column {empty}: empty; allowed: a review says who looked, when, and why it is two"
        )
    for column in ("film", "other_film"):
        if len(row[column]) != 32 or not _HEX.issuperset(row[column]):
            allowed = "allowed: the 32 hexadecimal digits of a film"
            place = f"{where}, column {column}: "
            raise _refused(path, f"{place}{row[column]!r}; {allowed}", place + allowed)
    try:
        date.fromisoformat(row["when"])
    except ValueError as error:
        place, allowed = f"{where}, column when: ", "allowed: a date as 2026-11-25"
        raise _refused(path, f"{place}{row['when']!r}; {allowed}", place + allowed) from error
    pairs = sorted([(row["film"], row["mammogram"]), (row["other_film"], row["other"])])
    return ReviewedPair(
        mammograms=(pairs[0][1], pairs[1][1]),
        films=(pairs[0][0], pairs[1][0]),
        when=row["when"],
    )


def _refused(path: Path, said: str, public: str | None = None) -> CellError:
    """public: in place of `said`, which quotes a cell."""
    return CellError(f"split.allow={path}{said}", f"split.allow{public or said}")


def write_proposal(path: Path, near: Iterable[NearDuplicate]) -> None:
    """The file that a person completes: a row a pair, who, when and why empty."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write("# Look at each pair. Complete the rows of those that are two films, delete the others.\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for pair in near:
            writer.writerow([*pair.mammograms, *pair.films, "", "", ""])


def sorted_films(pair: NearDuplicate) -> tuple[str, str]:
    """As ReviewedPair has them."""
    first, second = sorted(pair.films)
    return first, second


def crossing_pairs(
    samples: Mapping[Partition, Sequence[Sample]], near: Sequence[NearDuplicate]
) -> Iterator[tuple[NearDuplicate, tuple[Partition, Partition]]]:
    """The pairs that stand in two partitions, with the partition of either film; films in none do not count."""
    # by patient and film: of one patient's film only one partition can be
    where = {(s.patient, film): partition for partition, own in samples.items() for s in own for film in s.films}
    for pair in near:
        first, second = (where.get(key) for key in zip(pair.patients, pair.films, strict=True))
        if first is not None and second is not None and first is not second:
            yield pair, (first, second)
