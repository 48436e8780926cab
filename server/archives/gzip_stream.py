"""A gzip file (RFC 1952) read forward once, in bounded pieces, ending bombs while they unpack."""

import zlib
from typing import BinaryIO

from changelog.errors import InvalidArchive
from server.archives.bounds import CHUNK, check_ratio

_GZIP = zlib.MAX_WBITS + 16


class GzipStream:
    """The unpacked bytes of the one gzip member that *file* is; needs about two chunks of memory.

    A second gzip member or any byte after the first is refused: readers differ about them.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        """Begin at the start of *file*, which has *size* bytes."""
        self._file = file
        self._size = size
        self._inflate = zlib.decompressobj(_GZIP)
        self._tail = b""  # packed, not yet inflated
        self._ready = b""  # unpacked, not yet read
        self._at = 0  # how much of it is read
        self._unpacked = 0  # bytes so far

    def read(self, count: int) -> bytes:
        """Return exactly the next *count* bytes (the caller bounds it), or raise InvalidArchive."""
        found = self._ready[self._at : self._at + count]
        if len(found) == count:
            self._at += count
            return found
        pieces, missing = [found], count - len(found)
        while missing:
            self._fill()
            pieces.append(self._ready[:missing])
            self._at = len(pieces[-1])
            missing -= self._at
        return b"".join(pieces)

    def skip(self, count: int) -> None:
        """Pass over exactly *count* bytes, or raise InvalidArchive."""
        self._at += count
        while self._at > len(self._ready):
            self._at -= len(self._ready)
            beyond = self._at
            self._fill()
            self._at = beyond

    def finish(self) -> int:
        """Check that only zeros follow up to the end of the file; return the unpacked size.

        Raises:
            InvalidArchive: something else follows.
        """
        chunk = self._ready[self._at :]
        while True:
            if chunk.count(0) != len(chunk):
                raise InvalidArchive("bytes follow the end of the archive")
            if self._inflate.eof:
                break
            chunk = self._next()
        if self._inflate.unused_data or self._file.read(1):
            raise InvalidArchive("bytes follow the end of the gzip stream")
        return self._unpacked

    def _fill(self) -> None:
        """Replace the bytes that are ready by the next ones, of which there is at least one."""
        chunk = b""
        while not chunk:
            if self._inflate.eof:
                raise InvalidArchive("the archive ends early")
            chunk = self._next()
        self._ready, self._at = chunk, 0

    def _next(self) -> bytes:
        packed = self._tail or self._file.read(CHUNK)
        try:
            chunk = self._inflate.decompress(packed, CHUNK)
        except zlib.error as error:
            raise InvalidArchive(f"not a sound gzip stream: {error}") from error
        self._tail = self._inflate.unconsumed_tail
        if not packed and not chunk and not self._inflate.eof:
            raise InvalidArchive("the gzip stream ends early")
        self._unpacked += len(chunk)
        check_ratio(self._unpacked, self._size)
        return chunk
