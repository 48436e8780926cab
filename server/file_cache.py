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
        """Return a large file, open and checked.

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
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, _check, file, digest)
            self._checked[digest] = file.state
            if len(self._checked) > MAX_CHECKED:
                self._checked.popitem(last=False)
        return file

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check(file: OpenFile, digest: bytes) -> None:
    with os.fdopen(os.dup(file.fileno()), "rb") as whole:
        if file_digest(whole) != digest:
            raise BlobDamaged(f"blob {digest.hex()} has other bytes than its name says")
