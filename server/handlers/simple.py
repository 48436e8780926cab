"""``+simple``: the Simple API (PEP 503, 691)."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from changelog import log
from changelog.errors import NotFound
from changelog.names import ProjectName
from changelog.tables import Store
from changelog.views import pages, serials
from changelog.views.pages import Source
from server.executors import for_reading
from server.page_cache import GZIP, IDENTITY, Body, Key, Page, State
from server.parts import Parts
from server.render import simple
from server.render.negotiate import Form, accepts_gzip, choose
from server.render.ranges import if_none_match
from server.requests import SERIAL, index_of, project_of
from server.sendfile import FileAnswer, OpenFile

RENDERER = 1  # another number changes all validators
VARY = "Accept, Accept-Encoding"
CACHE = "max-age=0, must-revalidate, public"
ATTEMPTS = 5  # to open a page's file that other workers may drop at any time


async def project_list(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show the projects of an index and its bases."""
    name, form = index_of(segments), form_of(request)

    def state(store: Store) -> State:
        asked = parts.sources.of(store, name)
        return (parts.origin, asked, pages.list_serial(store, asked), form.value, RENDERER)

    def render() -> tuple[State, bytes]:
        with parts.reader.snapshot() as store:
            asked = pages.sources(store, name)
            last = pages.list_serial(store, asked)
            body = simple.project_list(name, pages.listed(store, asked), last, form)
        return (parts.origin, asked, last, form.value, RENDERER), body

    with parts.reader.snapshot() as store:
        now = state(store)
        request[SERIAL] = log.head(store).size
    return await _answer(parts, request, Key(name, "", form.value), now, render)


async def project_page(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show the files of a project."""
    name, project, form = index_of(segments), project_of(segments[3]), form_of(request)
    if project != segments[3]:
        raise redirect(request, f"/{name}/+simple/{project}/")
    with parts.reader.snapshot() as store:
        asked = parts.sources.of(store, name)
        state = _page_state(parts, store, asked, project, form)
        request[SERIAL] = log.head(store).size
    if state is None:
        raise _missing(name, project)

    def render() -> tuple[State, bytes] | None:
        with parts.reader.snapshot() as store:
            page = pages.page(store, asked, project)
            now = _page_state(parts, store, asked, project, form)
        return None if page is None or now is None else (now, simple.project_page(page, form))

    return await _answer(parts, request, Key(name, project, form.value), state, render)


def form_of(request: web.BaseRequest) -> Form:
    """Return the form that the client wants, or raise NotAcceptable."""
    wanted = request.query.get("format") if request.query_string else None
    return choose(request.headers.get("Accept"), wanted)


def redirect(request: web.BaseRequest, path: str) -> web.HTTPFound:
    """Return a redirect to a *path* of this server, by a relative URL: a front server's prefix stays."""
    depth = len(request.raw_path.partition("?")[0].lstrip("/").split("/")) - 1
    _, mark, query = request.raw_path.partition("?")
    return web.HTTPFound("../" * depth + quote(path.lstrip("/"), safe="/+") + mark + query)


def _page_state(
    parts: Parts, store: Store, asked: tuple[Source, ...], project: ProjectName, form: Form
) -> State | None:
    """Return all that the page is a function of, None if the project never was there."""
    changed = tuple(serials.of_project(store, incarnation, project) for _, incarnation in asked)
    return (parts.origin, asked, changed, form.value, RENDERER) if any(changed) else None


async def _answer(
    parts: Parts,
    request: web.BaseRequest,
    key: Key,
    state: State,
    render: Callable[[], tuple[State, bytes] | None],
) -> web.StreamResponse:
    coding = GZIP if accepts_gzip(request.headers.get("Accept-Encoding")) else IDENTITY
    known = request.headers.get("If-None-Match")
    for _ in range(ATTEMPTS):
        page = parts.pages.page(key, state)
        is_known = known is not None and if_none_match(known, page.etag(coding))
        if is_known and known != "*":
            return web.Response(status=304, headers=_headers(page, coding))
        body = await parts.pages.body(key, page, coding, render)
        if body is None:
            parts.pages.forget(key)
            raise _missing(key.index, key.project)
        if is_known:  # by "*", which means any page, if there is one
            return web.Response(status=304, headers=_headers(page, coding))
        try:
            return _with_body(body, {**_headers(page, coding), "Content-Type": Form(key.form).content_type})
        except FileNotFoundError:
            parts.pages.forget(key)
    made = await for_reading(render)  # other workers drop its files as fast as they are made
    if made is None:
        raise _missing(key.index, key.project)
    headers = _headers(Page(made[0]), IDENTITY)
    return web.Response(body=made[1], headers={**headers, "Content-Type": Form(key.form).content_type})


def _with_body(body: Body, headers: dict[str, str]) -> web.StreamResponse:
    if isinstance(body, Path):
        file = OpenFile(body)
        return FileAnswer(file, 0, file.size, headers)
    return web.Response(body=body, headers=headers)


def _headers(page: Page, coding: str) -> dict[str, str]:
    changed = page.state[2]  # the last serial, or the last of each source
    serial = max(changed) if isinstance(changed, tuple) else changed
    headers = {
        "ETag": page.etag(coding),
        "Cache-Control": CACHE,
        "Vary": VARY,
        "X-PyPI-Last-Serial": str(serial),
    }
    return headers | {"Content-Encoding": coding} if coding else headers


def _missing(index: str, project: str) -> NotFound:
    return NotFound(f"no project {project} in {index}")
