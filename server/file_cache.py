"""Blobs as they are served: checked against their digest at first use and after a change, small ones kept in memory."""

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from changelog.blobs import Blobs, file_digest
from changelog.errors import BlobDamaged
from server.sendfile import OpenFile, State

SMALL = 64 << 10  # bytes; larger files are sent by sendfile
MAX_CHECKED = 200_000  # digests remembered, with the state of the file that was checked


class FileCache:
    """The blobs that one worker has read since it started."""

    def __init__(self, blobs: Blobs, size: int) -> None:
        """Keep up to *size* bytes of small files."""
        self._blobs = blobs
        self._room = size
        self._small: OrderedDict[bytes, bytes] = OrderedDict()
        self._checked: OrderedDict[bytes, State] = OrderedDict()
        self._running: dict[tuple[bytes, State], asyncio.Future[None]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="blobs")

    def small(self, digest: bytes) -> bytes | None:
        """Return the bytes of a small file if they are in memory."""
        return self._small.get(digest)

    async def read(self, digest: bytes, size: int) -> bytes:
        """Return the bytes of a small file.

        Raises:
            BlobDamaged: they are missing or not what was uploaded.
        """
        content = self._blobs.read(digest)
        if len(content) != size:
            raise BlobDamaged(f"blob {digest.hex()} has {len(content)} bytes, not {size}")
        self._small[digest] = content
        self._room -= len(content)
        while self._room < 0:
            _, oldest = self._small.popitem(last=False)
            self._room += len(oldest)
        return content

    async def open(self, digest: bytes, size: int) -> OpenFile:
        """Return a large file, open and checked; those who ask meanwhile share the check.

        Raises:
            BlobDamaged: it is missing or not what was uploaded.
        """
        try:
            file = OpenFile(self._blobs.path(digest))
        except OSError as error:
            raise BlobDamaged(f"blob {digest.hex()} can not be opened: {error.strerror}") from error
        if file.size != size:
            raise BlobDamaged(f"blob {digest.hex()} has {file.size} bytes, not {size}")
        if self._checked.get(digest) != file.state:
            await asyncio.shield(self._checking(digest, file))  # a client that leaves does not end it for the others
        return file

    def _checking(self, digest: bytes, file: OpenFile) -> "asyncio.Future[None]":
        """Return the check of this state of the file, begun if none is under way."""
        name = (digest, file.state)
        running = self._running.get(name)
        if running is None:
            running = asyncio.get_running_loop().run_in_executor(self._threads, _check, file, digest)
            self._running[name] = running
            running.add_done_callback(lambda done: self._on_checked(name, done))
        return running

    def _on_checked(self, name: tuple[bytes, State], check: "asyncio.Future[None]") -> None:
        del self._running[name]
        if check.cancelled() or check.exception() is not None:
            return
        digest, state = name
        self._checked[digest] = state
        if len(self._checked) > MAX_CHECKED:
            self._checked.popitem(last=False)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check(file: OpenFile, digest: bytes) -> None:
    with os.fdopen(os.dup(file.fileno()), "rb") as whole:
        if file_digest(whole) != digest:
            raise BlobDamaged(f"blob {digest.hex()} has other bytes than its name says")
