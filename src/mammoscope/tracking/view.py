"""The run table as the project means it: MLflow's UI shows no tag and no metric unless a shared view says so.

The view is an experiment tag that the UI reads by the key in the link. Its format is not documented: it was read off
mlflow 3.17, which is pinned, and tests/tracking/test_view_browser.py looks at the table in a browser.
"""

import json

from mlflow import MlflowClient
from mlflow.entities import Experiment

from mammoscope.vocabulary import Level, Partition

VIEW = "mammoscope"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
SORTED_BY = "validation/image/auc"
# Columns from left to right, with widths in px that show their names whole: the score before the variant that made it,
# for MLflow's assistant covers the right third of the first page that a browser ever opens.
NAME = {"attributes.`Run Name`": 230}
SCORE = {f"metrics.`{SORTED_BY}`": 150}
VARIANT = {"tags.`data`": 60, "tags.`image`": 65, "tags.`view`": 60, "tags.`source`": 90, "tags.`model`": 140}
SCORES = {
    f"metrics.`{partition}/{level}/auc`": 175
    for partition in (Partition.validation, Partition.test)
    for level in Level
    if f"{partition}/{level}/auc" != SORTED_BY
}
REST = {"tags.`target`": 110, "tags.`split`": 120, "tags.`weights`": 100}
TIMES = {"runDateAndNestInfo": 130, "duration": 80}


def view_state() -> str:
    """The UI's own state, as JSON: which columns, in which order, how wide, sorted by what."""
    chosen = {**SCORE, **VARIANT, **SCORES, **REST}
    columns = {**NAME, **chosen, **TIMES}
    state = {
        "selectedColumns": list(chosen),
        "columnOrder": list(columns),
        "columnWidths": columns,
        "orderByKey": f"metrics.`{SORTED_BY}`",
        "orderByAsc": False,
    }
    return json.dumps(state)


def show_columns(client: MlflowClient, experiment: Experiment) -> None:
    """Writes the view where it is absent or of an older make."""
    state = view_state()
    if experiment.tags.get(VIEW_TAG) != state:
        client.set_experiment_tag(experiment.experiment_id, VIEW_TAG, state)


def ui_url(base: str, experiment_id: str) -> str:
    """The link that opens the table; without workflowType MLflow 3 opens its page for language models."""
    return (
        f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
    )
