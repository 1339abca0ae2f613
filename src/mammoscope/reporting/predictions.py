"""Predictions <-> Parquet: a row a sample; the partition, and what a row is, stand in the schema's metadata.

A model of more than two classes adds the row's own class, by name, and a column for the probability of each.
"""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.records import ClassScores, Predictions
from mammoscope.vocabulary import RESEARCH_USE_ONLY, Level, Partition

OF_ALL_ROWS = ("partition", "finest")
# by field of Predictions; a column is named as in the catalog and the store, so that tables join without renaming
COLUMNS = {"lateralities": "laterality"} | {
    name: name.removesuffix("s") for name in ("ids", "patients", "views", "kinds", "films", "targets", "scores")
}
NUMBERS = {"target": pa.int8(), "score": pa.float64()}  # every other column holds strings
NUMPY_TYPES = {"target": np.int8, "score": np.float64}
SCHEMA = pa.schema(
    [
        pa.field(COLUMNS[field.name], NUMBERS.get(COLUMNS[field.name], pa.string()), nullable=False)
        for field in fields(Predictions)
        if field.name in COLUMNS
    ]
)


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Whole or not at all, into a folder that exists."""
    scores = predictions.classes
    names = () if scores is None else scores.names
    metadata = {name: str(getattr(predictions, name)) for name in OF_ALL_ROWS}
    metadata |= {"classes": json.dumps(names), "note": RESEARCH_USE_ONLY}
    arrays = {column: getattr(predictions, name) for name, column in COLUMNS.items()}
    if scores is not None:
        arrays["class"] = np.array(names)[scores.targets]
        arrays |= {_probability(name): scores.probabilities[:, number] for number, name in enumerate(names)}
    schema = _schema(names)
    columns = [pa.array(arrays[field.name].tolist(), type=field.type) for field in schema]
    with written_whole(path) as unfinished:
        pq.write_table(pa.table(columns, schema=schema.with_metadata(metadata)), unfinished)


def read_predictions(path: Path) -> Predictions:
    """Raises MammoscopeError, naming the file, where it is absent or not as write_predictions writes it."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise MammoscopeError(f"{path}: not readable as predictions ({error})") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    names = tuple(json.loads(metadata.get("classes", "[]")))
    schema = _schema(names)
    if not table.schema.equals(schema):
        raise MammoscopeError(
            f"{path}: the columns are {_columns(table.schema)}; allowed are those of predictions, {_columns(schema)}"
        )
    try:
        partition, finest = Partition(metadata["partition"]), Level(metadata["finest"])
    except (KeyError, ValueError) as error:
        raise MammoscopeError(
            f"{path}: partition and level of the rows are {metadata.get('partition')} and {metadata.get('finest')}; "
            f"allowed are {', '.join(Partition)} and {', '.join(Level)}"
        ) from error
    columns = {
        name: np.array(table[column].to_pylist(), dtype=NUMPY_TYPES.get(column, np.str_))
        for name, column in COLUMNS.items()
    }
    return Predictions(partition=partition, finest=finest, classes=_class_scores(table, names), **columns)


def _class_scores(table: pa.Table, names: tuple[str, ...]) -> ClassScores | None:
    if not names:
        return None
    probabilities = [np.array(table[_probability(name)].to_pylist(), dtype=np.float64) for name in names]
    return ClassScores(
        names=names,
        targets=np.array([names.index(name) for name in table["class"].to_pylist()], dtype=np.int8),
        probabilities=np.stack(probabilities, axis=1),
    )


def _schema(names: tuple[str, ...]) -> pa.Schema:
    if not names:
        return SCHEMA
    probabilities = [pa.field(_probability(name), pa.float64(), nullable=False) for name in names]
    return pa.schema([*SCHEMA, pa.field("class", pa.string(), nullable=False), *probabilities])


def _probability(name: str) -> str:
    return f"probability_{name}"


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
