"""Waking a process by its socket: whoever wakes it waits for nothing."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import pytest

from server.wire import connect, listen, wake

PATIENCE_S = 5.0


class Waited(Exception):  # noqa: N818 - no OSError, which who wakes takes for a process that is not there
    """A test waited for ever."""


@pytest.fixture
def impatient() -> Iterator[None]:
    """Raise Waited where the test waits for ever."""

    def give_up(_: int, __: FrameType | None) -> None:
        raise Waited

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def fill(path: Path, stack: ExitStack) -> None:
    """Connect until nobody else can without waiting."""
    while True:
        client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        client.settimeout(0)
        try:
            client.connect(str(path))
        except BlockingIOError:
            return


def test_who_listens_is_woken(tmp_path: Path) -> None:
    with listen(tmp_path / "s") as server:
        wake(tmp_path / "s")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b""


@pytest.mark.usefixtures("impatient")
def test_a_process_that_takes_no_connections_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen(path), ExitStack() as stack:
        fill(path, stack)
        wake(path)


def test_nobody_has_to_be_there(tmp_path: Path) -> None:
    wake(tmp_path / "s")
    listen(tmp_path / "s").close()
    wake(tmp_path / "s")
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path / "s")
