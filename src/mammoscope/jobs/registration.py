"""Registering what a run kept, now or, where the tracking store does not answer, when it is back."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mammoscope.registry.versions import has_package, log_package, register, versions_of_run
from mammoscope.reporting.console import say
from mammoscope.tracking.outage import StoreAway, answered
from mammoscope.tracking.run import Tracker
from mammoscope.tracking.store import TrackingStore

KEPT = "registration"  # folder in the run's own, with the package in it
PACKAGE = "model"
FACTS = "registration.json"


@dataclass(frozen=True, slots=True)
class Registration:
    """What registry.versions.register takes besides the package."""

    name: str
    tags: Mapping[str, str]
    about: str
    is_phantom: bool
    is_version: bool = True  # else its package is logged to the run, and no version made of it


def register_or_keep(store: TrackingStore, tracker: Tracker, package: Path, registration: Registration) -> None:
    """Says which of the two it was. Raises MammoscopeError for what the store refused of the run so far."""
    try:
        if tracker.flush():
            raise StoreAway(f"tracking.uri={store.location.given} does not answer")
        _register(store, tracker.run_id, package, registration)
    except StoreAway as away:
        _keep(tracker.folder, package, registration)
        say(f"{registration.name} is not registered: {away}")
        say("its package waits in the run's folder on this disk; `mammoscope runs --sync` registers it")


def register_kept(store: TrackingStore) -> int:
    """Registers what waits in this disk's runs, and returns how many still wait."""
    left = 0
    with store.locked():  # so that two do not register the same
        for facts in sorted(store.folder.glob(f"runs/*/{KEPT}/{FACTS}")):
            run_id, registration = facts.parents[1].name, Registration(**json.loads(facts.read_text()))
            try:
                _register(store, run_id, facts.parent / PACKAGE, registration)
            except StoreAway as away:
                say(f"run {run_id}: {registration.name} waits to be registered: {away}")
                left += 1
            else:
                facts.unlink()  # first: a folder without it is none
                shutil.rmtree(facts.parent, ignore_errors=True)
    return left


def _register(store: TrackingStore, run_id: str, package: Path, registration: Registration) -> None:
    """Does nothing for a run that has it already: its process died before it could say so."""
    if not registration.is_version:
        with answered(store.location.given):
            if not has_package(store, run_id):
                log_package(store, run_id, package, registration.name, registration.tags)
        return
    with answered(store.location.given):
        version = versions_of_run(store, run_id).get(registration.name)
        if version is None:
            version = register(
                store,
                run_id,
                package,
                registration.name,
                registration.tags,
                registration.about,
                is_phantom=registration.is_phantom,
            )
    say(f"registered {registration.name}, version {version}")


def _keep(run_folder: Path, package: Path, registration: Registration) -> None:
    draft, kept = run_folder / f".{KEPT}", run_folder / KEPT
    for left in (draft, kept):  # by a process that was killed over it, and whose run is gone on with
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(package, draft / PACKAGE)
    (draft / FACTS).write_text(json.dumps(asdict(registration)))
    draft.rename(kept)
