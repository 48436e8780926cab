"""Making fetched files durable, and reading the core metadata that upstream does not offer."""

import hashlib
from pathlib import Path

from attrs import frozen

from changelog import contents
from changelog.blobs import Blobs
from server.archives.lenient import find_metadata
from server.incoming import publish_metadata
from server.spool import Spool, full_disk_named
from server.upstream.sink import Sink


@frozen
class Kept:
    """A file whose bytes are durable."""

    size: int
    sha256: bytes
    metadata: bytes  # SHA-256 of core metadata read from the file, b"" = none were
    contents: tuple[tuple[bytes, bytes], ...]  # the metadata, if small


def publish(blobs: Blobs, spool: Spool, sink: Sink, filename: str, *, offers_metadata: bool) -> Kept:
    """Make the bytes of *sink* a blob; blocking.

    Raises:
        StorageFull: no space.
    """
    path = sink.store()
    raw = b"" if offers_metadata else _metadata(path, sink.size, filename)
    if raw:
        publish_metadata(raw, blobs, spool)
    with full_disk_named():
        blobs.publish(path, sink.sha256)
    sink.discard()  # closes it
    return _kept(sink.size, sink.sha256, raw)


def adopt(blobs: Blobs, spool: Spool, sha256: bytes, filename: str, *, offers_metadata: bool) -> Kept:
    """Return what :func:`publish` does, of a file that is a blob already; blocking.

    Raises:
        BlobDamaged: it is missing, or not what its name says.
        StorageFull: no space.
    """
    blobs.check(sha256)
    path = blobs.path(sha256)
    size = path.stat().st_size
    raw = b"" if offers_metadata else _metadata(path, size, filename)
    if raw:
        publish_metadata(raw, blobs, spool)
    return _kept(size, sha256, raw)


def _kept(size: int, sha256: bytes, raw: bytes) -> Kept:
    digest = hashlib.sha256(raw).digest() if raw else b""
    small = bool(raw) and contents.is_small(raw)
    return Kept(size, sha256, digest, ((digest, raw),) if small else ())


def _metadata(path: Path, size: int, filename: str) -> bytes:
    if not filename.endswith(".whl"):
        return b""
    with path.open("rb") as file:
        return find_metadata(file, size, filename) or b""
