"""Distribution files."""

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

    The last file of a release takes the release along, the last release its project.
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
