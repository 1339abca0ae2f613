"""What the flags of several commands have in common."""

import argparse

from mammoscope.errors import MammoscopeError


def check_workers(arguments: argparse.Namespace) -> None:
    if arguments.workers < 0:
        raise MammoscopeError(f"--workers {arguments.workers}: allowed: 0 or more")
