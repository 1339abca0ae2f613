"""split.allow: what it may hold, and what is refused, by file, line, column and value."""

from pathlib import Path

import pytest

from mammoscope.catalog.reviewed import read_reviewed, write_proposal
from mammoscope.errors import MammoscopeError
from mammoscope.records import NearDuplicate

HEAD = "mammogram,other,film,other_film,who,when,why"
ONE, OTHER = "0" * 31 + "1", "0" * 31 + "2"


@pytest.fixture
def write(tmp_path):
    def _write(*lines: str) -> Path:
        path = tmp_path / "allow.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return _write


def test_a_review_is_read_whatever_the_order_of_its_films(write):
    rows = [f"a,b,{ONE},{OTHER},R. Reader,2026-11-25,two films", f'b,a,{OTHER},{ONE},r2,2026-11-26,"dense, both"']
    first, second = read_reviewed(write("# looked at on one screen", HEAD, "", *rows))
    assert first.films == second.films == (ONE, OTHER)
    assert first.mammograms == second.mammograms == ("a", "b")
    assert (first.when, second.when) == ("2026-11-25", "2026-11-26")
    assert "Reader" not in repr(first)  # asked for, and not kept
    assert "dense" not in repr(second)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"a,b,{ONE},{OTHER},,2026-11-25,x", "line 2, column who: empty"),
        (f"a,b,{ONE},{OTHER},me,2026-11-25,", "line 2, column why: empty"),
        (f"a,b,{ONE},{OTHER},me,25.11.2026,x", "line 2, column when: '25.11.2026'; allowed: a date"),
        (f"a,b,xyz,{OTHER},me,2026-11-25,x", "line 2, column film: 'xyz'"),
        (f"a,b,{ONE},{OTHER},me", "line 2: 5 cells; allowed: 7"),
    ],
)
def test_a_bad_row_is_named(write, row, said):
    path = write(HEAD, row)
    with pytest.raises(MammoscopeError) as caught:
        read_reviewed(path)
    assert str(caught.value).startswith(f"split.allow={path}, ")
    assert said in str(caught.value)


@pytest.mark.parametrize("lines", [(), ("film,other",), ("# nothing",)])
def test_a_file_without_the_columns_is_refused(write, lines):
    with pytest.raises(MammoscopeError, match="allowed: mammogram,other,film"):
        read_reviewed(write(*lines))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MammoscopeError, match=r"split\.allow=.*nowhere: No such file"):
        read_reviewed(tmp_path / "nowhere")


def test_a_proposal_is_a_review_once_it_is_completed(tmp_path):
    path = tmp_path / "proposal.csv"
    pair = NearDuplicate(mammograms=("a", "b"), patients=("P_1", "P_2"), films=(OTHER, ONE), correlation=0.995)
    write_proposal(path, [pair])
    with pytest.raises(MammoscopeError, match="column who: empty"):
        read_reviewed(path)
    path.write_text(path.read_text().replace(",,,", ",me,2026-11-25,two films,").replace("films,\n", "films\n"))
    assert [(review.films, review.mammograms) for review in read_reviewed(path)] == [((ONE, OTHER), ("b", "a"))]
