"""What the flags of several commands have in common."""

import argparse

from mammoscope.errors import MammoscopeError


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=0, help="processes; default: as many as there are cores")


def check_options(arguments: argparse.Namespace) -> None:
    """Raises: MammoscopeError."""
    if getattr(arguments, "workers", 0) < 0:
        raise MammoscopeError(f"--workers {arguments.workers}: allowed: 0 or more")
