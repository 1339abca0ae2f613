"""Making what a store stands on, once: the database of an embedded store, and the experiment of either kind."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.file_utils import local_file_uri_to_path
from sqlalchemy.exc import SQLAlchemyError

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.location import SQLITE, Location
from mammoscope.tracking.outage import first_line

ACTIVE = "active"


def make_folder(location: Location) -> None:
    try:
        location.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise location.refusal(f"the folder {location.folder} cannot be made ({error.strerror})") from error


def create_database(location: Location) -> None:
    """Migrates an empty database under another name and moves it into place: a kill leaves all of it or none.

    Made by the store itself rather than by a client, which would root MLflow's "Default" experiment in the working
    directory. Call it under the lock.
    """
    assert location.database is not None
    fresh = location.database.with_name(f"{location.database.name}.new")
    fresh.unlink(missing_ok=True)
    SqlAlchemyStore(f"{SQLITE}{fresh}", location.artifacts.as_uri()).engine.dispose()
    fresh.replace(location.database)


def open_experiment(client: MlflowClient, location: Location, name: str) -> Experiment:
    """Found or made. Call it under the lock.

    Raises MammoscopeError for a deleted experiment, and for one that keeps its artifacts elsewhere than beside the
    database: an embedded store that was moved would else go on writing to its old place.
    """
    if not name.strip():
        raise MammoscopeError(f"tracking.experiment={name!r}: allowed: any text that is not blank")
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return client.get_experiment(_create(client, location, name))
    if experiment.lifecycle_stage != ACTIVE:
        raise MammoscopeError(
            f"tracking.experiment={name}: deleted in {location.given}; allowed: another name, or the same after "
            f"`mlflow experiments restore --experiment-id {experiment.experiment_id}`"
        )
    if location.database is not None:
        kept = local_file_uri_to_path(experiment.artifact_location)
        if kept != str(location.artifacts):
            raise MammoscopeError(
                f"tracking.experiment={name}: keeps its artifacts in {kept}, not in {location.artifacts}: its database "
                "was moved, or another program made it; allowed: another name, or the database at its first place"
            )
    return experiment


def _create(client: MlflowClient, location: Location, name: str) -> str:
    place = None if location.database is None else location.artifacts.as_uri()
    try:
        return client.create_experiment(name, artifact_location=place)
    except MlflowException as error:
        # On a server another host may have been first: the lock is this host's.
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        made = client.get_experiment_by_name(name)
        assert made is not None
        return made.experiment_id


@contextmanager
def refused_clearly(location: Location, what: str = "cannot be opened") -> Iterator[None]:
    """What MLflow and the disk say while a store is opened or a run begun, in the user's words."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise location.refusal(f"{what}: {first_line(error)}") from error
