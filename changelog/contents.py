"""Derived bytes by digest: small ones in a table, to commit with their entry, others as blobs."""

from hashlib import sha256

from changelog.blobs import SMALL_CONTENT, Blobs
from changelog.errors import BlobDamaged
from changelog.tables import Store


def read(store: Store, blobs: Blobs, digest: bytes) -> bytes:
    """Return derived bytes from the table or, when they are 16 KiB and more, from their blob.

    Raises:
        BlobDamaged: they are nowhere, or not what they were.
    """
    found = store.get("contents", digest)
    if found is None:
        return blobs.read(digest)
    if sha256(found).digest() != digest:
        raise BlobDamaged(f"contents {digest.hex()} have other bytes than their name says")
    return found


def is_small(raw: bytes) -> bool:
    """Return whether derived bytes go into the table ``contents``."""
    return len(raw) < SMALL_CONTENT
