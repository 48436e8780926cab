"""A file that is being fetched: written at once, so that others can read what has arrived, and hashed on the way."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from server.spool import Spool, SpooledFile, full_disk_named

ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha384", "sha512", "blake2b", "blake2s", "sha3_256", "sha3_512"})
MAX_HELD = 64 << 10  # bytes that need no file before they are to last


class Sink:
    """A growing file in the spool, or the bytes of one that came in one piece.

    A piece of 64 KiB is written and hashed in a tenth of a millisecond: a thread would take longer to be told.
    """

    def __init__(self, spool: Spool, hashes: Iterable[tuple[str, str]]) -> None:
        """Write to a file of *spool* once there is need; those *hashes* (name, hex) whose name is known too."""
        self._spool = spool
        self._file: SpooledFile | None = None
        self.held = b""  # all of it, as long as there is no file
        self.size = 0
        self.sha256 = b""  # after finish()
        self._sha256 = hashlib.sha256()
        self._others = [
            (name, expected, hashlib.new(name, usedforsecurity=False))
            for name, expected in hashes
            if name in ALGORITHMS
        ]

    @property
    def path(self) -> Path | None:
        """The file, None if there is none yet."""
        return None if self._file is None else self._file.path

    @property
    def expects(self) -> bool:
        """Whether a digest is computed that other bytes would not have."""
        return bool(self._others)

    def write(self, piece: bytes, *, is_all: bool) -> None:
        """Append *piece*; a small one that *is_all* is held, for nobody has to follow how it grows.

        Raises:
            StorageFull: no space for it.
        """
        if is_all and len(piece) <= MAX_HELD:
            self.held = piece
        else:
            self._append(piece)
        self._sha256.update(piece)
        for _, _, digest in self._others:
            digest.update(piece)
        self.size += len(piece)

    def store(self) -> Path:
        """Write what is held to a file, and return the file.

        Raises:
            StorageFull: no space for it.
        """
        return self._append(self.held) if self._file is None else self._file.path

    def _append(self, piece: bytes) -> Path:
        if self._file is None:
            self._file = self._spool.create()
        rest = memoryview(piece)
        with full_disk_named():
            while rest:
                rest = rest[os.write(self._file.descriptor, rest) :]
        return self._file.path

    def finish(self) -> None:
        """Compute the digest."""
        self.sha256 = self._sha256.digest()

    def wrong_hash(self) -> str:
        """Return the name of a digest that differs from what was said, "" if none does."""
        wrong = (name for name, expected, digest in self._others if digest.hexdigest() != expected)
        return next(wrong, "")

    def discard(self) -> None:
        """Remove the file, unless it was renamed away."""
        if self._file is not None:
            self._file.discard()
