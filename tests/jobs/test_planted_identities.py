"""A clinic's own images from end to end: nothing stored, nothing sent has a name, a date or a path of a patient."""

import csv
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mammoscope.tracking.store import open_store

from ..identities import Planted, leaks, leaks_of_tree
from ..mlflow_server import Server
from .clinic import PHYSICIAN, Clinic, write_clinic

STORE = "ostfluegel"  # the store's folder, by a name of this machine
RUN = "test_resnet-table-full-both-s0"
COMMANDS = """
import json, sys
from mammoscope.cli.__main__ import main
codes = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["mammoscope", *words]
    try:
        main()
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code)
    sys.stdout.flush()
print(json.dumps(codes))
"""
# Whoever runs a command names the table and the store, and finds what he named on his own disk, and at his terminal.
ALLOWED = {
    "folder of the table": ("terminal", "*/.hydra/*.yaml", "hydra/*/multirun.yaml", "runs/*/config.yaml"),
    "folder of the store": ("terminal", "*/.hydra/*.yaml", "hydra/*/multirun.yaml", "runs/*/config.yaml"),
    "key of the pseudonyms": ("pseudonyms.key",),
}


class Recorder(ThreadingHTTPServer):
    """Stands before a tracking server, and keeps what it is sent."""

    def __init__(self, behind: int):
        super().__init__(("127.0.0.1", 0), _Recording)
        self.behind, self.requests = behind, list[tuple[str, bytes]]()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Recording(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((f"{self.command} {self.path}", str(self.headers).encode() + b"\n"))
        self.server.requests.append((f"{self.command} {self.path} > body", body))
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.behind)) as connection:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """To nobody."""


@pytest.fixture
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, Path]]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder)
    server.start()
    with Recorder(server.port) as recorder:
        yield recorder, folder
        recorder.shutdown()
    server.signal(signal.SIGKILL)


def run(work: Path, *commands: list[str]) -> tuple[list[int], str]:
    """Exit codes, and what a terminal would show."""
    source = str(Path(__file__).parents[2] / "src")
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "always"}
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    *told, codes = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    return json.loads(codes), "\n".join(told)


def settings(table: Path) -> list[str]:
    return [
        "source=table",
        f"source.csv='{table}'",
        f"store.root={STORE}",
        *("store.workers=1", "image=full", "image.height_px=32", "image.width_px=32"),
    ]


NETWORK = [
    *("model=timm", "model.backbone=test_resnet", "model.weights=none"),
    *("trainer.epochs=1", "trainer.batch_size=8", "trainer.device=cpu", "trainer.workers=0"),
]
SEARCH = [
    *("-m", "search=quick", "search.trials=2", "search.startup_trials=1", "search.metric=validation/image/auc"),
    "hydra/launcher=basic",
]


def reviewed(clinic: Clinic, proposal: Path) -> Path:
    """What a person makes of the proposal, who names whom it is about."""
    path = clinic.table.with_name("reviewed.csv")
    words = f"Dr. {PHYSICIAN},2026-11-25,Walburga Oberleitner and her sister"
    path.write_text(re.sub(",,,$", f",{words}", proposal.read_text(), flags=re.MULTILINE))
    return path


def unexpected(found: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(where, what) for where, what in found if not _is_allowed(where, what)]


def _is_allowed(where: str, what: str) -> bool:
    return any(what.startswith(word) and fnmatch(where, name) for word in ALLOWED for name in ALLOWED[word])


@pytest.mark.slow
def test_nothing_that_is_stored_or_sent_names_a_patient(tmp_path: Path, recorder: tuple[Recorder, Path]):
    served, server_folder = recorder
    clinic = write_clinic(tmp_path / "source")
    work = tmp_path / "work"
    work.mkdir()
    own = settings(clinic.table)
    codes, told = run(work, ["prepare", *own])
    assert codes == [1]
    allow = f"split.allow={reviewed(clinic, work / STORE / 'near-duplicates.csv')}"
    gone = clinic.written("gone.csv", path="Quirrenbach_Hedwigis/2019-04-12/L_CC.dcm")
    shifted = clinic.written("shifted.csv", laterality=clinic.rows[0]["patient"])
    with_comma = clinic.written("images, all.csv")
    train = ["train", *own, allow, *NETWORK]
    elsewhere = [f"tracking.uri={served.url}", "tracking.home=served"]
    codes, more = run(
        work,
        train,
        ["evaluate", RUN, "--partition", "test"],
        ["evaluate", RUN, "--partition", "validation", *settings(clinic.table)[:2]],
        ["runs"],
        ["keep", RUN],
        *(["prepare", flag, f"store.root={STORE}"] for flag in ("--list", "--prune", "--verify")),
        ["data", "doctor", str(clinic.table.parent), "--html", "doctor.html", "-o", "doctor", "--store", STORE],
        ["data", "index", str(clinic.table.parent), "-o", "index"],
        ["train", "-m", "seed=1", *settings(with_comma), allow, *NETWORK],
        *(["train", *SEARCH, f"search.name={t.stem}", *settings(t), allow, *NETWORK] for t in (gone, shifted)),
        ["train", *SEARCH, "search.name=good", *own, allow, *NETWORK],
        [*train, *elsewhere],
        ["evaluate", RUN, "--partition", "test", *elsewhere],
    )
    assert codes == [0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0], more
    _assert_all_is_there(work, served, server_folder)
    planted = _with_secrets(clinic.planted, work)
    found = [
        *leaks(planted, "terminal", f"{told}\n{more}".encode()),
        *(leak for root in (work / "mlruns", work / "served", server_folder) for leak in leaks_of_tree(planted, root)),
        *leaks_of_tree(planted, work / STORE),
        *(leak for name, content in served.requests for leak in leaks(planted, name, content)),
    ]
    assert {path.name for path in work.iterdir()} == {"mlruns", "served", STORE}
    assert unexpected(iter(found)) == []
    assert all(any(what.startswith(word) for _, what in found) for word in ALLOWED)  # what is known to be there


def _with_secrets(planted: Planted, work: Path) -> Planted:
    keys = {f"key of the pseudonyms {key.parent.name}": key.read_text().strip() for key in work.glob("*/*.key")}
    assert len(keys) == 2
    return Planted({**planted.words, **keys, "folder of the store": STORE}, planted.numbers, planted.whole)


def _assert_all_is_there(work: Path, served: Recorder, server_folder: Path) -> None:
    """What the search is about was made: else it would find nothing in nothing."""
    for uri, home in ((f"sqlite:///{work}/mlruns/mlflow.db", work / "mlruns"), (served.url, work / "served")):
        store = open_store(uri, "mammoscope", home=home)
        run = store.find_run(RUN)
        assert run.status == "FINISHED"
        assert "test/patient/auc" in run.metrics
        assert store.client.get_model_version("mammoscope-table-full-both-malignancy", "1").run_id == run.id
        assert json.loads(store.artifact(run.id, "certificate.json").read_text())["manifest"]["reviewed"]
        for name in ("predictions/test.parquet", "figures/train_batch.png", "config.yaml"):
            assert store.artifact(run.id, name).is_file()
    store = open_store(f"sqlite:///{work}/mlruns/mlflow.db", "mammoscope", home=work / "mlruns")
    for name in ("gone", "shifted"):
        with open(store.artifact(store.find_run(name).id, "trials.csv"), newline="") as file:
            assert "line 2, column" in next(csv.DictReader(file))["reason"]
    assert store.find_run("grid source.csv=<path>").status == "FINISHED"
    defects = [row for file in (work / STORE).glob("*/*/defects.parquet") for row in pq.read_table(file).to_pylist()]
    assert {"unusable_film", "unusable_mask"} <= {row["problem"] for row in defects}
    assert list((server_folder / "artifacts").rglob("*.safetensors"))
    assert any(name.startswith("POST") for name, _ in served.requests)
    assert any(name.startswith("PUT") for name, _ in served.requests)
