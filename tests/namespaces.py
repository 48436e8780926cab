"""Network namespaces of a test's own (network_namespaces(7)): nodes in them are as far apart as machines are."""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import frozen

T = TypeVar("T")
PREFIX = "ledgerpi-test-"
TUN = Path("/dev/net/tun")
_MOUNTED = Path("/run/netns")  # where ip-netns(8) keeps them
_NEW_NET = 0x40000000  # CLONE_NEWNET of setns(2), which Python has from 3.12 on
_TIMEOUT_S = 20.0


@frozen
class Namespace:
    """One that is there; names have the process that made them, so that what a killed one left is known."""

    name: str

    @property
    def path(self) -> Path:
        """The file by which it is entered."""
        return _MOUNTED / self.name

    def ip(self, *words: str) -> None:
        """Run ``ip`` in it."""
        ip("-n", self.name, *words)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs *words* in it, as the same process."""
        return ["nsenter", f"--net={self.path}", *words]

    def inside(self, act: Callable[[], T]) -> T:
        """Return what *act* returns in it; the threads and sockets that it makes belong there."""
        with ThreadPoolExecutor(1, initializer=self._enter) as thread:
            return thread.submit(act).result(_TIMEOUT_S)

    def _enter(self) -> None:
        """Move this thread, which is not used again outside."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, _NEW_NET):
                raise OSError(ctypes.get_errno(), f"can not enter {self.name}")
        finally:
            os.close(descriptor)


def ip(*words: str) -> str:
    """Run ``ip`` and return what it prints.

    Raises:
        OSError: it is not there, or failed.
    """
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def why_not() -> str:
    """Return why there can be no namespaces here, nothing if there can."""
    if not os.access(TUN, os.R_OK | os.W_OK):
        return f"{TUN} can not be opened"
    name = f"{PREFIX}{os.getpid()}-probe"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
    except OSError as error:
        return str(error)
    return ""


@contextmanager
def namespaces(*ends: str) -> Iterator[list[Namespace]]:
    """Make one for each of *ends*, with loopback up, and remove them; those of processes that are gone, too."""
    _remove_left()
    made: list[Namespace] = []
    try:
        for end in ends:
            made.append(Namespace(f"{PREFIX}{os.getpid()}-{end}"))
            ip("netns", "add", made[-1].name)
            made[-1].ip("link", "set", "lo", "up")
        yield made
    finally:
        for namespace in made:
            if namespace.path.exists():
                ip("netns", "del", namespace.name)


def _remove_left() -> None:
    for path in _MOUNTED.glob(f"{PREFIX}*"):
        maker = path.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", maker).exists():
            ip("netns", "del", path.name)
