"""What a mirror took from its upstream: pages as changes, files, and digests that contradict."""

from typing import NamedTuple

from attrs import frozen

from changelog.names import FileName, ProjectName, Version


class MirroredFile(NamedTuple):
    """A file as an upstream's page describes it. ``base`` of the event and ``url`` together are a URL reference.

    It is relative to the project's page below ``mirror_url``; where it ends in a slash, the file name follows as it
    is. Empty: the URL may hold a secret or can not be said as a reference, and the page has to be asked for it.
    """

    filename: FileName
    version: Version
    url: str
    sha256: bytes  # 32 bytes, b"" = not said
    hashes: tuple[tuple[str, str], ...]  # other digests, name and hex
    size: int | None  # bytes
    upload_time: int | None  # microseconds
    requires_python: str  # "" = none
    yanked: str | None  # PEP 592: None = not yanked, "" = without a reason
    core_metadata: bytes | None  # PEP 714: None = not offered, b"" = without a digest
    provenance: str  # URL (PEP 740), "" = none


@frozen
class MirrorPageChanged:
    """An upstream's page of a project differs from what this log said of it; the first one makes the project.

    A large page is several entries of one command.
    """

    index: int
    project: ProjectName
    status: str  # PEP 792
    reason: str  # of the status, "" = none given
    base: str  # what the URLs of *files* begin with
    files: tuple[MirroredFile, ...]  # new or different ones
    removed: tuple[FileName, ...]  # that upstream no longer lists


@frozen
class MirrorFileFetched:
    """The bytes of a file were fetched, and are what upstream's page says, for the first time."""

    index: int
    project: ProjectName
    filename: FileName
    size: int  # bytes
    sha256: bytes  # 32 bytes
    metadata: bytes  # SHA-256 of the core metadata in the file, if upstream offers none; b"" = not read
    completes: bool  # the page did not say size, digest or core metadata, and now can


@frozen
class MirrorMetadataFetched:
    """The core metadata that upstream offers for a file (PEP 658) were fetched for the first time."""

    index: int
    project: ProjectName
    filename: FileName
    metadata: bytes  # SHA-256


@frozen
class MirrorHashChanged:
    """Upstream claims other bytes for a file name that is known: an alarm. The known file stays what it is."""

    index: int
    project: ProjectName
    filename: FileName
    known: bytes  # SHA-256
    claimed: bytes  # SHA-256


@frozen
class MirrorHashAccepted:
    """An owner accepted that a file name has other bytes upstream."""

    index: int
    project: ProjectName
    filename: FileName
    sha256: bytes
