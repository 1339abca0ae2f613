"""A terminal to test against: a real pseudo-terminal, and what its bytes leave on a screen."""

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Terminal:
    """The master's side. Final."""

    def __init__(self, columns: int):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.slave: TextIO = os.fdopen(slave, "w")
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._master, 4096)
            except OSError:  # Linux: the slave's side was closed
                return
            if not read:
                return
            self._bytes += read

    def close(self) -> bytes:
        """All that came."""
        if not self.slave.closed:
            self.slave.close()
            self._reader.join()
            os.close(self._master)
        return bytes(self._bytes)


@contextmanager
def terminal(columns: int = 100) -> Iterator[Terminal]:
    opened = Terminal(columns)
    try:
        yield opened
    finally:
        opened.close()


def frames(told: bytes) -> list[list[str]]:
    """The screen's lines after each move of the cursor to a line's beginning, and at the end."""
    lines, column, seen = [""], 0, []
    for token in re.findall(r"\r|\n|\x1b\[K|\x1b\[[0-9;?]*[A-Za-z]|[^\r\n\x1b]+", told.decode()):
        if token == "\r":
            seen.append(list(lines))
            column = 0
        elif token == "\n":
            lines.append("")
            column = 0
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            assert not token.startswith("\x1b"), f"an escape that is not expected: {token!r}"
            lines[-1] = lines[-1][:column] + token + lines[-1][column + len(token) :]
            column += len(token)
    return [*seen, lines]
