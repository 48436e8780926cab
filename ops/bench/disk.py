"""The disk: how fast it makes writes durable, and how much of it a folder takes."""

import os
import tempfile
import time
from pathlib import Path

_BLOCK = 512  # bytes of one st_blocks (stat(2))
_APPEND = bytes(4096)


def fdatasync_rate(folder: Path, seconds: float = 0.5) -> float:
    """Return how many appends of 4 kB, each with its fdatasync, the disk does in a second."""
    with tempfile.TemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        count = 0
        while time.perf_counter() - began < seconds:
            os.write(file.fileno(), _APPEND)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - began)


def allocated(folder: Path) -> int:
    """Return the bytes that the files below *folder* take; holes do not count."""
    return sum(path.lstat().st_blocks * _BLOCK for path in folder.rglob("*") if path.is_file())
