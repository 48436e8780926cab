"""Requests to upstream indexes, within bounds; what an upstream sends can cost no more than they allow."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Self
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from attrs import frozen
from multidict import CIMultiDictProxy
from yarl import URL

from server.config import Config
from server.upstream.addresses import GuardedConnector, Networks, check_literal
from server.upstream.bodies import arriving, bounded, decoded
from server.upstream.failures import UpstreamFailed, UpstreamRefused, failure
from server.upstream.origins import Credentials, Origin, joined, masked, origin, origin_of, parsed, split_credentials

__all__ = [
    "Answer",
    "Credentials",
    "Limits",
    "Origin",
    "UpstreamClient",
    "UpstreamFailed",
    "UpstreamRefused",
    "masked",
    "origin_of",
    "split_credentials",
]

MAX_LINE = 16 << 10  # bytes of the status line, and of one header
MAX_HEADERS = 128
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


@frozen
class Limits:
    """What one request may take; all but the last are seconds."""

    connect_s: float = 5.0  # name, TCP and TLS together, of one connection
    first_byte_s: float = 15.0  # from the request sent to the whole head of the answer
    idle_s: float = 30.0  # without a byte of the body
    total_s: float = 60.0  # of a page, from the first request to the last byte; files have none
    max_redirects: int = 5


@frozen
class Answer:
    """The head of an answer, and its body while the context of ``get`` lasts; *url* is where it came from."""

    status: int
    headers: CIMultiDictProxy[str]
    url: str  # after redirects; no userinfo, no fragment
    _host: str
    _content: aiohttp.StreamReader
    _coding: str  # of the body, to be taken off
    _announced: int | None
    _idle_s: float
    _deadline: float | None

    async def body(self, max_bytes: int | None) -> AsyncIterator[bytes]:
        """Yield the body, of at most *max_bytes* in all; to be read once.

        Its Content-Encoding is taken off if Accept-Encoding asked for one. Else it is left: some servers put it on
        files that are gzip by themselves, and a digest is of the file.
        An answer without Content-Length or chunks ends where the connection does: that it is whole is not known.

        Raises:
            UpstreamRefused: it is, or is announced to be, over *max_bytes*.
            UpstreamFailed: it came too slowly, ended early, or is not packed as it says.
        """
        bounded(self._announced or 0, max_bytes)
        source = arriving(self._content, self._host, self._idle_s, self._deadline)
        async for piece in decoded(source, self._coding, max_bytes):
            yield piece


class UpstreamClient:
    """Asks upstreams, at public addresses and those in *networks*; made inside a running loop.

    With a *proxy* (``http://user:password@host:port``) everything goes through it; then it is the proxy that resolves
    names, and only addresses written as such are checked here. The CAs of *ca_file* are trusted besides the system's.
    The environment's proxies and .netrc are not used, cookies never kept.

    Raises:
        OSError: *ca_file* can not be read as certificates.
        UpstreamRefused: *proxy* is no URL.
    """

    def __init__(
        self,
        limits: Limits,
        networks: Networks,
        *,
        proxy: str = "",
        ca_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._limits = limits
        self._networks = tuple(networks)
        proxy_url, proxy_credentials = split_credentials(proxy) if proxy else ("", None)
        self._proxy = parsed(proxy_url) if proxy else None
        self._proxy_headers = {"Proxy-Authorization": _basic(proxy_credentials)} if proxy_credentials else {}
        self._session = aiohttp.ClientSession(
            connector=GuardedConnector(
                resolver or aiohttp.ThreadedResolver(),
                None if proxy else self._networks,
                limits.connect_s,
                _context(ca_file),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "ledgerpi"},
            response_class=_answers_within(limits.first_byte_s),
            # the other limits are kept here; this is the wait for a free connection, and it outlasts that for a new one
            timeout=aiohttp.ClientTimeout(connect=limits.connect_s + limits.first_byte_s),
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )

    def get(
        self, url: str, headers: Mapping[str, str], credentials: Credentials | None, *, total_s: float | None
    ) -> AbstractAsyncContextManager[Answer]:
        """Ask for *url* and answer with the head that comes, of any status but a redirect, which is followed.

        *headers* may not carry credentials; they, Cookie and userinfo in *url* are dropped. Without Accept-Encoding
        the body is asked for as it is ("identity"). *total_s* bounds everything until the last byte of the body.

        Raises:
            UpstreamRefused: an address, a redirect or a URL is not allowed.
            UpstreamFailed: no answer came, or none in time.
        """
        return self._get(url, headers, credentials, total_s)

    @asynccontextmanager
    async def post(
        self, url: str, headers: Mapping[str, str], credentials: Credentials, body: AsyncIterator[bytes]
    ) -> AsyncIterator[Answer]:
        """Send *body* once and answer with the head that comes, of any status: redirects are not followed.

        Nothing but the caller bounds how long *body* takes. Raises as :meth:`get`.
        """
        target = parsed(url)
        sent = {**headers, "Authorization": _basic(credentials)} if credentials.origin == origin(target) else headers
        response = await self._ask(target, dict(sent), None, body)
        try:
            yield self._answer(response, "", None)
        finally:
            response.release()

    @classmethod
    def of(cls, config: Config, first_byte_s: float | None = None) -> Self:
        """Return a client as the options of a node say, or else one that waits *first_byte_s*; made inside a loop."""
        limits = Limits(
            connect_s=config.upstream_connect_timeout_s,
            first_byte_s=first_byte_s or config.upstream_first_byte_timeout_s,
            total_s=config.upstream_timeout_s,
        )
        ca_file = Path(config.upstream_ca_file) if config.upstream_ca_file else None
        return cls(limits, config.private_upstreams, proxy=config.upstream_proxy, ca_file=ca_file)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    @asynccontextmanager
    async def _get(
        self, url: str, headers: Mapping[str, str], credentials: Credentials | None, total_s: float | None
    ) -> AsyncIterator[Answer]:
        deadline = None if total_s is None else asyncio.get_running_loop().time() + total_s
        plain = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        response = await self._follow(parsed(url), plain, credentials, deadline)
        try:
            coding = response.headers.get("Content-Encoding", "") if _takes_codings(plain) else ""
            yield self._answer(response, coding, deadline)
        finally:
            response.release()  # closes the connection if there is more of the body

    def _answer(self, response: aiohttp.ClientResponse, coding: str, deadline: float | None) -> Answer:
        return Answer(
            response.status,
            response.headers,
            str(response.url),
            response.host,
            response.content,
            coding,
            response.content_length,
            self._limits.idle_s,
            deadline,
        )

    async def _follow(
        self, url: URL, headers: dict[str, str], credentials: Credentials | None, deadline: float | None
    ) -> aiohttp.ClientResponse:
        target = url
        for _ in range(self._limits.max_redirects + 1):
            sent = headers
            if credentials is not None and credentials.origin == origin(target):
                sent = {**headers, "Authorization": _basic(credentials)}
            response = await self._ask(target, sent, deadline)
            if response.status not in REDIRECTS:
                return response
            response.release()
            target = _redirected(target, response)
        raise UpstreamRefused(f"more than {self._limits.max_redirects} redirects from {masked(str(url))}")

    async def _ask(
        self, url: URL, headers: dict[str, str], deadline: float | None, body: AsyncIterator[bytes] | None = None
    ) -> aiohttp.ClientResponse:
        """Return the answer to a GET of *url*, or to a POST of *body*."""
        host = url.raw_host or ""
        check_literal(host, self._networks)
        if self._proxy is not None and url.scheme == "http":  # aiohttp gives proxy_headers to tunnels only
            headers = {**headers, **self._proxy_headers}
        try:
            async with asyncio.timeout_at(deadline):
                return await self._session.request(
                    "GET" if body is None else "POST",
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=self._proxy,
                    proxy_headers=dict(self._proxy_headers),  # aiohttp writes into it
                )
        except aiohttp.ClientError as error:
            raise failure(error, host) from error
        except TimeoutError as error:
            raise UpstreamFailed(f"no answer in time from {host}") from error
        except OSError as error:
            raise failure(error, host) from error


def _takes_codings(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "accept-encoding" and value != "identity" for name, value in headers.items())


def _redirected(url: URL, response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location")
    if location is None:
        raise UpstreamFailed(f"{url.raw_host} redirects, but not where to")
    target = joined(url, location)
    if url.scheme == "https" and target.scheme != "https":
        raise UpstreamRefused(f"redirect from https to http: {masked(str(target))}")
    return target


def _answers_within(first_byte_s: float) -> type[aiohttp.ClientResponse]:
    """Return the class of answers whose head is there *first_byte_s* after the request was sent."""
    used: WeakSet[object] = WeakSet()  # connections that have brought an answer

    class TimedResponse(aiohttp.ClientResponse):
        async def start(self, connection: Connection) -> aiohttp.ClientResponse:
            """Read the head; aiohttp asks once more if ServerDisconnectedError or ClientOSError come from here."""
            protocol = connection.protocol
            try:
                async with asyncio.timeout(first_byte_s):
                    await super().start(connection)
            except TimeoutError as error:
                raise UpstreamFailed(f"no answer within {first_byte_s:g} s from {self.host}") from error
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if protocol in used and isinstance(getattr(error, "message", ""), str):
                    raise  # it was closed while nobody used it: no byte of the answer came
                raise failure(error, self.host) from error
            used.add(protocol)
            return self

    return TimedResponse


def _context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.user}:{credentials.password}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
