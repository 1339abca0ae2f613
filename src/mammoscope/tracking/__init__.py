"""The only door to MLflow's runs and artifacts.

Importing this package settles MLflow's environment, and must therefore come before `import mlflow` anywhere in the
process: the telemetry client starts at import. Nothing here is configurable by accident: telemetry stays off and
pickles are never loaded, whatever the shell says. Child processes (workers, the UI's server) inherit it.
"""

import logging
import os

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
    MLFLOW_UV_AUTO_DETECT="false",  # or a package takes the pyproject.toml of whatever directory it is written from
)
# A dead server otherwise blocks every call for four minutes (7 retries of 120 s each, with back-off).
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")  # drawn from `random`, which is the training's
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its tracebacks: we say it in a line
