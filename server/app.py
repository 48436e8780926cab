"""One worker's application: path to handler, errors to answers, and the headers that every answer has."""

from importlib.metadata import version

import structlog
from aiohttp import web

from changelog.errors import InvalidForm, LedgerpiError, NotFound, NotYet, TooOld, Unavailable
from server import durability, readers, via
from server.errors import response
from server.handlers import simple, xmlrpc
from server.hot import HotAnswers
from server.outside import link_base
from server.parts import Parts
from server.positions import MIN_POSITION, POSITION, Position, has_prefix, of_head, reached, wanted, without_prefix
from server.proxies import Proxies
from server.requests import SERIAL, index_of, path_segments, project_of
from server.routes import ALWAYS, READS, REFRESH, ROUTES, Handler, is_own, is_search, shape

INSTALLERS = ("pip/", "uv/", "setuptools/", "distribute/", "pex/")
JSON_TYPE = "application/json"
SIMPLE_JSON = "application/vnd.pypi.simple."

logger = structlog.get_logger()


class App:
    """Answers requests; the same for a primary and a replica, which differ in their *parts*."""

    def __init__(self, parts: Parts) -> None:
        """Answer from *parts*."""
        self._parts = parts
        self._hot = HotAnswers(parts.reader)
        self._proxies = Proxies(parts.config.trusted_proxies, parts.config.outside_url, parts.reader)
        self._staleness = parts.staleness
        self._headers = {
            "X-Devpi-Api-Version": "2",
            "X-Devpi-Server-Version": version("ledgerpi"),
            "X-Devpi-Uuid": parts.member,
            "X-Devpi-Primary-Uuid": parts.origin,
            "X-Devpi-Master-Uuid": parts.origin,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to *request*; what the handlers raise becomes one here."""
        waits = MIN_POSITION in request.headers or has_prefix(request)
        is_old = self._staleness is not None and self._staleness.is_told()
        ready = None if waits or is_old else self._hot.find(request)
        if ready is not None:
            return ready
        transaction = self._parts.reader.snapshot_transaction()
        try:
            via.note(request.headers, self._parts.member)
            durability.note(request.headers)
            request = self._proxies.seen(request)
            if MIN_POSITION in request.headers or has_prefix(request):
                request = await self._seen(request)
            answer = await self._dispatch(request)
        except web.HTTPException as redirect:
            answer = redirect
        except LedgerpiError as error:
            answer = self._refusal(request, error)
        except (web.RequestPayloadError, ConnectionError) as error:
            answer = self._broken_off(request, error)
        headers = answer.headers
        headers.update(self._headers)
        headers["X-Devpi-Serial"] = str(request.get(SERIAL) or self._position().serial)
        if request.method not in READS and POSITION not in headers:
            headers[POSITION] = str(self._position())
        if readers.READER in request:
            readers.keep_private(answer)
        if is_old and self._staleness is not None and request.method in READS:
            headers.update(self._staleness.headers())
        elif SERIAL in request and self._is_for_all(request):
            self._hot.keep(request, answer, transaction)
        return answer

    async def _seen(self, request: web.BaseRequest) -> web.BaseRequest:
        """Return the request, without the prefix that says so, when the position that it wants to see is here."""
        position = wanted(request)
        if position is not None:
            await reached(self._parts, position)
        return without_prefix(request)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        forward = self._parts.forward
        if forward is not None and not is_own(request):
            return await forward(self._parts, request)
        segments, slash = path_segments(request.raw_path)
        form = shape(segments)
        if self._staleness is not None and self._staleness.refuses and form not in ALWAYS:
            self._staleness.check()
        methods = ROUTES.get(form)
        if methods is None:
            raise NotFound(f"no such page: {request.raw_path[:200]}")
        method = "GET" if request.method == "HEAD" else request.method
        handler = methods.get(method)
        if handler is None:
            return _not_allowed(methods)
        await readers.admit(self._parts, request, segments, reads=method == "GET" or form == REFRESH)
        if method == "GET":
            handler = _by_client(request, segments, handler, slash=slash)
        return await handler(self._parts, request, segments)

    def _refusal(self, request: web.BaseRequest, error: LedgerpiError) -> web.Response:
        if isinstance(error, NotFound) and is_search(request):
            return xmlrpc.fault(error)
        is_form = request.method == "POST" and request.content_type != JSON_TYPE
        answer = response(error, request.headers.get("Accept", "*/*"), reason=is_form)
        if answer.status >= 500 and not isinstance(error, NotYet | TooOld):  # noqa: PLR2004 - ours, not the client's
            log = logger.warning if isinstance(error, Unavailable) else logger.error
            log("request failed", path=request.path[:200], status=answer.status, reason=str(error))
        return answer

    def _broken_off(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """Return the answer to a body that is not what its Content-Encoding says, or whose client left amid it."""
        if isinstance(error, ConnectionError) and request.transport is not None:
            raise error
        return self._refusal(request, InvalidForm(f"the body can not be read: {error}"))

    def _is_for_all(self, request: web.BaseRequest) -> bool:
        """Return whether the same request is answered the same, whoever sends it in whatever way."""
        path = request.raw_path.partition("?")[0]  # a query may say anything
        depends_on_host = "/+simple/" in path and bool(link_base(self._parts, request))
        return readers.READER not in request and _is_canonical(path) and not depends_on_host

    def _position(self) -> Position:
        with self._parts.reader.snapshot() as store:
            return of_head(store)


def _by_client(request: web.BaseRequest, segments: list[str], handler: Handler, *, slash: bool) -> Handler:
    """Lead to the one URL of a simple page: it ends in a slash (PEP 503), and links on the page are relative to it."""
    if handler in (simple.project_list, simple.project_page) and not slash:
        raise simple.redirect(request, f"/{index_of(segments)}/{'/'.join(segments[2:])}/")
    accept = request.headers.get("Accept", "")
    if shape(segments) == "*/*" and SIMPLE_JSON in accept:
        return simple.project_list
    if shape(segments) == "*/*/*" and (_is_installer(request) or SIMPLE_JSON in accept):
        raise simple.redirect(request, f"/{index_of(segments)}/+simple/{project_of(segments[2])}/")
    return handler


def _is_canonical(path: str) -> bool:
    """Return whether the answer depends on no User-Agent, as it does at the short URLs."""
    if "/+simple/" in path:
        return path.endswith("/")
    return any(mark in path for mark in ("/+f/", "/%2Bf/", "/+e/", "/%2Be/"))


def _is_installer(request: web.BaseRequest) -> bool:
    return request.headers.get("User-Agent", "").startswith(INSTALLERS)


def _not_allowed(methods: dict[str, Handler]) -> web.Response:
    allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
    return web.Response(status=405, headers={"Allow": allowed}, text=f"405: use {allowed}\n")
