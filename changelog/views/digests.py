"""Bytes that the log names: files and core metadata."""

from collections.abc import Iterator

from attrs import frozen

from changelog.tables import Store, Table

BLOB = b"f"  # uploads: distribution files, documentation, test results
METADATA = b"m"  # core metadata
CACHED = b"c"  # files of upstreams, which may be removed and fetched again


@frozen
class Digest:
    """Bytes that the log names; kind and SHA-256 are the key."""

    since: int  # serial of the entry that named them first
    size: int  # bytes, 0 = not said


DIGESTS = Table("digests", Digest)


def name(store: Store, kind: bytes, digest: bytes, row: Digest) -> None:
    """Note that an entry names *digest*, unless one did before; b"" names nothing."""
    if digest:
        DIGESTS.put_new(store, kind + digest, row)


def named(store: Store, kind: bytes, start: bytes = b"") -> Iterator[tuple[bytes, Digest]]:
    """Yield the digests of a kind that the log ever named, from *start* on."""
    for key, row in DIGESTS.scan(store, kind, kind + start):
        yield key[1:], row


def is_required(store: Store, digest: bytes) -> bool:
    """Return whether the log names bytes that can not be fetched again: an upload, or core metadata."""
    return any(DIGESTS.get(store, kind + digest) is not None for kind in (BLOB, METADATA))


def is_named(store: Store, digest: bytes) -> bool:
    """Return whether the log ever named bytes by this SHA-256."""
    return any(DIGESTS.get(store, kind + digest) is not None for kind in (BLOB, METADATA, CACHED))
