"""The facts that were kept of each row: what tells files, series and patients apart."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import xxhash

Facts = Mapping[
    str, Any
]  # text by keyword (dicom.headers.row.FACTS), and file_path, path, pixel_bytes; what is absent is left out


def facts_in(path: Path, *names: str) -> Iterator[dict[str, Any]]:
    """These of each row, and file_path, in the table's order, some rows at a time in memory."""
    asked = ["file_path", *(name if name == "pixel_bytes" else f"@{name}" for name in names)]
    keys = ["file_path", *names]
    with pq.ParquetFile(path) as source:
        for batch in source.iter_batches(4096, columns=asked):
            for values in zip(*(batch[name].to_pylist() for name in asked), strict=True):
                yield {key: value for key, value in zip(keys, values, strict=True) if value is not None}


def digest(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())
