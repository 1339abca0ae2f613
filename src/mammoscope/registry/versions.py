"""A package becomes a version of a name. Names say what a model is for; a phantom's cannot hide that it is one."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking._tracking_service.utils import _use_tracking_uri
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.store import TrackingStore

PREFIX = "mammoscope"
PHANTOM = "phantom-"


def model_name(data: str, image: str, view: str, target: str, *, is_phantom: bool) -> str:
    """mammoscope-mass-roi-both-malignancy; with `phantom-` in front where no patient was ever seen."""
    return f"{PHANTOM if is_phantom else ''}{PREFIX}-{data}-{image}-{view}-{target}"


def register(
    store: TrackingStore,
    run_id: str,
    package: Path,
    name: str,
    tags: Mapping[str, str],
    about: str,
    *,
    is_phantom: bool,
) -> int:
    """Logs the package to the run, registers it under `name`, and returns the version's number; `about` describes it.

    Any number of processes of this host may register under one name at once: each gets a version of its own.

    Raises MammoscopeError where a phantom's model is to take another name than a phantom's, or the reverse.
    """
    if name.startswith(PHANTOM) != is_phantom:
        raise MammoscopeError(
            f"model name {name}: allowed for a model that was trained on {'a phantom' if is_phantom else 'patients'}: "
            f"names that {'' if is_phantom else 'do not '}begin with {PHANTOM}"
        )
    client = store.client
    model_id = log_package(store, run_id, package, name, tags)
    with store.locked():
        try:
            client.create_registered_model(name, tags={"phantom": str(is_phantom).lower()})
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
        with _as_global_store(store.uri):
            source = f"models:/{model_id}"  # links the version to the run's model in the UI
            version = client.create_model_version(
                name, source, run_id, tags=dict(tags), description=about, model_id=model_id
            )
    # What MLflow's own register_model leaves on the model: the Models page shows it as "Registered models".
    link = [{"name": name, "version": int(version.version)}]
    client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(link)})
    return int(version.version)


def log_package(store: TrackingStore, run_id: str, package: Path, name: str, tags: Mapping[str, str]) -> str:
    """Logs the package to the run as a model that is no version of anything, and returns MLflow's id of it."""
    client = store.client
    experiment_id = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment_id, name, run_id, tags=dict(tags), model_type="classifier")
    try:
        _sign(package, run_id, logged.model_id)
        client.log_model_artifacts(logged.model_id, str(package))
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def has_package(store: TrackingStore, run_id: str) -> bool:
    outputs = store.client.get_run(run_id).outputs
    return bool(outputs and outputs.model_outputs)


def versions_of_run(store: TrackingStore, run_id: str) -> dict[str, int]:
    """What was registered from a run: name and number of the version."""
    return {found.name: int(found.version) for found in store.client.search_model_versions(f"run_id = '{run_id}'")}


@contextmanager
def _as_global_store(uri: str) -> Iterator[None]:
    """MLflow looks models:/<id> up in its global store, whatever store the client has, and forgets the shell's own."""
    former = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        with _use_tracking_uri(uri):
            yield
    finally:
        if former is not None:
            os.environ["MLFLOW_TRACKING_URI"] = former


def _sign(package: Path, run_id: str, model_id: str) -> None:
    """MLflow finds its way from a model's folder back to the run by these."""
    file = package / "MLmodel"
    model = yaml.safe_load(file.read_text())
    model |= {"run_id": run_id, "model_id": model_id, "model_uuid": model_id}
    file.write_text(yaml.safe_dump(model, sort_keys=False))
