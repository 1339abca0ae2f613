"""`mammoscope dicom verify ROOT`: what is wrong with each file, a line each, and how often."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich import box
from rich.table import Table

from mammoscope.collection.files import list_dicom
from mammoscope.collection.report import check_report, written_report
from mammoscope.collection.verify import SCHEMA, Verdict, journal_file, read_journal, verify_files
from mammoscope.dicom.codes import CODES
from mammoscope.dicom.conformance.verify import Finding
from mammoscope.dicom.frames.decoders_check import decoders_self_test
from mammoscope.dicom.headers.lines import plain
from mammoscope.errors import MammoscopeError
from mammoscope.pool import open_pool
from mammoscope.reporting.console import console, progress, say

_WORTH_A_POOL: Final = 64  # files: a process may take a second to start


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    store_root: Path  # verdicts are kept there until the last file is done
    output: Path | None = None
    is_strict: bool = False  # warnings count as errors
    workers: int = 0


@dataclass(slots=True)
class _Tally:
    files: int = 0
    with_errors: int = 0
    with_warnings: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    files_of: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        codes = {finding.code for finding in verdict.findings}
        self.files += 1
        self.with_errors += any(f.is_error for f in verdict.findings)
        self.with_warnings += any(not f.is_error for f in verdict.findings)
        self.findings.update(finding.code for finding in verdict.findings)
        self.files_of.update(codes)


def verify(root: Path, options: VerifyOptions) -> bool:
    """Prints a line a finding and a summary, writes the report; whether there was no error.

    Raises: MammoscopeError where there is nothing to verify, or the report lies in the tree or cannot be written.
    """
    check_report(root, options.output)
    listing = list_dicom([root])
    if not listing.files and not listing.refused:
        raise MammoscopeError(f"{root} holds no DICOM file; {listing.others} others lie in it")
    journal = journal_file(options.store_root, root)
    if known := len(read_journal(journal)):
        say(f"going on: {known} files were verified before it was interrupted")
    tally = _Tally()
    broken = {check.transfer_syntax: str(check) for check in decoders_self_test(isolated=True) if check.fault}
    if broken:
        say(f"decoders that do not work: {'; '.join(broken.values())}")
    is_much = len(listing.files) - known >= _WORTH_A_POOL
    with (
        open_pool(options.workers, is_worth_it=is_much) as pool,
        written_report(options.output, SCHEMA) as report,
        progress("verifying") as step,
    ):
        for error in listing.refused:
            refused = Verdict(error.path, (Finding(error.code, error.reason),))
            _note(refused, tally)
            report(refused.rows)
        for verdict in verify_files(listing.files, journal, pool, broken):
            _note(verdict, tally)
            report(verdict.rows)
            step(tally.files - len(listing.refused), len(listing.files))
    _say_summary(tally, listing.others)
    if options.output is not None:
        say(f"written: {options.output}")
    return not tally.with_errors and not (options.is_strict and tally.with_warnings)


def say_codes() -> None:
    for code, meaning in CODES.items():
        say(f"{code}  {meaning}")


def _note(verdict: Verdict, tally: _Tally) -> None:
    tally.add(verdict)
    for finding in verdict.findings:
        often = f" ({finding.times} times)" if finding.times > 1 else ""
        say(plain(f"{finding.code} {verdict.path} {finding.reason}{often}"))


def _say_summary(tally: _Tally, others: int) -> None:
    if tally.findings:
        table = Table("code", "findings", "files", "meaning", box=box.SIMPLE_HEAD)
        for code in sorted(tally.findings):
            table.add_row(code, str(tally.findings[code]), str(tally.files_of[code]), CODES[code])
        console.print(table)
    passed = f"; {others} others are no DICOM, and were passed over" if others else ""
    say(f"{tally.files} files: {tally.with_errors} with errors, {tally.with_warnings} with warnings{passed}")
