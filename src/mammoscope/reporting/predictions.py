"""Predictions <-> Parquet: a row a sample; the partition, and what a row is, stand in the schema's metadata."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mammoscope.errors import MammoscopeError
from mammoscope.files import written_whole
from mammoscope.records import Predictions
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
        if field.name not in OF_ALL_ROWS
    ]
)


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Whole or not at all, into a folder that exists."""
    metadata = {name: str(getattr(predictions, name)) for name in OF_ALL_ROWS} | {"note": RESEARCH_USE_ONLY}
    arrays = {column: getattr(predictions, name) for name, column in COLUMNS.items()}
    columns = [pa.array(arrays[field.name].tolist(), type=field.type) for field in SCHEMA]
    with written_whole(path) as unfinished:
        pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(metadata)), unfinished)


def read_predictions(path: Path) -> Predictions:
    """Raises MammoscopeError, naming the file, where it is absent or not as write_predictions writes it."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise MammoscopeError(f"{path}: not readable as predictions ({error})") from error
    if not table.schema.equals(SCHEMA):
        raise MammoscopeError(
            f"{path}: the columns are {_columns(table.schema)}; allowed are those of predictions, {_columns(SCHEMA)}"
        )
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
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
    return Predictions(partition=partition, finest=finest, **columns)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
