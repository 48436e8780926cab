"""Waiting once for the disk to have many files."""

import ctypes
import os
from pathlib import Path

from changelog.blobs import FOLDERS, sync_file, sync_folder


def sync_all(blobs: Path) -> None:
    """Make all that was written below *blobs*, bytes and names, durable: at once where the system can, else one by one.

    Raises:
        OSError: the disk did not take all of it.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        _one_by_one(blobs)
        return
    descriptor = os.open(blobs, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(blobs))
    finally:
        os.close(descriptor)


def _one_by_one(blobs: Path) -> None:
    for name in FOLDERS:
        for path in (blobs / name).iterdir():
            sync_file(path)
        sync_folder(blobs / name)
