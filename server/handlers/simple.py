"""``+simple``: the Simple API (PEP 503, 691)."""

from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from changelog import log
from changelog.errors import NotFound
from changelog.names import IndexName, ProjectName
from changelog.tables import Store
from changelog.views import fetched, pages, serials
from changelog.views.pages import Source
from server import readers
from server.commands import Caller
from server.executors import for_reading
from server.handlers.freshness import VARY, degraded, is_degraded, note, offered, settled, with_stale
from server.mirrors import LIST, unavailable
from server.outside import link_base
from server.page_cache import GZIP, IDENTITY, Body, IsSmall, Key, Page, Render, State
from server.parts import Parts
from server.render import simple
from server.render.negotiate import Form, accepts_gzip, choose
from server.render.ranges import if_none_match
from server.requests import index_of, project_of
from server.sendfile import FileAnswer, OpenFile
from server.sources import looked_up
from server.upstream import names
from server.upstream.names import list_path

RENDERER = 2  # another number changes all validators
CACHE = "max-age=0, must-revalidate, public"
CACHE_OWN = "max-age=0, must-revalidate, private"  # of a page that depends on how its client reaches this node
ATTEMPTS = 5  # to open a page's file that other workers may drop at any time


async def project_list(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show the projects of an index and its bases."""
    name, form, reader = index_of(segments), form_of(request), readers.reader_of(request)
    with parts.reader.snapshot() as store:
        looks = parts.mirrors.look_at_list(store, parts.sources.of(store, name, reader))
    looks = await parts.mirrors.ask(looks, LIST)
    lists = [list_path(parts.config.layout.lists, look.settings) for look in looks]

    def state(store: Store) -> State:
        asked = parts.sources.of(store, name, reader)
        return (parts.origin, asked, pages.list_serial(store, asked), form.value, RENDERER, names.states(lists))

    def render() -> tuple[State, bytes]:
        told = names.states(lists)  # before they are read: a newer list is no harm
        with parts.reader.snapshot() as store:
            asked = looked_up(store, name).by(reader).sources
            last = pages.list_serial(store, asked)
            body = simple.project_list(name, pages.listed(store, asked, names.read(lists)), last, form)
        return (parts.origin, asked, last, form.value, RENDERER, told), body

    with parts.reader.snapshot() as store:
        now = state(store)
        serial = log.head(store).size
    if not is_degraded(looks):
        note(request, serial, looks)
        return with_stale(await _answer(parts, request, _key(request, name, "", now), now, render), looks)
    if looks[0].source[0] == name and not _has_projects(parts, name, reader):
        raise unavailable(name, looks)
    return await degraded(name, form, render, looks)


async def project_page(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show the files of a project."""
    name, project, form = index_of(segments), project_of(segments[3]), form_of(request)
    base = link_base(parts, request)
    if project != segments[3]:
        raise redirect(request, f"/{name}/+simple/{project}/")
    asked, looks = await settled(parts, request, name, project)
    with parts.reader.snapshot() as store:
        state = _page_state(parts, store, asked, project, form, base)
        serial = log.head(store).size
    failed = is_degraded(looks)
    if state is None:
        raise unavailable(name, looks) if failed else _missing(name, project)

    def render() -> tuple[State, bytes] | None:
        with parts.reader.snapshot() as store:
            page = pages.page(store, asked, project, offered(parts))
            now = _page_state(parts, store, asked, project, form, base)
        return None if page is None or now is None else (now, simple.project_page(page, form, base))

    def is_small() -> bool:
        with parts.reader.snapshot() as store:
            return pages.is_small(store, asked, project)

    if failed:
        return await degraded(name, form, render, looks)
    note(request, serial, looks)
    key = _key(request, name, project, state, base)
    return with_stale(await _answer(parts, request, key, state, render, is_small), looks)


async def refresh(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Ask the upstreams of all mirrors that the page of a project is made of, and lead to the page."""
    name, project = index_of(segments), project_of(segments[3])
    asked, looks = await settled(parts, request, name, project, force=True)
    with parts.reader.snapshot() as store:
        if is_degraded(looks) and not any(pages.row(store, source, project) for source in asked):
            raise unavailable(name, looks)
    raise redirect(request, f"/{name}/+simple/{project}/")


def form_of(request: web.BaseRequest) -> Form:
    """Return the form that the client wants, or raise NotAcceptable."""
    wanted = request.query.get("format") if request.query_string else None
    return choose(request.headers.get("Accept"), wanted)


def redirect(request: web.BaseRequest, path: str) -> web.HTTPFound:
    """Return a redirect to a *path* of this server, by a relative URL: a front server's prefix stays."""
    depth = len(request.raw_path.partition("?")[0].lstrip("/").split("/")) - 1
    _, mark, query = request.raw_path.partition("?")
    return web.HTTPFound("../" * depth + quote(path.lstrip("/"), safe="/+") + mark + query)


def _page_state(  # noqa: PLR0913, PLR0917 - all that a page is a function of
    parts: Parts, store: Store, asked: tuple[Source, ...], project: ProjectName, form: Form, base: str
) -> State | None:
    """Return all that the page is a function of, None if the project never was there."""
    changed = tuple(serials.of_project(store, incarnation, project) for _, incarnation in asked)
    if not any(changed):
        return None
    there = _cached(parts, store, asked, project) if parts.mirrors.offline else ()
    state = (parts.origin, asked, changed, form.value, RENDERER, there)
    return (*state, base) if base else state


def _cached(parts: Parts, store: Store, asked: tuple[Source, ...], project: ProjectName) -> tuple[str, ...]:
    """Return the names of the fetched files that are there: offline, a page is a function of them too."""
    rows = (row for _, incarnation in asked for row in fetched.of_project(store, incarnation, project).items())
    return tuple(sorted(name for name, row in rows if row.sha256 and parts.blobs.has(row.sha256)))


async def _answer(  # noqa: PLR0913, PLR0917 - a page, and how it is made
    parts: Parts,
    request: web.BaseRequest,
    key: Key,
    state: State,
    render: Render,
    is_small: IsSmall = lambda: False,
) -> web.StreamResponse:
    coding = GZIP if accepts_gzip(request.headers.get("Accept-Encoding")) else IDENTITY
    known = request.headers.get("If-None-Match")
    for _ in range(ATTEMPTS):
        page = parts.pages.page(key, state)
        is_known = known is not None and if_none_match(known, page.etag(coding))
        if is_known and known != "*":
            return web.Response(status=304, headers=_headers(key, page, coding))
        body = await parts.pages.body(key, page, coding, render, is_small)
        if body is None:
            parts.pages.forget(key)
            raise _missing(key.index, key.project)
        if is_known:  # by "*", which means any page, if there is one
            return web.Response(status=304, headers=_headers(key, page, coding))
        try:
            return _with_body(body, {**_headers(key, page, coding), "Content-Type": Form(key.form).content_type})
        except FileNotFoundError:
            parts.pages.forget(key)
    made = await for_reading(render)  # other workers drop its files as fast as they are made
    if made is None:
        raise _missing(key.index, key.project)
    headers = _headers(key, Page(made[0]), IDENTITY)
    return web.Response(body=made[1], headers={**headers, "Content-Type": Form(key.form).content_type})


def _with_body(body: Body, headers: dict[str, str]) -> web.StreamResponse:
    if isinstance(body, Path):
        file = OpenFile(body)
        return FileAnswer(file, 0, file.size, headers)
    return web.Response(body=body, headers=headers)


def _headers(key: Key, page: Page, coding: str) -> dict[str, str]:
    changed = page.state[2]  # the last serial, or the last of each source
    serial = max(changed) if isinstance(changed, tuple) else changed
    headers = {
        "ETag": page.etag(coding),
        "Cache-Control": CACHE_OWN if key.base else CACHE,
        "Vary": VARY,
        "X-PyPI-Last-Serial": str(serial),
    }
    return headers | {"Content-Encoding": coding} if coding else headers


def _key(request: web.BaseRequest, name: IndexName, project: str, state: State, base: str = "") -> Key:
    """Return under which name a page is kept; where not all may read the same, each choice of sources has its own."""
    _, asked, _, form, *_ = state
    return Key(name, project, str(form), base, asked if readers.READER in request else ())


def _has_projects(parts: Parts, name: IndexName, reader: Caller) -> bool:
    with parts.reader.snapshot() as store:
        return any(True for _ in pages.listed(store, parts.sources.of(store, name, reader)))


def _missing(index: str, project: str) -> NotFound:
    return NotFound(f"no project {project} in {index}")
