"""`mammoscope data doctor ROOT`: what is wrong with a source, row by row, and whether it can be trained on."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mammoscope.catalog.cache import load_catalog
from mammoscope.catalog.case_descriptions import FILES
from mammoscope.catalog.conventions import count_conventions
from mammoscope.catalog.diagnosis import Diagnosis, find_blocks, find_gaps
from mammoscope.catalog.findings import IN_PIXELS, each_once, find_in_headers
from mammoscope.catalog.inventory import take_inventory
from mammoscope.catalog.published import Origin, case_description_origins
from mammoscope.catalog.reviewed import read_reviewed
from mammoscope.catalog.tables import write_catalog, write_findings
from mammoscope.catalog.tree import Tree, walk_tree
from mammoscope.data.survey import FileFacts, SurveyedFile, plan_survey
from mammoscope.data.survey_cache import cache_file, known_facts, survey
from mammoscope.data.survey_findings import find_in_pixels, unusable_rows
from mammoscope.errors import MammoscopeError
from mammoscope.files import refuse_inside, written_whole
from mammoscope.jobs.defect_pictures import draw_defects
from mammoscope.records import Catalog
from mammoscope.reporting.console import console, progress, say
from mammoscope.reporting.doctor_page import doctor_page
from mammoscope.reporting.doctor_table import doctor_lines, last_line
from mammoscope.vocabulary import Trap

Known = Mapping[SurveyedFile, FileFacts]

_PROBES = 4  # files that are read first, to say how long the rest will take


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    store_root: Path  # what was read is kept there, so that a second look reads only what has changed
    workers: int
    html: Path | None = None
    output: Path | None = None
    allow: Path | None = None  # near-duplicates that a person has reviewed
    reads_pixels: bool = True


def doctor(root: Path, options: DoctorOptions) -> int:
    """Prints what was found, writes what was asked for, returns what the command exits with: see diagnosis.STATUS.

    Raises:
        MammoscopeError: where there is no tree, or what is to be written lies in it.
    """
    for flag, place in (("--html", options.html), ("-o", options.output), ("store.root:", options.store_root)):
        if place is not None:
            refuse_inside(root, place, f"{flag} {place}")
    tree = walk_tree(root)
    origins = case_description_origins(root, tree.case_descriptions)
    catalog = _catalog(tree, options)
    if isinstance(catalog, MammoscopeError):
        diagnosis = _unreadable(tree, origins, catalog)
    else:
        diagnosis = _diagnose(tree, origins, catalog, options)
    for line in doctor_lines(diagnosis):
        console.print(line)
    if options.html is not None:
        pictures = {} if isinstance(catalog, MammoscopeError) else draw_defects(root, catalog, diagnosis)
        _write_page(options.html, doctor_page(diagnosis, pictures))
    if options.output is not None and isinstance(catalog, Catalog):
        write_catalog(catalog, options.output)
        write_findings(diagnosis.findings, options.output)
        say(f"written: mammograms, abnormalities, defects and findings (.parquet) in {options.output}")
    say(last_line(diagnosis))
    return diagnosis.status


def _catalog(tree: Tree, options: DoctorOptions) -> Catalog | MammoscopeError:
    """The error: what keeps the tree from having a catalog, which is a diagnosis and no reason to stop."""
    say(f"{len(tree.dicom_files)} files, {len(tree.case_descriptions)} case descriptions in {tree.root}")
    try:
        with progress("reading headers") as step:
            folder = options.store_root / "catalogs"
            return load_catalog(tree.root, folder, workers=options.workers, progress=step, say=say)
    except MammoscopeError as error:
        if str(error).startswith("store.root"):
            raise
        return error


def _unreadable(tree: Tree, origins: dict[str, Origin], error: MammoscopeError) -> Diagnosis:
    return Diagnosis(
        name=tree.root.resolve().name,
        is_phantom=tree.is_phantom,
        origins=origins,
        inventory=(),
        findings=(),
        conventions=(),
        unchecked=tuple(Trap),
        blocks=tuple(str(error).replace(f"{tree.root}/", "").splitlines()),
        gaps=(),
    )


def _diagnose(tree: Tree, origins: dict[str, Origin], catalog: Catalog, options: DoctorOptions) -> Diagnosis:
    facts: dict[str, FileFacts] = {}
    unchecked = () if options.reads_pixels else IN_PIXELS
    if options.reads_pixels:
        facts = {f.file.path: f for f in _read_pixels(tree.root, plan_survey(tree.root, catalog), options)}
    reviewed = [pair.films for pair in read_reviewed(options.allow)] if options.allow is not None else ()
    findings = each_once([*find_in_headers(catalog), *find_in_pixels(catalog, facts, reviewed)])
    unusable = unusable_rows(catalog, facts)
    absent = [] if tree.is_phantom else [FILES[name] for name in FILES if origins[name] is Origin.absent]
    inventory = take_inventory(catalog, unusable, absent)
    return Diagnosis(
        name=tree.root.resolve().name,
        is_phantom=tree.is_phantom,
        origins=origins,
        inventory=inventory,
        findings=findings,
        conventions=count_conventions(tree.root, tree.case_descriptions, catalog),
        unchecked=unchecked,
        blocks=find_blocks(catalog, findings, unusable),
        gaps=find_gaps(inventory, origins, unchecked, is_phantom=tree.is_phantom),
    )


def _read_pixels(root: Path, files: Sequence[SurveyedFile], options: DoctorOptions) -> tuple[FileFacts, ...]:
    cache = cache_file(options.store_root, root)
    known: Known = known_facts(cache, files)
    unread = [file for file in files if file not in known]
    say(f"pixels: {len(known)} files are as they were last time, {len(unread)} to read")
    if len(unread) > _PROBES:
        known = _estimate(root, unread, known, cache)
    with progress("reading pixels") as step:
        return survey(root, files, known, cache, workers=options.workers, progress=step)


def _estimate(root: Path, unread: Sequence[SurveyedFile], known: Known, cache: Path) -> Known:
    """Says how long reading will take, from a few files out of the whole; returns what is known then."""
    probes = unread[:: len(unread) // _PROBES][:_PROBES]
    started = time.perf_counter()
    read = survey(root, probes, known, cache, workers=1, progress=lambda done, total: None)
    seconds = time.perf_counter() - started
    total, probed = sum(f.file_bytes for f in unread), sum(f.file_bytes for f in probes)
    if probed > 0:
        minutes = seconds * total / probed / 60
        say(f"reading {total / 1e9:.1f} GB: about {minutes:.1f} minutes for one process; interrupt it, and it goes on")
    return {**known, **{f.file: f for f in read}}


def _write_page(path: Path, page: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as unfinished:
            unfinished.write_text(page, encoding="utf-8")
    except OSError as error:
        raise MammoscopeError(f"--html {path}: cannot be written: {error.strerror or error}") from error
    say(f"written: {path}")
