"""DOMAIN's counts of the traps, from the official case descriptions; and each trap once a row."""

from collections import Counter

import pytest

from mammoscope.catalog.cbis_ddsm import index_cbis_ddsm
from mammoscope.catalog.conventions import count_conventions
from mammoscope.catalog.findings import each_once, film_of, find_in_headers, shared_films
from mammoscope.catalog.published import PUBLISHED, Origin, case_description_origins
from mammoscope.records import Catalog, Finding
from mammoscope.vocabulary import Trap

# fmt: off
_NUMBERS = (
    16, 41, 159, 394, 495, 510, 591, 601, 639, 652, 678, 723, 753, 882, 906, 924,
    969, 1108, 1152, 1179, 1237, 1307, 1365, 1467, 1566, 1605, 1621, 1635, 1741, 1803, 1883,
)
# fmt: on
CROSSING = [f"P_{number:05d}" for number in _NUMBERS]


@pytest.fixture(scope="module")
def official(real_rows_catalog: Catalog) -> dict[Trap, list[Finding]]:
    found: dict[Trap, list[Finding]] = {trap: [] for trap in Trap}
    for finding in find_in_headers(real_rows_catalog):
        found[finding.trap].append(finding)
    return found


def rows(findings: list[Finding]) -> list[str]:
    return [finding.row for finding in findings]


def test_who_crosses_the_published_split(official, real_rows_catalog):
    assert rows(official[Trap.leak]) == CROSSING
    crossing = [a for a in real_rows_catalog.abnormalities if a.patient in CROSSING]
    films = shared_films(crossing)
    assert (len(films), sum(films.values())) == (29, 7)


def test_mixed_films_and_those_that_their_first_row_mislabels(official, real_rows_catalog):
    assert len(official[Trap.mixed_pathology]) == 17
    assert sum("its first row" in f.found for f in official[Trap.mixed_pathology]) == 11


def test_numbers_that_mean_two_things(official):
    found = official[Trap.unstable_id]
    named = {tuple(row.split("_", 1)[1].rsplit("_", 2)[0::2]) for row in rows(found)}
    assert named == {("P_00419_LEFT", "1"), ("P_00419_LEFT", "2"), ("P_01623_RIGHT", "1")}
    assert len(found) == 6  # in both views
    assert all(finding.others for finding in found)


def test_grades_that_nobody_knows(official):
    grades = Counter((f.row.partition("_")[0], f.found) for f in official[Trap.unknown_grade])
    assert grades == {("Calc-Test", "density 0"): 2, ("Mass-Training", "subtlety 0"): 2}


def test_rows_with_two_series_and_views_stored_twice(official, real_rows_catalog):
    assert len(official[Trap.separate_series]) == 104
    twice = {m.key: film_of(m) for m in real_rows_catalog.mammograms}
    assert len(official[Trap.stored_twice]) == 142
    assert len({twice[row] for row in rows(official[Trap.stored_twice])}) == 71


def test_assessment_0(official, real_rows_catalog):
    incomplete = [a.key for a in real_rows_catalog.abnormalities if a.assessment == 0]
    assert sorted(rows(official[Trap.incomplete_assessment])) == sorted(incomplete)
    assert incomplete


def test_the_official_files_are_known_and_others_told(shared, tree):
    folder = shared / "data/cbis_ddsm/csv"
    names = tuple(path.name for path in folder.iterdir())
    assert set(case_description_origins(folder, names).values()) == {Origin.official}
    tree.add(1)
    tree.write_csvs()
    origins = case_description_origins(tree.root, ("mass_case_description_train_set.csv",))
    assert list(origins.values()) == [Origin.other, Origin.absent, Origin.absent, Origin.absent]


def test_published_counts_are_those_of_the_official_files(real_rows_catalog):
    films = Counter((m.kind, m.published) for m in real_rows_catalog.mammograms)
    abnormalities = Counter((a.kind, a.published) for a in real_rows_catalog.abnormalities)
    assert {key: (p.films, p.rows) for key, p in PUBLISHED.items()} == {
        key: (films[key], abnormalities[key]) for key in PUBLISHED
    }


def test_ways_of_the_official_files(shared, real_rows_catalog):
    folder = shared / "data/cbis_ddsm/csv"
    names = tuple(sorted(path.name for path in folder.iterdir()))
    counts = {c.what: (c.count, c.of) for c in count_conventions(folder, names, real_rows_catalog)}
    assert counts["case descriptions that say `breast density`, not `breast_density`"] == (2, 4)
    assert counts["rows with a line break inside a path"] == (3568, 3568)


def test_a_row_is_told_once_a_trap():
    twice = [Finding(trap=Trap.view, row="a", found=words, taken_as="CC") for words in ("one", "two", "one")]
    other = Finding(trap=Trap.leak, row="b", found="", taken_as="")
    assert [(f.trap, f.found) for f in each_once([*twice, other])] == [(Trap.leak, ""), (Trap.view, "one; two")]


def test_what_follows_from_a_file_that_cannot_be_used_is_not_told_again(tree):
    key = tree.add(1)
    film, mask = tree.files[key.removesuffix("_1")], tree.files[f"{key}/mask"]
    tree.add(2)
    for path in (film, mask):
        path.write_bytes(path.read_bytes()[:-100])
    tree.write_csvs()
    found = find_in_headers(index_cbis_ddsm(tree.root, workers=1))
    assert {(f.trap, f.row) for f in found} == {
        (Trap.truncated, path.relative_to(tree.root).as_posix()) for path in (film, mask)
    }


def test_of_two_files_one_cut_short_and_one_deleted_both_are_told(tree):
    key = tree.add(1)
    tree.add(2)
    mask, crop = tree.files[f"{key}/mask"], tree.files[f"{key}/crop"]
    mask.write_bytes(mask.read_bytes()[:-100])
    crop.unlink()
    tree.write_csvs()
    found = find_in_headers(index_cbis_ddsm(tree.root, workers=1))
    assert [(f.trap, f.row) for f in found] == [
        (Trap.missing_series, key),
        (Trap.truncated, mask.relative_to(tree.root).as_posix()),
    ]
