"""What a ``+f`` path leads to now: a distribution file, documentation or a test result."""

from aiohttp import web
from attrs import frozen

from changelog.errors import Gone, NotFound, Refused
from changelog.names import FileName, IndexName, documentation_name, file_name
from changelog.tables import Store
from changelog.views import documentation, files, links, projects, results
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.links import Link
from changelog.views.page import Status
from changelog.views.results import Result
from server.handlers.sending import Served
from server.parts import Parts
from server.readers import check_project
from server.requests import index_of

RESULT_TYPE = "application/json"


@frozen
class Found:
    """What is there."""

    index: IndexName
    filename: FileName
    link: Link
    row: File | Documentation | Result

    @property
    def served(self) -> Served:
        """How its bytes are sent."""
        kind = RESULT_TYPE if isinstance(self.row, Result) else ""
        return Served(self.filename, self.row.sha256, self.row.size, self.row.upload_time, media_type=kind)


def find(parts: Parts, request: web.BaseRequest, store: Store, segments: list[str]) -> Found:
    """Return what a path leads to.

    Raises:
        NotFound: there never was anything.
        Gone: it was deleted or replaced.
        Refused: its project is quarantined (PEP 792).
    """
    name, filename = index_of(segments), file_name(segments[5])
    index = parts.sources.own(store, name)[1]
    digest = path_digest(segments[3], segments[4])
    link = links.linked(store, index, digest, filename)
    if link is None:
        raise NotFound(f"no such file in {name}: {filename}")
    check_project(parts, request, store, name, link.project)
    row: File | Documentation | Result | None = files.behind(store, index, link, digest, filename)
    if row is None and filename == documentation_name(link.project, link.version):
        row = documentation.behind(store, index, link, digest)
    row = row or results.behind(store, link, digest, filename)
    if row is None:
        raise Gone(f"{filename} was deleted from {name} or replaced")
    project = projects.find(store, index, link.project)
    if project is not None and project.status is Status.QUARANTINED:
        raise Refused(f"the project {link.project} in {name} is quarantined")
    return Found(name, filename, link, row)


def path_digest(first: str, second: str) -> bytes:
    """Return the 8 bytes in a ``+f`` path, or raise NotFound."""
    try:
        digest = bytes.fromhex(first + second)
    except ValueError as error:
        raise NotFound("no such file: the path has no digest") from error
    if len(first) != 3 or len(digest) != links.LINK_DIGEST_BYTES:  # noqa: PLR2004 - 3 + 13 digits
        raise NotFound("no such file: the path has no digest")
    return digest
