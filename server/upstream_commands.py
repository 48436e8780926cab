"""Wishes about what upstreams of mirrors say and have; :mod:`server.commands` has all others."""

from attrs import frozen

from changelog.events.upstream import MirroredFile
from changelog.names import FileName, IndexName, ProjectName


@frozen
class ChangeMirrorPage:
    """Write down the difference of upstream's page from what was known at serial *seen* (0 = nothing)."""

    index: int
    project: ProjectName
    seen: int
    status: str
    reason: str
    base: str
    parts: tuple[tuple[tuple[MirroredFile, ...], tuple[FileName, ...]], ...]  # files and removed ones of each entry


@frozen
class RecordFile:
    """Write down that a mirror's file was fetched; its blob is durable."""

    index: int
    project: ProjectName
    filename: FileName
    size: int
    sha256: bytes
    metadata: bytes
    completes: bool


@frozen
class RecordMetadata:
    """Write down that core metadata were fetched from upstream."""

    index: int
    project: ProjectName
    filename: FileName
    metadata: bytes


@frozen
class ReportHash:
    """Raise an alarm: upstream claims other bytes."""

    index: int
    project: ProjectName
    filename: FileName
    known: bytes
    claimed: bytes


@frozen
class AcceptHash:
    """Accept the bytes that an alarm is about."""

    index: IndexName
    project: ProjectName
    filename: FileName
    sha256: bytes
