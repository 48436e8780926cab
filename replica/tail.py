"""Following a changelog over HTTP: one stream, from where the own log ends."""

import json
import ssl
from collections.abc import AsyncGenerator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from attrs import frozen

from changelog.copying import MAX_BATCH_BYTES, Batch
from changelog.errors import Conflict, InvalidEntry, LedgerpiError, Unauthenticated, Unavailable
from replica.credentials import Credentials
from server.stream import BEHIND, DIVERGED, Cursor, read_frame
from server.wire import Frames

CONNECT_S = 10.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SILENCE_S = 20.0  # without a byte: four heartbeats
LEAST_BATCH_BYTES = 4_096
MAX_REFUSAL = 64 << 10  # bytes of an answer that is no stream


class Behind(Unavailable):
    """The other node has fewer entries: it lags, its disk is older than it believes, or ours are stranded."""

    def __init__(self, message: str, answer: bytes = b"") -> None:
        """Remember what the other node says of its own log, signed (``server.ballots.Answer``)."""
        super().__init__(message)
        self.answer = answer


class Diverged(Conflict):
    """The other node has another history: one of the two must not go on as it is."""

    def __init__(self, message: str, answer: bytes = b"") -> None:
        """Remember what the other node says of its own log, signed (``server.ballots.Answer``)."""
        super().__init__(message)
        self.answer = answer


class Amid(Unavailable):
    """The connection ended amid a batch: smaller ones may come through."""


KINDS: dict[str, type["Behind"] | type["Diverged"]] = {BEHIND: Behind, DIVERGED: Diverged}


@frozen
class Source:
    """Whom to follow, and by which right."""

    url: str  # without a slash at the end
    credentials: Credentials

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return self.credentials.headers


def open_session(
    ca_file: str = "",
    *,
    silence_s: float = SILENCE_S,
    limit: int = 100,
    request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
) -> aiohttp.ClientSession:
    """Return a session for requests to other nodes; made inside a running loop.

    They may be silent for *silence_s*; at most *limit* connections are made, 0 = as many as are wanted.

    Raises:
        OSError: *ca_file* can not be read as certificates.
    """
    context: ssl.SSLContext | bool = True  # as aiohttp made it: reading the system's certificates takes 50 ms
    if ca_file:
        context = ssl.create_default_context()
        context.load_verify_locations(Path(ca_file))
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=limit),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silence_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        request_class=request_class,
        headers={"User-Agent": "ledgerpi-replica"},
    )


async def follow(
    session: aiohttp.ClientSession, source: Source, cursor: Cursor, upto: int = 0, most: int = MAX_BATCH_BYTES
) -> AsyncGenerator[Batch | bytes, None]:
    """Yield what follows *cursor*, batches and words for heads, until the connection ends or entry *upto* is sent.

    Batches have *most* bytes of entries, unless a single command has more.

    Raises:
        Unavailable: it could not be made, or ended.
        Amid: it ended amid a batch.
        Behind, Diverged: the other node can not be followed from here.
        Conflict: it has another log altogether.
        Unauthenticated: the token is not good there.
        InvalidEntry: what came are no frames, or do not follow each other.
    """
    frames, after = Frames(), cursor.at.size
    query = cursor.query | ({"upto": str(upto)} if upto else {"most": str(most)})
    try:
        async with session.get(
            f"{source.url}/+changelog",
            params=query,
            headers=source.headers | _codings(source.url),
            allow_redirects=False,
        ) as answer:
            if answer.status != HTTPStatus.OK:
                raise await _refusal(answer)
            async for data in answer.content.iter_any():
                for frame in frames.feed(data):
                    item = read_frame(frame)
                    if isinstance(item, Batch):
                        if item.first != after + 1 or not item.entries:
                            raise InvalidEntry(f"entries {item.first} to {item.last} came behind entry {after}")
                        after = item.last
                    yield item
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        kind = Amid if frames.has_begun else Unavailable
        raise kind(f"{source.url} can not be followed: {str(error) or type(error).__name__}") from error
    raise (Amid if frames.has_begun else Unavailable)(f"{source.url} ended the stream")


def next_most(most: int, error: LedgerpiError, *, copied: bool) -> int:
    """Return how many bytes batches are to have after *error* ended a stream of batches with *most*.

    A link that breaks before one is whole would never get further; when one is *copied*, larger ones are tried again.
    """
    if copied or not isinstance(error, Amid):
        return min(2 * most, MAX_BATCH_BYTES)
    return max(most // 4, LEAST_BATCH_BYTES)


def _codings(url: str) -> dict[str, str]:
    """Return what asks for batches in fewer bytes, where these take longer than packing them."""
    return {"Accept-Encoding": "identity" if urlsplit(url).hostname in LOOPBACK else "deflate"}


async def read_all(content: aiohttp.StreamReader, most: int) -> bytes:
    """Return a whole body.

    Raises:
        Unavailable: it is over *most* bytes.
    """
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > most:
            raise Unavailable(f"the answer is over {most} bytes")
    return bytes(body)


async def _refusal(answer: aiohttp.ClientResponse) -> LedgerpiError:
    try:
        said = json.loads(await read_all(answer.content, MAX_REFUSAL))
    except (ValueError, RecursionError, Unavailable):
        said = None
    said = said if isinstance(said, dict) else {}
    message = str(said.get("message", f"it answers {answer.status}"))[:500]
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.GONE):
        return Unauthenticated(message)
    if answer.status == HTTPStatus.CONFLICT:
        kind = KINDS.get(str(said.get("reason")))
        return Conflict(message) if kind is None else kind(message, _answer(said))
    return Unavailable(message)


def _answer(said: dict[str, object]) -> bytes:
    """Return the signed answer in a refusal, b"" if there is none."""
    answer = said.get("answer")
    try:
        return bytes.fromhex(answer) if isinstance(answer, str) else b""
    except ValueError:
        return b""
