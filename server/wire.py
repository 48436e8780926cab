"""Messages between the processes of a node: msgpack behind a 4 byte length, over a unix socket in a private folder."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from changelog import errors
from changelog.errors import InvalidEntry, LedgerpiError, TooManyAttempts
from changelog.packing import packb, unpackb

LENGTH_BYTES = 4
MAX_FRAME = 256 << 20  # bytes; large values are files, but a batch of entries ends with a whole command
MAX_SOCKET_PATH = 100  # bytes that every system takes
BACKLOG = 128
PART = "part"  # kind of the frames of an answer that goes on

Frame = tuple[Any, ...]


def framed(*items: Any) -> bytes:  # noqa: ANN401 - whatever msgpack takes
    """Return one message."""
    raw = packb(items)
    return len(raw).to_bytes(LENGTH_BYTES) + raw


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._buffer = bytearray()

    @property
    def has_begun(self) -> bool:
        """Whether a part of a message came."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the messages that *data* completes.

        Raises:
            InvalidEntry: a message is too long or no array.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(buffer[:LENGTH_BYTES])
            if end > MAX_FRAME:
                raise InvalidEntry(f"a message of {end} bytes")
            if len(buffer) < end:
                return
            message = unpackb(bytes(buffer[LENGTH_BYTES:end]))
            del buffer[:end]
            if not isinstance(message, tuple) or len(message) < 2:  # noqa: PLR2004 - number and kind
                raise InvalidEntry("a message that is no array")
            yield message


def error_frame(number: int, error: LedgerpiError) -> bytes:
    """Return the answer to message *number* that carries *error*."""
    extra = error.retry_after_s if isinstance(error, TooManyAttempts) else 0
    return framed(number, "error", type(error).__name__, str(error), extra)


def error_of(name: str, message: str, extra: int) -> LedgerpiError:
    """Return the error that :func:`error_frame` sent."""
    if name == TooManyAttempts.__name__:
        return TooManyAttempts(message, extra)
    cls: type[LedgerpiError] = getattr(errors, name)
    return cls(message)


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Yield a spelling of a socket's *path* that fits into ``sockaddr_un``, also below a deep folder."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """Return a socket that listens at *path*; one that a dead process left there is replaced."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(path) as name:
        server.bind(name)
    server.listen(BACKLOG)
    server.settimeout(0)
    return server


def connect(path: Path) -> socket.socket:
    """Return a socket connected to the one at *path*, or raise OSError."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as name:
            client.connect(name)
    except OSError:
        client.close()
        raise
    return client


def wake(path: Path) -> None:
    """Let who listens at *path* know that there is something to do; nobody is waited for, or has to be there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, suppress(OSError), short_path(path) as name:
        client.settimeout(0)
        client.connect(name)


def ask(path: Path, *items: Any) -> Frame:  # noqa: ANN401 - whatever msgpack takes
    """Send one message to the writer at *path* and return its answer; for the command line.

    Raises:
        OSError: no writer listens there.
        LedgerpiError: what the writer answered.
    """
    with connect(path) as client:
        client.sendall(framed(1, *items))
        frames = Frames()
        while data := client.recv(1 << 16):
            for answer in frames.feed(data):
                return checked(answer)
    raise errors.OutcomeUnknown("the writer ended before it answered")


def checked(answer: Frame) -> Frame:
    """Return the items of an answer, or raise the error it carries."""
    if answer[1] == "error":
        raise error_of(*answer[2:])
    return answer[2:]
