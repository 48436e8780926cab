"""What ``+f`` paths lead to: distribution files, documentation and test results."""

from attrs import frozen

from changelog.names import FileName, ProjectName, Version
from changelog.tables import Store, Table, serial_key

LINK_DIGEST_BYTES = 8  # of the SHA-256 in +f paths: 3 + 13 hex digits


@frozen
class Link:
    """What a ``+f`` path leads to; index incarnation, digest (cut) and file name are the key."""

    project: ProjectName
    project_incarnation: int
    version: Version
    release_incarnation: int


LINKS = Table("links", Link)


def linked(store: Store, index: int, digest: bytes, filename: FileName) -> Link | None:
    """Return what a ``+f`` path of the index leads or led to; *digest*: 8 bytes of the SHA-256."""
    return LINKS.get(store, link_key(index, digest, filename))


def link_key(index: int, digest: bytes, filename: FileName) -> bytes:
    """Return the key of a link; only the first 8 bytes of *digest* count."""
    return serial_key(index) + digest[:LINK_DIGEST_BYTES] + filename.encode()
