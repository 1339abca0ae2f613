import io
from dataclasses import replace

import pytest
from rich.console import Console

from mammoscope.reporting.tables import results_markdown, results_table
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Level

REFERENCES = {"ideal observer, abnormality level": 0.9214}


def printed(evidence, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(results_table(evidence, title="validation of resnet18", references=REFERENCES))
    return console.file.getvalue()


def test_the_official_data_fit_eighty_columns(evidence):
    large = (replace(result, n=2781, positives=1318, patients=1217) for result in evidence.results)
    lines = printed(replace(evidence, results=tuple(large)), width=80).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert sum("2781" in line and "(" in line for line in lines) == 4  # no row is folded


def test_a_row_a_level_says_all(evidence):
    lines = printed(evidence, width=80).splitlines()
    for level in Level:
        auc = evidence.result(level, "auc")
        (row,) = (line.split() for line in lines if line.startswith(level))
        assert row == [
            level,
            str(auc.n),
            str(auc.positives),
            str(auc.patients),
            f"{auc.value:.3f}",
            f"({auc.low:.3f}-{auc.high:.3f})",
            f"{evidence.result(level, 'sensitivity').value:.3f}",
            f"{evidence.result(level, 'specificity').value:.3f}",
            f"{evidence.confusion(level).threshold:.3f}",
        ]


def test_title_reference_and_research_note_are_there(evidence):
    said = printed(evidence, width=80).splitlines()
    assert said[0].strip() == "validation of resnet18"
    assert "ideal observer, abnormality level: AUC 0.921" in [line.strip() for line in said]
    assert said[-1].strip() == RESEARCH_USE_ONLY


def test_the_markdown_is_the_same_table(evidence):
    lines = results_markdown(evidence, title="Results on validation", references=REFERENCES).splitlines()
    assert lines[0] == "### Results on validation"
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {8}
    assert table[0] == ["level", "n", "positives", "patients", "AUC", "sensitivity", "specificity", "threshold"]
    assert [row[0] for row in table[2:]] == [*Level, *REFERENCES]
    assert table[-1][4] == "0.921"
    assert RESEARCH_USE_ONLY in lines[-1]


@pytest.mark.parametrize("references", [{}, {"a | b": 0.5}])
def test_no_reference_and_an_awkward_name_keep_the_columns(evidence, references):
    lines = results_markdown(evidence, title="x", references=references).splitlines()
    assert {line.count("|") for line in lines if line.startswith("|")} == {9}
