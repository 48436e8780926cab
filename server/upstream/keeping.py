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
    raw = b"" if offers_metadata or not filename.endswith(".whl") else _metadata(path, sink.size, filename)
    digest = hashlib.sha256(raw).digest() if raw else b""
    if raw:
        publish_metadata(raw, blobs, spool)
    with full_disk_named():
        blobs.publish(path, sink.sha256)
    sink.discard()  # closes it
    small = bool(raw) and contents.is_small(raw)
    return Kept(sink.size, sink.sha256, digest, ((digest, raw),) if small else ())


def _metadata(path: Path, size: int, filename: str) -> bytes:
    with path.open("rb") as file:
        return find_metadata(file, size, filename) or b""
