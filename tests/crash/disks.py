"""Small file systems of their own for a test: ext4 on a loop device, whose power can be cut, and tmpfs."""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path

import pytest

WITHOUT = "LEDGERPI_TEST_WITHOUT_DISKS"  # set to 1 where no file system can be mounted, to skip these tests
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN: _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2  # the journal in memory is lost, as in a loss of power
RUN_S = 300.0
_TOOLS = {"mkfs.ext4": "e2fsprogs", "mount": "mount"}


class Disk:
    """A file system of a given size at the folder :attr:`root`."""

    def __init__(self, folder: Path, kind: str, size_mib: int) -> None:
        """Make one of *kind* ``ext4`` or ``tmpfs`` in *folder*, not mounted yet."""
        self.root = folder / "disk"
        self.root.mkdir()
        self._image = folder / "image"
        self._command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(self.root)]
        if kind == "ext4":
            with self._image.open("wb") as image:
                image.truncate(size_mib << 20)
            _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", str(self._image))
            self._command = ["mount", "-o", "loop", str(self._image), str(self.root)]

    def mount(self, *options: str) -> None:
        """Mount it; *options* as ``mount -o`` takes them."""
        more = ["-o", ",".join(options)] if options else []
        _run(*self._command[:1], *more, *self._command[1:])

    def unmount(self) -> None:
        """Unmount it; every process that had a file there has ended."""
        for _ in range(50):
            if not self.root.is_mount():
                return
            with suppress(subprocess.CalledProcessError):
                _run("umount", str(self.root))
                return
            time.sleep(0.1)  # the kernel is still closing what a killed process had open
        raise RuntimeError(f"{self.root} stays busy")

    def cut_power(self) -> None:
        """Stop the file system at once: what was not synced is gone, what is asked for from now on fails."""
        root = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(root, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(root)

    @property
    def filler(self) -> Path:
        """The file that fills it."""
        return self.root / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with self.filler.open("ab", buffering=0) as file:
            for piece in (1 << 20, 1 << 12, 1):
                with suppress_full():
                    while True:
                        file.write(bytes(piece))
            with suppress_full():
                os.fsync(file.fileno())


@contextmanager
def suppress_full() -> Iterator[None]:
    """Go on behind the block when no space is left."""
    try:
        yield
    except OSError as error:
        if error.errno != ENOSPC:
            raise


@contextmanager
def mounted(folder: Path, kind: str, size_mib: int, *options: str) -> Iterator[Disk]:
    """Yield a new file system, mounted; it may be unmounted and mounted again meanwhile.

    Where that is impossible the test fails, unless the environment says that it is to be skipped.
    """
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(f"{WITHOUT}=1: no file system can be mounted here")
    disk = None
    try:
        for tool, package in _TOOLS.items():
            _need(tool, package)
        disk = Disk(folder, kind, size_mib)
        disk.mount(*options)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"")
        pytest.fail(f"this test mounts a file system, as root: {error} {said!r}; {WITHOUT}=1 leaves it out")
    try:
        yield disk
    finally:
        disk.unmount()


def _need(tool: str, package: str) -> None:
    """Install *tool* as ``ops/test`` does, if it is missing."""
    if shutil.which(tool) is None:
        _run("apt-get", "update", "--quiet", "--quiet")
        _run("apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends", package)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, capture_output=True, timeout=RUN_S, env=environment)
