"""The wish to have a release pushed, and what comes along."""

from typing import NamedTuple

from attrs import frozen

from changelog.events.files import FileAction
from changelog.names import FileName, IndexName, ProjectName, UserName, Version


class PushedResult(NamedTuple):
    """A test result of a file that is pushed, as its source has it; its blob is durable."""

    name: FileName
    size: int
    sha256: bytes
    upload_time: int  # microseconds
    uploader: UserName
    actions: tuple[FileAction, ...]


class PushedDocumentation(NamedTuple):
    """The documentation of a release that is pushed, as its source has it; its blob is durable."""

    size: int
    sha256: bytes
    upload_time: int  # microseconds
    uploader: UserName
    actions: tuple[FileAction, ...]


class PushedFile(NamedTuple):
    """A file of a release that is pushed, as its source has it; its blob is durable."""

    filename: FileName
    size: int
    sha256: bytes
    blake2b_256: bytes
    md5: bytes
    metadata: bytes
    requires_python: str
    filetype: str
    pyversion: str
    upload_time: int  # microseconds
    uploader: UserName  # "" = anonymous, or an upstream has it
    yanked: str | None
    actions: tuple[FileAction, ...]  # what was done with it before this push
    results: tuple[PushedResult, ...]


@frozen
class PushRelease:
    """Add a release of another index, as that one has it."""

    index: IndexName
    source: IndexName
    project: ProjectName
    version: Version
    metadata: bytes  # SHA-256 of what the source shows, b"" = none
    pushed_at: int  # microseconds
    files: tuple[PushedFile, ...]
    documentation: PushedDocumentation | None
