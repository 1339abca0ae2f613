"""Processes that have torch, timm, MLflow and Optuna loaded already: a fresh interpreter takes half a minute to.

They come from the one fork server that a process can have, which runs no threads of its own. What it loads is said
once, for all who use it: it is whoever spoke last before it starts that counts.
"""

import multiprocessing
from typing import Final

SERVER: Final = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["__main__", "mammoscope.jobs.train", "mammoscope.jobs.searching", "mammoscope.jobs.sweep"]
)
