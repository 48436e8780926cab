"""Answers whose body is a range of an open file, sent by the kernel without a copy through this process."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

TURNS = 3  # of the loop after which there may be room: they cost less than to watch for it
READ_BYTES = 256 << 10  # of a file at a time, where the kernel can not send it
LOOK_S = 1.0  # between looks whether a client that takes nothing is still there

State = tuple[int, int, int, int]  # another one after every write to a file


class OpenFile:
    """A file open for reading, shared by all who send it; closed when the last of them is done."""

    def __init__(self, path: os.PathLike[str] | str) -> None:
        """Open *path*, or raise OSError."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self.size = found.st_size  # bytes
        self.state = _state(found)

    @property
    def changed(self) -> bool:
        """Whether someone wrote to the file, or replaced it, since it was opened."""
        return _state(os.fstat(self._descriptor)) != self.state

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def __del__(self) -> None:
        with suppress(AttributeError):  # never opened
            os.close(self._descriptor)


def _state(found: os.stat_result) -> State:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class FileAnswer(web.StreamResponse):
    """Bytes *start* to *start* + *length* of *file*."""

    def __init__(self, file: OpenFile, start: int, length: int, headers: Mapping[str, str], status: int = 200) -> None:
        """Send from *file*."""
        super().__init__(status=status, headers=headers)
        self.file = file
        self._start_at = start
        self._count = length
        self.content_length = length

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and bytes."""
        writer = await super().prepare(request)
        if writer is None or request.method == "HEAD" or not self._count:
            return writer
        writer.send_headers()
        await send(request, self.file, self._start_at, self._count)
        return writer


async def send(request: web.BaseRequest, file: OpenFile, start: int, count: int) -> None:
    """Send *count* bytes of *file* from *start* on after what was written to the connection.

    What the socket takes at once goes by one system call, the rest as there is room.

    Raises:
        ConnectionResetError: the client left or does not read, or someone cut the file.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client left")
    if transport.get_extra_info("sslcontext") is not None:
        await _send_read(request, transport, file, start, count)
        return
    sent = 0 if transport.get_write_buffer_size() else _send_some(transport, file, start, count)
    if sent < count:
        await _send_rest(transport, file, start + sent, count - sent)


async def _send_read(
    request: web.BaseRequest, transport: asyncio.Transport, file: OpenFile, start: int, count: int
) -> None:
    """Send bytes of *file* through this process, which encrypts them."""
    end = start + count
    while start < end:
        data = os.pread(file.fileno(), min(READ_BYTES, end - start), start)
        if not data:
            transport.abort()
            raise ConnectionResetError(f"the file ended {end - start} bytes too early")
        transport.write(data)
        await request.writer.drain()
        if transport.is_closing():
            raise ConnectionResetError("the client left")
        start += len(data)


def _send_some(transport: asyncio.Transport, file: OpenFile, start: int, count: int) -> int:
    """Send what the socket takes now, and return how much that was."""
    try:
        sent = os.sendfile(transport.get_extra_info("socket").fileno(), file.fileno(), start, count)
    except BlockingIOError:
        return 0
    except TimeoutError as error:
        raise ConnectionResetError("the client does not read") from error
    if not sent:  # someone cut the file: what follows on this connection would be taken for its end
        transport.abort()
        raise ConnectionResetError(f"the file ended {count} bytes too early")
    return sent


async def _send_rest(transport: asyncio.Transport, file: OpenFile, start: int, count: int) -> None:
    """Send what the socket did not take at once."""
    end = start + count
    for _ in range(TURNS):
        await asyncio.sleep(0)
        start += _send_if_open(transport, file, start, end - start)
        if start == end:
            return
    with _descriptor_to_watch(transport) as descriptor:
        while start < end:
            await _has_room(descriptor)
            start += _send_if_open(transport, file, start, end - start)


def _send_if_open(transport: asyncio.Transport, file: OpenFile, start: int, count: int) -> int:
    """As :func:`_send_some`, after a while in which the client may have left; what was written before goes first."""
    if transport.is_closing():
        raise ConnectionResetError("the client left")
    return 0 if transport.get_write_buffer_size() else _send_some(transport, file, start, count)


@contextmanager
def _descriptor_to_watch(transport: asyncio.Transport) -> Iterator[int]:
    """Yield another descriptor of the connection: loops do not let others watch that of a transport."""
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _has_room(descriptor: int) -> None:
    """Return when the socket takes more, or after a moment: a transport that was closed tells nobody."""
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    loop.add_writer(descriptor, wake)
    timer = loop.call_later(LOOK_S, wake)
    try:
        await woken
    finally:
        timer.cancel()
        loop.remove_writer(descriptor)
