"""What the upstream index holds and answers, as long as nothing goes wrong."""

import itertools
import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from attrs import evolve, field, frozen
from packaging.utils import canonicalize_name

from tests.upstream import pages
from tests.upstream.asked import FILE, LIST, METADATA, PAGE, Asked
from tests.upstream.faults import Fault
from tests.upstream.files import UpstreamDist
from tests.upstream.pages import Shape, UpstreamProject
from tests.upstream.reply import Reply

LAST_MODIFIED = "Wed, 04 Mar 2026 05:06:07 GMT"


@frozen(eq=False)
class Content:
    """All projects by normalized name, and all files by the path that they are served at."""

    projects: Mapping[str, UpstreamProject] = field(factory=dict)
    files: Mapping[str, UpstreamDist] = field(init=False)

    @files.default
    def _all_files(self) -> dict[str, UpstreamDist]:
        dists = (dist for project in self.projects.values() for dist in project.dists)
        return {f"/files/{dist.sha256[:16]}/{dist.filename}": dist for dist in dists}

    def with_dists(self, dists: Iterable[UpstreamDist]) -> "Content":
        """Return the content with more files; those of the same project and name are replaced."""
        changed: dict[str, dict[str, UpstreamDist]] = {}
        for dist in dists:
            if dist.owner not in changed:
                changed[dist.owner] = {old.filename: old for old in self._project(dist.owner).dists}
            changed[dist.owner][dist.filename] = dist
        return self.with_projects(
            {name: evolve(self._project(name), dists=tuple(files.values())) for name, files in changed.items()}
        )

    def with_projects(self, projects: Mapping[str, UpstreamProject]) -> "Content":
        """Return the content with other projects under the names given."""
        return Content({**self.projects, **projects})

    def without(self, names: set[str]) -> "Content":
        """Return the content without the files and projects of these names."""
        kept = {name: project for name, project in self.projects.items() if name not in names}
        return Content(
            {
                name: evolve(project, dists=tuple(dist for dist in project.dists if dist.filename not in names))
                for name, project in kept.items()
            }
        )

    def _project(self, name: str) -> UpstreamProject:
        return self.projects.get(name) or UpstreamProject(name)


class Answers:
    """Makes replies of content and shape; both may be replaced from another thread at any time."""

    def __init__(self, shape: Shape, origins: Mapping[str, str]) -> None:
        """Take the shape, and the URLs of the origins without a slash at the end."""
        self.content = Content()
        self.shape = shape
        self._origins = origins
        self._rendered: dict[tuple[Content, Shape, str, str], bytes] = {}
        self._signatures = itertools.count(1)
        self._valid_from = 1  # the oldest signature that is still good

    def replace(self, content: Content | None = None, shape: Shape | None = None) -> None:
        """Go on with other content or another shape."""
        self.content, self.shape = content or self.content, shape or self.shape
        self._rendered.clear()

    def expire_signatures(self) -> None:
        """Let signed URLs that were listed so far be refused from now on."""
        self._valid_from = next(self._signatures) + 1

    def reply(self, asked: Asked, target: str, faults: Sequence[Fault]) -> Reply:
        """Return the whole answer to a GET of *target*; of the faults only what they list."""
        shape = self.shape
        reply = Reply(target)
        if self._is_locked(asked, shape):
            return evolve(_plain(reply, 401), headers={"WWW-Authenticate": 'Basic realm="upstream"'})
        if asked.method not in {"GET", "HEAD"}:
            return _plain(reply, 405)
        if asked.kind in {FILE, METADATA}:
            return self._file(reply, asked, shape)
        if asked.kind in {LIST, PAGE}:
            return self._page(reply, asked, shape, faults)
        return _plain(reply, 404)

    def _is_locked(self, asked: Asked, shape: Shape) -> bool:
        """Return whether the index wants other credentials; those elsewhere than /simple/ need none."""
        own = self._origins[pages.SAME].removeprefix("http://")
        return shape.auth is not None and asked.headers.get("host") == own and asked.credentials != shape.auth

    def _file(self, reply: Reply, asked: Asked, shape: Shape) -> Reply:
        dist = self.content.files.get(asked.path.removesuffix(".metadata") if asked.kind == METADATA else asked.path)
        if dist is None:
            return _plain(reply, 404)
        if shape.signed and not self._is_signed(asked.query):
            return _plain(reply, 403)
        body = dist.content if asked.kind == FILE else dist.metadata
        if body is None or (asked.kind == METADATA and not shape.metadata):
            return _plain(reply, 404)
        guessed = mimetypes.guess_type(dist.filename)[0] if asked.kind == FILE else ""
        return _validated(reply, body, shape).but(Content_Type=guessed or "application/octet-stream")

    def _page(self, reply: Reply, asked: Asked, shape: Shape, faults: Sequence[Fault]) -> Reply:
        name = canonicalize_name(asked.name)
        right = f"/simple/{name}/" if asked.kind == PAGE else "/simple/"
        if asked.path != right:
            return evolve(reply, status=301, headers={"Location": right})
        form = pages.form_for(asked.headers.get("accept", ""), shape)
        if not form:
            return _plain(reply, 406)
        if asked.kind == PAGE and name not in self.content.projects:
            return _plain(reply, 404)
        serial = shape.serials.get(name, shape.serial) if asked.kind == PAGE else shape.serial
        reply = _validated(reply, self._body(name, form, shape, serial, faults), shape)
        if serial is not None:
            reply = reply.but(X_PyPI_Last_Serial=str(serial))
        if shape.cache_control:
            reply = reply.but(Cache_Control=shape.cache_control)
        return reply.but(Content_Type=f"{form}; charset=utf-8" if form == pages.HTML else form, Vary="Accept")

    def _body(self, name: str, form: str, shape: Shape, serial: int | None, faults: Sequence[Fault]) -> bytes:
        """Return the page of a project, or the list if there is no name; it is made once if it stays the same."""
        content = self.content
        key = (content, shape, name, form)
        if not name:
            return self._rendered.get(key) or self._rendered.setdefault(key, _list(content, form, shape))
        if not faults and not shape.signed and key in self._rendered:
            return self._rendered[key]
        project = content.projects[name]
        entries = self._entries(project, form, shape)
        for fault in faults:
            entries = fault.entries(entries)
        base = f"{self._origins[shape.origin]}/files/" if shape.base_href else ""
        body = pages.project_page(project, entries, form, shape, serial, base)
        if not faults and not shape.signed:
            self._rendered[key] = body
        return body

    def _entries(self, project: UpstreamProject, form: str, shape: Shape) -> list[pages.Entry]:
        query = f"?signature={next(self._signatures)}" if shape.signed else ""
        before = self._before(form, shape)
        return [
            pages.entry_of(dist, f"{before}{dist.path.removeprefix('files/')}{query}", shape) for dist in project.dists
        ]

    def _before(self, form: str, shape: Shape) -> str:
        """Return what stands before the digest in the URL of a file."""
        if shape.base_href and form != pages.JSON:
            return ""
        if shape.origin != pages.SAME or shape.urls == pages.ABSOLUTE:
            return f"{self._origins[shape.origin]}/files/"
        return "/files/" if shape.urls == pages.ROOTED else "../../files/"

    def _is_signed(self, query: str) -> bool:
        number = query.removeprefix("signature=")
        return number.isdecimal() and int(number) >= self._valid_from


def _list(content: Content, form: str, shape: Shape) -> bytes:
    names = {normalized: project.name for normalized, project in sorted(content.projects.items())}
    return pages.list_page(names, form, shape.api, shape.serial)


def _validated(reply: Reply, body: bytes, shape: Shape) -> Reply:
    """Return the reply with a body and what validates it."""
    headers = {"ETag": f'"{sha256(body).hexdigest()[:32]}"'} if shape.etags else {}
    return evolve(reply, body=body, headers=headers | ({"Last-Modified": LAST_MODIFIED} if shape.last_modified else {}))


def _plain(reply: Reply, status: int) -> Reply:
    """Return a reply that is only a status."""
    return evolve(reply, status=status, headers={"Content-Type": "text/plain"}, body=f"{status}\n".encode())
