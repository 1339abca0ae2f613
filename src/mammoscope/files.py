"""Files that are either there whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mammoscope.errors import MammoscopeError


def refuse_inside(source: Path, place: Path, named: str, *, source_key: str = "source.root") -> None:
    """A source is never written to. Raises MammoscopeError that begins with `named` where `place` is or lies in it.

    source_key: what the user calls it.
    """
    if not place.expanduser().resolve().is_relative_to(source.expanduser().resolve()):
        return
    hint = " (mlruns/ lies in the working directory unless it is told otherwise)" if source_key == "source.root" else ""
    raise MammoscopeError(
        f"{named} lies in {source_key}={source}, which is only read, never written to; allowed: a place elsewhere{hint}"
    )


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder to write to; it takes the place of `path` when the block ends well."""
    with all_written_whole([path]) as (temporary,):
        yield temporary


@contextmanager
def all_written_whole(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As written_whole, for several files, which take their places in the order given once all of them are whole.

    On the disk they are flushed together: one by one each would wait for it anew.
    """
    # the number alone is not enough: two hosts that share a folder may run the same one
    temporaries = [path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}") for path in paths]
    try:
        yield temporaries
        for temporary in temporaries:
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())  # else a machine that stops now may keep the name and lose the content
        for temporary, path in zip(temporaries, paths, strict=True):
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise
