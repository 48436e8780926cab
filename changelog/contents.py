"""Derived bytes by digest: small ones in a table, compressed, to commit with their entry; others as blobs.

Most are core metadata of 1 to 3 kB, which share their lines with those of other files. So the table's values are zlib
streams with a preset dictionary of such lines, the file ``contents.dictionary``: half of what zlib makes without one.
"""

import zlib
from hashlib import sha256
from pathlib import Path

from changelog.blobs import SMALL_CONTENT, Blobs
from changelog.errors import BlobDamaged
from changelog.tables import Store

# Frozen: what is stored can be read with exactly these bytes, which each stream names by their Adler-32.
DICTIONARY = Path(__file__).with_suffix(".dictionary").read_bytes()
_PRIMED = zlib.compressobj(wbits=14, zdict=DICTIONARY)  # a window of 16 KiB: no small content is larger


def read(store: Store, blobs: Blobs, digest: bytes) -> bytes:
    """Return derived bytes from the table or, when they are 16 KiB and more, from their blob.

    Raises:
        BlobDamaged: they are nowhere, or not what they were.
    """
    found = store.get("contents", digest)
    return blobs.read(digest) if found is None else unpacked(digest, found)


def is_small(raw: bytes) -> bool:
    """Return whether derived bytes go into the table ``contents``."""
    return len(raw) < SMALL_CONTENT


def packed(raw: bytes) -> bytes:
    """Return the value of the table that stands for small *raw*."""
    stream = _PRIMED.copy()  # has read the dictionary
    return stream.compress(raw) + stream.flush()


def unpacked(digest: bytes, value: bytes) -> bytes:
    """Return the bytes of *digest* that *value* stands for; no value makes it take more than 16 KiB.

    Raises:
        BlobDamaged: it stands for other bytes or for none.
    """
    stream = zlib.decompressobj(zdict=DICTIONARY)
    try:
        raw = stream.decompress(value, SMALL_CONTENT)
    except zlib.error as error:
        raise BlobDamaged(f"contents {digest.hex()} can not be read: {error}") from error
    if sha256(raw).digest() != digest or not stream.eof or stream.unused_data:
        raise BlobDamaged(f"contents {digest.hex()} have other bytes than their name says")
    return raw
