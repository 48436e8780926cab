"""A file that is being fetched: written at once, so that others can read what has arrived, and hashed on the way."""

import hashlib
import os
from collections.abc import Iterable

from server.spool import SpooledFile, full_disk_named

ALGORITHMS = frozenset({"md5", "sha1", "sha224", "sha384", "sha512", "blake2b", "blake2s", "sha3_256", "sha3_512"})


class Sink:
    """A growing file in the spool.

    A piece of 64 KiB is written and hashed in a tenth of a millisecond: a thread would take longer to be told.
    """

    def __init__(self, spooled: SpooledFile, hashes: Iterable[tuple[str, str]]) -> None:
        """Write to *spooled*; *hashes* (name, hex) are computed too, where the name is known."""
        self._spooled = spooled
        self.path = spooled.path
        self.size = 0
        self.sha256 = b""  # after finish()
        self._sha256 = hashlib.sha256()
        self._others = [
            (name, expected, hashlib.new(name, usedforsecurity=False))
            for name, expected in hashes
            if name in ALGORITHMS
        ]

    @property
    def expects(self) -> bool:
        """Whether a digest is computed that other bytes would not have."""
        return bool(self._others)

    def write(self, piece: bytes) -> None:
        """Append *piece*.

        Raises:
            StorageFull: no space for it.
        """
        rest = memoryview(piece)
        with full_disk_named():
            while rest:
                rest = rest[os.write(self._spooled.descriptor, rest) :]
        self._sha256.update(piece)
        for _, _, digest in self._others:
            digest.update(piece)
        self.size += len(piece)

    def finish(self) -> None:
        """Compute the digest."""
        self.sha256 = self._sha256.digest()

    def wrong_hash(self) -> str:
        """Return the name of a digest that differs from what was said, "" if none does."""
        wrong = (name for name, expected, digest in self._others if digest.hexdigest() != expected)
        return next(wrong, "")

    def discard(self) -> None:
        """Remove the file, unless it was renamed away."""
        self._spooled.discard()
