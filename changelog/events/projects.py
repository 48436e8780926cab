"""Projects and releases."""

from attrs import frozen

from changelog.names import ProjectName, Version


@frozen
class ReleaseRegistered:
    """Metadata of a release were sent without a file (the form's ``submit`` action)."""

    index: int
    project: ProjectName
    version: Version
    metadata: bytes  # SHA-256 of a core metadata document


@frozen
class ReleaseDeleted:
    """A release was deleted with its files."""

    index: int
    project: ProjectName
    version: Version


@frozen
class ProjectDeleted:
    """A project was deleted with its releases and files."""

    index: int
    project: ProjectName


@frozen
class ProjectStatusSet:
    """A project got a status marker (PEP 792)."""

    index: int
    project: ProjectName
    status: str  # active, archived, quarantined or deprecated
    reason: str  # "" = none given
