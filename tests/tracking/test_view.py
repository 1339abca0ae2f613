import json
from urllib.parse import parse_qs, urlsplit

from mammoscope.tracking.store import TrackingStore
from mammoscope.tracking.view import VIEW, VIEW_TAG, show_columns, ui_url

from .conftest import Open


def test_an_experiment_is_born_with_its_view(store: TrackingStore):
    state = json.loads(store.client.get_experiment(store.experiment_id).tags[VIEW_TAG])
    for tag in ("data", "image", "view", "target", "source", "split", "weights", "model"):
        assert f"tags.`{tag}`" in state["selectedColumns"]
    for metric in ("validation/image/auc", "validation/abnormality/auc", "test/patient/auc"):
        assert f"metrics.`{metric}`" in state["selectedColumns"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation/image/auc`", False)
    assert set(state["selectedColumns"]) < set(state["columnOrder"]) == set(state["columnWidths"])


def test_a_view_of_an_older_make_is_replaced_and_this_one_left_alone(embedded: Open, store: TrackingStore, monkeypatch):
    store.client.set_experiment_tag(store.experiment_id, VIEW_TAG, "{}")
    embedded(store.experiment)
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.tags[VIEW_TAG] != "{}"
    monkeypatch.setattr(store.client, "set_experiment_tag", None)
    show_columns(store.client, experiment)


def test_the_link_opens_the_table_for_models_with_the_view():
    address = ui_url("http://127.0.0.1:5000/", "7")
    assert address.startswith("http://127.0.0.1:5000/#/experiments/7/runs?")
    query = parse_qs(urlsplit(urlsplit(address).fragment).query)
    assert query == {"workflowType": ["machine_learning"], "viewStateShareKey": [VIEW]}
