"""Documentation of releases: one zip file each."""

from attrs import frozen

from changelog.names import ProjectName, UserName, Version


@frozen
class DocumentationUploaded:
    """A release got documentation, which replaces what it had.

    Project and release are made if they are not there, without metadata. It goes with its release.
    """

    index: int
    project: ProjectName
    version: Version
    size: int  # bytes of the zip file
    sha256: bytes  # 32 bytes
    upload_time: int  # microseconds
    uploader: UserName  # "" = anonymous


@frozen
class DocumentationDeleted:
    """The documentation of a release was deleted.

    A release that has no files goes along, the last release of a project takes the project.
    """

    index: int
    project: ProjectName
    version: Version
