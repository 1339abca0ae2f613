"""A catalog is made once for a tree that does not change, whoever asks and however many at once; when the tree has
changed, only the files that did are read."""

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from mammoscope.catalog.case_descriptions import read_case_descriptions
from mammoscope.catalog.cbis_ddsm import join_tree
from mammoscope.catalog.header_cache import header_file, read_changed_headers
from mammoscope.catalog.headers import Progress
from mammoscope.catalog.tables import MAMMOGRAMS, read_catalog, write_catalog
from mammoscope.catalog.tree import Tree, walk_tree
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside
from mammoscope.records import Catalog


def load_catalog(
    root: Path,
    cache_dir: Path,
    *,
    workers: int = 0,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Catalog:
    """The catalog of the tree at `root`, from the cache where no file's name, size or time has changed since.

    One process indexes while others that want the same catalog wait, and `say` so. `cache_dir` is made; each state of
    a tree has a folder of its own in it.

    Raises:
        MammoscopeError: as index_cbis_ddsm does; where the cache lies in the tree or cannot be written.
    """
    tree = walk_tree(root)
    refuse_inside(root, cache_dir, f"store.root: {cache_dir}")
    say = say or _silently
    folder = cache_dir / tree.fingerprint[:16]
    if found := _cached(folder, _silently):  # needs no lock: a catalog is there whole or not at all
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache_dir / f"{folder.name}.lock")
        _acquire(lock, say)
    except OSError as error:
        raise MammoscopeError(f"store.root: {cache_dir} cannot be written: {error.strerror or error}") from error
    try:
        return _cached(folder, say) or _index(tree, cache_dir, folder, workers, progress)
    finally:
        lock.release()


def _silently(words: str) -> None:
    """To nobody."""


def _acquire(lock: FileLock, say: Callable[[str], None]) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another process indexes this source; waiting for it")
        lock.acquire()


def _cached(folder: Path, say: Callable[[str], None]) -> Catalog | None:
    if not (folder / MAMMOGRAMS).exists():
        return None
    try:
        return read_catalog(folder)
    except MammoscopeError as error:  # a copy of what the tree says: made again, not mourned
        say(f"the cached catalog is damaged and made again ({error})")
        return None


def _index(tree: Tree, cache_dir: Path, folder: Path, workers: int, progress: Progress | None) -> Catalog:
    rows = read_case_descriptions([tree.root / path for path in tree.case_descriptions])  # bad cells before all else
    try:
        headers = read_changed_headers(tree, header_file(cache_dir, tree.root), workers=workers, progress=progress)
        catalog = join_tree(tree, rows, headers)
        write_catalog(catalog, folder)
    except OSError as error:
        raise MammoscopeError(f"store.root: {folder} cannot be written: {error.strerror or error}") from error
    return catalog
