"""Films of different patients that look like one: found in the stores' thumbnails, told, proposed for review."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mammoscope.catalog.reviewed import ReviewedPair, crossing_pairs, sorted_films, write_proposal
from mammoscope.catalog.splits import name_some
from mammoscope.data.store import PreparedStore
from mammoscope.data.thumbnails import near_duplicates
from mammoscope.files import written_whole
from mammoscope.records import Mammogram, NearDuplicate, Sample
from mammoscope.reporting.console import say
from mammoscope.vocabulary import Partition

PROPOSAL: Final = "near-duplicates.csv"


def find_near(stores: Sequence[PreparedStore], mammograms: Mapping[str, Mammogram]) -> tuple[NearDuplicate, ...]:
    """Over all the stores together, the most alike first; the same film, pixel for pixel, is not among them."""
    # one film that two kinds share is looked at once
    films = {(mammograms[f.mammogram].patient, f.film): (s, i, f) for s in stores for i, f in enumerate(s.films)}
    thumbnails = {store.name: store.thumbnails() for store in stores}
    patients = [patient for patient, _ in films]
    pictures = [thumbnails[store.name][index] for store, index, _ in films.values()]
    seen = [film for _, _, film in films.values()]
    if not seen:
        return ()
    found = near_duplicates(np.stack(pictures), patients)
    return tuple(
        NearDuplicate(
            mammograms=(seen[one].mammogram, seen[other].mammogram),
            patients=(patients[one], patients[other]),
            films=(seen[one].film, seen[other].film),
            correlation=correlation,
        )
        for one, other, correlation in found
        if seen[one].film != seen[other].film
    )


def propose_review(
    store_root: Path,
    samples: Mapping[Partition, Sequence[Sample]],
    near: Sequence[NearDuplicate],
    reviewed: Sequence[ReviewedPair],
) -> None:
    """Writes the file that a person completes for split.allow, where pairs in two partitions are not reviewed yet."""
    known = {pair.films for pair in reviewed}
    open_pairs = [pair for pair, _ in crossing_pairs(samples, near) if sorted_films(pair) not in known]
    if not open_pairs:
        return
    with written_whole(store_root / PROPOSAL) as temporary:
        write_proposal(temporary, open_pairs)
    say(f"{len(open_pairs)} near-duplicates to be looked at are listed in {store_root / PROPOSAL}, for split.allow")


def notes_on_near(samples: Mapping[Partition, Sequence[Sample]], near: Sequence[NearDuplicate]) -> tuple[str, ...]:
    """What a reader of the numbers should know of them."""
    if not near:
        return ()
    crossing = [pair for pair, _ in crossing_pairs(samples, near)]
    words = [f"{' = '.join(pair.mammograms)} ({pair.correlation:.3f})" for pair in near]
    across = f", {len(crossing)} of them in two partitions and reviewed (split.allow)" if crossing else ""
    return (f"{len(near)} pairs of films of different patients look like one film{across}: {name_some(words)}",)
