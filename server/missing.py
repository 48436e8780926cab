"""Blobs that the log names and this node lacks: fetched from other nodes before something reads them as files."""

from collections.abc import Iterable

from server.parts import Parts


async def fetch(parts: Parts, blobs: Iterable[tuple[bytes, int]]) -> None:
    """Return when all *blobs*, digests with sizes in bytes (0 = not known), are here.

    A node that never was a replica has nowhere to fetch them from: what it lacks is lost, as who reads it will find.

    Raises:
        Unavailable, StorageFull: one can not be had.
    """
    if parts.fetching is None:
        return
    for digest, size in blobs:
        if not parts.blobs.has(digest, size or None):
            await parts.fetching.whole(digest, size, damaged=parts.blobs.has(digest))


async def fetch_documents(parts: Parts, documents: Iterable[bytes]) -> None:
    """As :func:`fetch`, of derived bytes by their digests; b"" is none, and small ones are in the log's own file."""
    with parts.reader.snapshot() as store:
        large = [(digest, 0) for digest in documents if digest and store.get("contents", digest) is None]
    await fetch(parts, large)
