import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.privacy import refuse_pickle, without_paths


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot read /home/jane/films/1.dcm: truncated", "cannot read <path>: truncated"),
        ("source.root=/home/Jane Doe/films: missing", "source.root=<path>: missing"),
        ("[Errno 2] No such file: '/home/Jane Doe/a, b (c).dcm'", "[Errno 2] No such file: <path>"),
        ("sqlite:////home/jane/mlflow.db is locked", "<path> is locked"),
        ("file:///home/jane/x.csv, line 3", "<path>, line 3"),
        ("~/films/1.dcm", "<path>"),
        ("/films/Doe, Jane (1961)/1.dcm: truncated", "<path>: truncated"),
        ("/films/Jane Doe.dcm and no more", "<path> and no more"),
        ("/films/O'Brien/1.dcm: truncated", "<path>: truncated"),
        ('No such file: "/films/O\'Brien/1"', "No such file: <path>"),
        (
            "endpoint /api/2.0/runs/create failed with code 403 != 200. It says: no",
            "endpoint <path> failed with code 403 != 200. It says: no",
        ),
        (r"C:\Users\jane\1.dcm: gone", "<path>: gone"),
        ("/data", "<path>"),
        ("http://127.0.0.1:5000/api answered 404", "http://127.0.0.1:5000/api answered 404"),
        ("validation/image/auc of CC/MLO is 1/2", "validation/image/auc of CC/MLO is 1/2"),
        ("lr=-1; allowed: 0 to 1", "lr=-1; allowed: 0 to 1"),
    ],
)
def test_paths_go_and_the_rest_stays(text: str, left: str):
    assert without_paths(text) == left


def test_pickles_are_refused_whatever_they_are_called(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(pickle.dumps({"a": 1}))
    torch.save({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    for name in ("a.json", "b.safetensors"):
        with pytest.raises(MammoscopeError, match=f"{name} is a pickle"):
            refuse_pickle(tmp_path / name)


def test_data_passes(tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps({"a": 1}))
    (tmp_path / "empty").touch()
    np.savez(tmp_path / "c.npz", x=np.zeros(3))
    for name in ("a.json", "empty", "c.npz"):
        refuse_pickle(tmp_path / name)
