"""Distribution files."""

from typing import NamedTuple

from attrs import frozen

from changelog.names import FileName, ProjectName, UserName, Version


@frozen
class FileUploaded:
    """A file was uploaded; the same name again replaces the file.

    Project and release are made with their first file.
    """

    index: int
    project: ProjectName
    version: Version
    filename: FileName
    size: int  # bytes
    sha256: bytes  # 32 bytes
    blake2b_256: bytes  # 32 bytes
    md5: bytes  # 16 bytes
    metadata: bytes  # SHA-256 of its core metadata (PEP 658), b"" = none was found
    requires_python: str  # PEP 440 specifiers, "" = none
    filetype: str  # bdist_wheel, sdist, ...
    pyversion: str  # wheel's python tag, "source" for an sdist
    upload_time: int  # microseconds
    uploader: UserName  # "" = anonymous


@frozen
class FileDeleted:
    """A file was deleted.

    The last file of a release without documentation takes the release along, the last release its project.
    """

    index: int
    project: ProjectName
    version: Version
    filename: FileName


@frozen
class FileYanked:
    """A file was yanked (PEP 592). An empty reason means none was given."""

    index: int
    project: ProjectName
    version: Version
    filename: FileName
    reason: str


@frozen
class FileUnyanked:
    """A file is no longer yanked (PEP 592)."""

    index: int
    project: ProjectName
    version: Version
    filename: FileName


class FileAction(NamedTuple):
    """What somebody did with a file."""

    what: str  # upload, push or overwrite
    who: str  # a user's name, "" = nobody or not known
    when: int  # microseconds
    src: str  # index that the file came from, "" = none
    dst: str  # index that it came to, "" = none
    times: int  # how often it was replaced, 0 = not said


@frozen
class FileHistoryCarried:
    """A file brought along what was done with it before it came here, and how it came.

    That is all of its history up to now: its upload here is no further action, since it is the last of these. It
    follows the event that put the file here, which may also be documentation or a test result.
    """

    index: int
    project: ProjectName
    version: Version
    filename: FileName  # of the file, the documentation or the test result
    actions: tuple[FileAction, ...]  # in order
