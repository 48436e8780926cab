"""Many small files in one answer: each behind its length, 4 bytes, which is all ones where it can not be had so."""

from changelog.blobs import Blobs

BYTES = "application/octet-stream"
DIGEST_BYTES = 32
LENGTH_BYTES = 4
MAX_AT_ONCE = 256  # files in one answer
READ_AT_ONCE = 16  # files that are read before they are sent
SMALL_FILE = 256 << 10  # bytes; larger ones come by a request of their own, in which they can be gone on with
NO_BLOB = b"\xff" * LENGTH_BYTES


def framed_blob(blobs: Blobs, digest: bytes) -> bytes:
    """Return a small file with its length, NO_BLOB if it is none or not here; whoever gets it checks the digest."""
    try:
        with blobs.path(digest).open("rb") as file:
            content = file.read(SMALL_FILE + 1)
    except OSError:
        return NO_BLOB
    return NO_BLOB if len(content) > SMALL_FILE else len(content).to_bytes(LENGTH_BYTES) + content
