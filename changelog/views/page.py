"""What a simple page shows, before it has a form: one object for HTML and JSON."""

from collections.abc import Sequence
from enum import StrEnum

from attrs import frozen

from changelog.names import FileName, IndexName, ProjectName, Sha256, Version


class Status(StrEnum):
    """Project status markers (PEP 792)."""

    ACTIVE = "active"
    ARCHIVED = "archived"  # refuses uploads
    QUARANTINED = "quarantined"  # refuses uploads and offers no files
    DEPRECATED = "deprecated"


def file_path(sha256: bytes, filename: str) -> str:
    """Return where a file is below its index: 3 and 13 hex digits of its digest, then its name."""
    digest = sha256.hex()
    return f"+f/{digest[:3]}/{digest[3:16]}/{filename}"


@frozen
class PageFile:
    """One distribution file of a page: fields of PEP 691 and PEP 700, and the index that has it."""

    filename: FileName
    index: IndexName  # that stores it; a base's, when inherited
    version: Version
    sha256: Sha256  # b"" = an upstream did not tell
    size: int | None  # bytes (PEP 700); None = an upstream did not tell
    upload_time: int | None  # microseconds since 1970, UTC (PEP 700); None = as above
    requires_python: str  # "" = none given (PEP 503)
    yanked: str | None  # None = not yanked, "" = without a reason (PEP 592)
    core_metadata: Sha256 | None  # digest of the .metadata resource (PEP 658, 714), b"" = an upstream did not tell it
    location: str = ""  # the path of a file whose URL can not have its digest
    hashes: tuple[tuple[str, str], ...] = ()  # other digests, name and hex
    provenance: str = ""  # URL (PEP 740), "" = none

    @property
    def path(self) -> str:
        """Where the file is below its index: ``+f/<3 hex>/<13 hex>/<filename>``, or ``+e/<16 hex>/<filename>``."""
        return self.location or file_path(self.sha256, self.filename)


@frozen
class ProjectPage:
    """A project as one index shows it, its bases merged."""

    index: IndexName  # that was asked
    project: ProjectName
    files: Sequence[PageFile]  # sorted as they shall appear; empty when quarantined
    versions: Sequence[Version]  # of all files and releases, each once (PEP 700)
    status: Status
    reason: str  # of the status, "" = none given (PEP 792)
    last_serial: int


@frozen
class ListedProject:
    """A line of the project list."""

    project: ProjectName
    last_serial: int
