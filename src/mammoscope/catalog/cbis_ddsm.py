"""The catalog of a CBIS-DDSM tree: headers only, joined to the case descriptions on UIDs."""

from collections.abc import Sequence
from pathlib import Path

from mammoscope.catalog.case_descriptions import CaseRow, read_case_descriptions
from mammoscope.catalog.digest import as_catalog
from mammoscope.catalog.headers import Progress, read_headers
from mammoscope.catalog.join import join
from mammoscope.catalog.tree import EXPECTED, Tree, walk_tree
from mammoscope.dicom.read import Header
from mammoscope.errors import DicomError, MammoscopeError
from mammoscope.records import Catalog


def index_cbis_ddsm(root: Path, *, workers: int = 0, progress: Progress | None = None) -> Catalog:
    """Reads the case descriptions and every header; writes nothing.

    workers: processes that read headers; 0: as many as there are cores. progress: called with (files read, files).

    Raises:
        MammoscopeError: where there is no tree, its case descriptions have bad cells, or no file belongs to a row.
    """
    tree = walk_tree(root)
    rows = read_case_descriptions([tree.root / path for path in tree.case_descriptions])
    return join_tree(tree, rows, tuple(read_headers(root, tree.dicom_files, workers=workers, progress=progress)))


def join_tree(tree: Tree, rows: Sequence[CaseRow], headers: Sequence[tuple[str, Header | DicomError]]) -> Catalog:
    """The same for a tree that has been walked, and whose files have been read."""
    joined = join(rows, headers)
    has_files = any(m.path for m in joined.mammograms.values())
    if not has_files and not any(a.mask_path or a.crop_path for a in joined.abnormalities):
        refused = [error for _, error in headers if isinstance(error, DicomError)]
        why = f"; {len(refused)} cannot be used, the first: {refused[0]}" if refused else ""
        raise MammoscopeError(
            f"source.root={tree.root}: none of its {len(headers)} .dcm files belongs to a series that a case "
            f"description names{why}; expected {EXPECTED}"
        )
    return as_catalog(
        tuple(joined.mammograms.values()),
        tuple(joined.abnormalities),
        (*tree.defects, *joined.defects),
        is_phantom=tree.is_phantom,
    )
