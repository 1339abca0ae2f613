from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mammoscope.errors import MammoscopeError
from mammoscope.records import ClassScores
from mammoscope.reporting.predictions import read_predictions, write_predictions
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Level, Partition


def assert_same(ours, theirs):
    assert (ours.partition, ours.finest) == (theirs.partition, theirs.finest)
    for field in (field for field in fields(ours)[2:] if field.name != "classes"):
        left, right = getattr(ours, field.name), getattr(theirs, field.name)
        assert left.dtype.kind == right.dtype.kind
        assert np.array_equal(left, right)


@pytest.mark.parametrize("rows", [slice(None), slice(0, 0)], ids=["all", "none"])
def test_comes_back_as_it_went(predictions, tmp_path, rows):
    some = replace(
        predictions,
        partition=Partition.test,
        finest=Level.image,
        **{
            field.name: getattr(predictions, field.name)[rows]
            for field in fields(predictions)[2:]
            if field.name != "classes"
        },
    )
    write_predictions(some, tmp_path / "predictions.parquet")
    back = read_predictions(tmp_path / "predictions.parquet")
    assert_same(some, back)
    assert (back.targets.dtype, back.scores.dtype) == (np.int8, np.float64)
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.parquet"]


def test_the_file_says_research_use_only(predictions, tmp_path):
    write_predictions(predictions, tmp_path / "p.parquet")
    assert pq.read_schema(tmp_path / "p.parquet").metadata[b"note"].decode() == RESEARCH_USE_ONLY


def test_a_write_that_fails_leaves_the_old_file_whole_and_nothing_else(predictions, tmp_path, monkeypatch):
    path = tmp_path / "p.parquet"
    write_predictions(predictions, path)

    def half(table, where):
        where.write_bytes(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="disk full"):
        write_predictions(replace(predictions, partition=Partition.test), path)
    assert_same(read_predictions(path), predictions)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_or_foreign_file_is_refused_by_name(tmp_path):
    with pytest.raises(MammoscopeError, match=r"absent\.parquet: not readable as predictions"):
        read_predictions(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet at all")
    with pytest.raises(MammoscopeError, match=r"text\.parquet: not readable as predictions"):
        read_predictions(tmp_path / "text.parquet")


def test_other_columns_are_refused(tmp_path):
    pq.write_table(pa.table({"ids": ["a"], "scores": [0.5]}), tmp_path / "p.parquet")
    with pytest.raises(MammoscopeError, match=r"the columns are ids string, scores double; allowed .* target int8"):
        read_predictions(tmp_path / "p.parquet")


@pytest.mark.parametrize("metadata", [None, {"partition": "holdout", "finest": "image"}])
def test_an_unknown_partition_is_refused(predictions, tmp_path, metadata):
    path = tmp_path / "p.parquet"
    write_predictions(predictions, path)
    pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)
    with pytest.raises(MammoscopeError, match=r"allowed are train, validation, test and abnormality"):
        read_predictions(path)


def test_classes_come_back_with_a_column_for_each(predictions, tmp_path):
    names = ("normal", "benign", "malignant")
    rng = np.random.default_rng(0)
    scores = ClassScores(
        names=names,
        targets=rng.integers(0, 3, len(predictions)).astype(np.int8),
        probabilities=rng.dirichlet([1, 1, 1], len(predictions)),
    )
    path = tmp_path / "p.parquet"
    write_predictions(replace(predictions, classes=scores), path)
    table = pq.read_table(path)
    assert table.column_names[-4:] == ["class", *(f"probability_{name}" for name in names)]
    assert table["class"].to_pylist() == [names[target] for target in scores.targets]
    back = read_predictions(path)
    assert_same(predictions, back)
    assert back.classes.names == names
    assert np.array_equal(back.classes.targets, scores.targets)
    assert np.array_equal(back.classes.probabilities, scores.probabilities)
