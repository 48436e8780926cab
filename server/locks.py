"""Locks on files: one process at a time, until it ends, however it ends."""

import fcntl
from pathlib import Path
from typing import IO

from changelog.errors import Conflict
from server.layout import Layout


def take(path: Path, taken: str) -> IO[bytes]:
    """Lock *path* and return the open file, which holds the lock; no child inherits it.

    Raises:
        Conflict: another process has it; *taken* is the message.
    """
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Conflict(taken) from error
    return file


def of_writer(layout: Layout) -> IO[bytes]:
    """Take the lock of a node's log and return the file that holds it.

    Raises:
        Conflict: a writer lives.
    """
    return take(layout.lock, f"another writer has {layout.serverdir}")
