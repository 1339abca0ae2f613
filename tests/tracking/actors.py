"""Processes for the tests of what happens between processes: python actors.py URI EXPERIMENT FOLDER ROLE ...

They fork after MLflow is imported and before it is used, so that eight start within milliseconds of each other.
"""

import json
import os
import sys
import time
from pathlib import Path

from mammoscope.tracking.liveness import running
from mammoscope.tracking.store import open_store


def act(uri: str, experiment: str, folder: Path, role: str) -> None:
    store = open_store(uri, experiment, home=folder)
    tracker = store.start_run(role, {"role": role})
    with running(tracker):
        for epoch in range(10):
            tracker.metrics({"loss": 1.0 / (epoch + 1), "auc": 0.5}, epoch)
        line = {"run": tracker.run_id, "experiment": store.experiment_id, "pid": os.getpid()}
        draft = folder / f"{role}.draft"
        draft.write_text(json.dumps(line))
        draft.rename(folder / f"{role}.json")
        if role == "error":
            raise FileNotFoundError(2, "No such file", f"{folder}/secret patient/1.dcm")
        if role.startswith("wait"):
            time.sleep(600)


def main() -> int:
    uri, experiment, folder, *roles = sys.argv[1:]
    children = []
    for role in roles:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                act(uri, experiment, Path(folder), role)
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
            except KeyboardInterrupt:
                status = 130
            finally:
                os._exit(status)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    (Path(folder) / "codes.json").write_text(json.dumps(dict(zip(roles, codes, strict=True))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
