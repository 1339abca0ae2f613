"""Facts of the pixels -> findings: traps that no header tells."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from mammoscope.data.cut import CROP_MARGIN_PX, crop_shape
from mammoscope.data.survey import FileFacts
from mammoscope.data.thumbnails import NEAR_DUPLICATE, THUMBNAIL_PX, near_duplicates
from mammoscope.records import Abnormality, Catalog, Finding, Mammogram
from mammoscope.vocabulary import ImageType, Trap

Facts = Mapping[str, FileFacts]  # by path
Pair = tuple[str, str]  # hashes of two films, sorted, as ReviewedPair.films


def find_in_pixels(catalog: Catalog, facts: Facts, reviewed: Collection[Pair]) -> tuple[Finding, ...]:
    """reviewed: near-duplicates that a person found to be two films; they are told as such."""
    return (
        *_refused(facts),
        *_of_films(catalog, facts, reviewed),
        *(found for abnormality in catalog.abnormalities for found in _of_mask(abnormality, facts)),
    )


def unusable_rows(catalog: Catalog, facts: Facts) -> frozenset[tuple[str, ImageType]]:
    """Rows whose file can be read by its header, and whose pixels cannot be used."""
    named: list[tuple[str, ImageType, str | None]] = [(m.key, ImageType.full, m.path) for m in catalog.mammograms]
    named += [(a.key, ImageType.mask, a.mask_path) for a in catalog.abnormalities]
    named += [(a.key, ImageType.crop, a.crop_path) for a in catalog.abnormalities]
    return frozenset((k, image) for k, image, path in named if path and path in facts and not _is_usable(facts[path]))


def _is_usable(facts: FileFacts) -> bool:
    return facts.trap is None and not (facts.file.image is ImageType.mask and facts.box is None)


def _refused(facts: Facts) -> Iterator[Finding]:
    for path, of_file in facts.items():
        if of_file.trap is not None:
            found = of_file.trouble or "its pixels cannot be used"
            yield Finding(trap=of_file.trap, row=path, found=found, taken_as="left out")


def _of_films(catalog: Catalog, facts: Facts, reviewed: Collection[Pair]) -> Iterator[Finding]:
    films = [(m, facts[m.path]) for m in catalog.mammograms if m.path and m.path in facts and facts[m.path].film]
    for mammogram, of_film in films:
        if of_film.chest_wall != mammogram.laterality:
            found = f"a {mammogram.laterality} breast against the {of_film.chest_wall} edge"
            taken_as = "turned to one side by its pixels, not by Laterality"
            yield Finding(trap=Trap.mirrored, row=mammogram.key, found=found, taken_as=taken_as)
    yield from _same_pixels(films)
    yield from _alike(films, reviewed)


def _same_pixels(films: Sequence[tuple[Mammogram, FileFacts]]) -> Iterator[Finding]:
    groups: dict[str | None, list[Mammogram]] = defaultdict(list)
    for mammogram, of_film in films:
        groups[of_film.film].append(mammogram)
    for group in groups.values():
        for mammogram in group if len(group) > 1 else ():
            own = tuple(m.key for m in group if m.patient == mammogram.patient and m is not mammogram)
            strangers = tuple(m.key for m in group if m.patient != mammogram.patient)
            if own:
                found, taken_as = f"pixel for pixel {', '.join(own)}", "one film: one sample of image=full"
                yield Finding(trap=Trap.stored_twice, row=mammogram.key, found=found, taken_as=taken_as, others=own)
            if strangers:
                found = f"pixel for pixel {', '.join(strangers)}"
                taken_as = "refused, where the two stand in different partitions of a split"
                yield Finding(
                    trap=Trap.duplicate_film, row=mammogram.key, found=found, taken_as=taken_as, others=strangers
                )


def _alike(films: Sequence[tuple[Mammogram, FileFacts]], reviewed: Collection[Pair]) -> Iterator[Finding]:
    shape = (len(films), THUMBNAIL_PX, THUMBNAIL_PX)
    thumbnails = np.frombuffer(b"".join(f.thumbnail or b"" for _, f in films), np.uint8).reshape(shape)
    for one, other, correlation in near_duplicates(thumbnails, [m.patient for m, _ in films]):
        if films[one][1].film == films[other][1].film:
            continue
        keys = films[one][0].key, films[other][0].key
        first, second = sorted((films[one][1].film or "", films[other][1].film or ""))
        is_reviewed = (first, second) in reviewed
        taken_as = "two films: reviewed" if is_reviewed else "refused, until a person has looked at the pair"
        for key, twin in (keys, keys[::-1]):
            found = f"correlation {correlation:.4f} with {twin} (from {NEAR_DUPLICATE} on)"
            yield Finding(
                trap=Trap.near_duplicate, row=key, found=found, taken_as=taken_as, others=(twin,), reviewed=is_reviewed
            )


def _of_mask(abnormality: Abnormality, facts: Facts) -> Iterator[Finding]:
    mask = facts.get(abnormality.mask_path or "")
    if mask is None or mask.trap is not None:
        return
    if mask.box is None:
        found = "empty" if mask.levels == 1 else f"{mask.levels} grey levels; allowed: two"
        yield Finding(trap=Trap.mask_values, row=abnormality.key, found=found, taken_as="no ROI")
        return
    crop = abnormality.crop_rows_px, abnormality.crop_columns_px
    assert mask.shape_px is not None, "a mask that was read has a shape"
    expected = crop_shape(mask.box, mask.shape_px)
    if None not in crop and crop != expected:
        found = (
            f"crop of {crop[0]} x {crop[1]} px; the mask's box and {CROP_MARGIN_PX} px make "
            f"{expected[0]} x {expected[1]} px"
        )
        taken_as = "the mask: patches are re-cut from the film"
        yield Finding(trap=Trap.crop_size, row=abnormality.key, found=found, taken_as=taken_as)
