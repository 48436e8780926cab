"""Fold logs from files and print a digest of every view of each; run by other Pythons with other libraries.

A file holds entries, each behind its length in 4 bytes.
"""

import sys
from hashlib import sha256
from pathlib import Path

from changelog.codec import decode
from changelog.fold import VIEW_TABLES, fold
from changelog.tables import MemoryStore


def digest(raw: bytes) -> str:
    """Return the digest of all rows that the entries in *raw* fold to."""
    store, serial, at = MemoryStore(), 0, 0
    while at < len(raw):
        end = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        serial += 1
        fold(store, *decode(raw[at + 4 : end], serial))
        at = end
    found = sha256()
    for table in VIEW_TABLES:
        for key, value in store.scan(table):
            found.update(repr((table, key, value)).encode())
    return found.hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(digest(Path(name).read_bytes()))  # noqa: T201 - its answer
