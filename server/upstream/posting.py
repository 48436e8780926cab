"""Forms for upload that go to another index: one request each, its file read from the disk as it is taken."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from os import PathLike
from typing import NamedTuple, Self

from attrs import frozen

from server.config import Config
from server.executors import in_thread
from server.upstream.client import Credentials, UpstreamClient
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from server.upstream.origins import origin_of

PIECE = 256 << 10  # bytes that are read at once
STALLED_S = 30.0  # without a piece being taken; name, TCP and TLS of the connection count too
ANSWER_S = 120.0  # for an answer, once all was sent
MAX_TEXT = 4_096  # bytes of what an answer says
UNBOUNDED_S = 7 * 86_400.0  # the bounds above count instead


class Part(NamedTuple):
    """The file of a form."""

    filename: str  # ASCII without quotes
    path: PathLike[str]
    size: int  # bytes


@frozen
class Form:
    """Text fields in their order, and a file."""

    fields: Sequence[tuple[str, str]]
    file: Part | None = None


@frozen
class Posted:
    """What the other index answered."""

    status: int
    text: str


class Posting:
    """Posts forms to one URL as one user; made inside a running loop. The password is in no text or log."""

    def __init__(self, client: UpstreamClient, url: str, user: str, password: str) -> None:
        """Post by *client*, which is closed with this.

        Raises:
            UpstreamRefused: *url* is not http or https, or has user and password in it.
        """
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise UpstreamRefused("user and password belong beside the URL, not into it")
        self._client = client
        self._url = url
        self._credentials = Credentials(user, password, origin_of(url))

    @classmethod
    def of(cls, config: Config, url: str, user: str, password: str) -> Self:
        """Return one that connects as the options of a node say; raises as its maker."""
        origin_of(url)
        return cls(UpstreamClient.of(config, UNBOUNDED_S), url, user, password)

    async def post(self, form: Form) -> Posted:
        """Send a form.

        Raises:
            UpstreamFailed: no answer came, or none in time; UpstreamRefused: the address is not allowed.
        """
        boundary = secrets.token_hex(16)
        head, tail = _frame(form, boundary)
        length = len(head) + (form.file.size if form.file else 0) + len(tail)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(length),
            "Accept": "*/*",
        }
        try:
            async with asyncio.timeout(STALLED_S) as patience:
                pieces = _pieces(form, head, tail, patience)
                async with self._client.post(self._url, headers, self._credentials, pieces) as answer:
                    patience.reschedule(asyncio.get_running_loop().time() + STALLED_S)
                    return Posted(answer.status, await _text(answer.body(None)))
        except TimeoutError as error:
            raise UpstreamFailed("no byte was taken or came in time") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _frame(form: Form, boundary: str) -> tuple[bytes, bytes]:
    """Return what comes before and behind the bytes of the file (RFC 7578)."""
    head = bytearray()
    for name, value in form.fields:
        head += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    if form.file is not None:
        named = f'name="content"; filename="{form.file.filename}"'
        head += f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n".encode()
        head += b"Content-Type: application/octet-stream\r\n\r\n"
    line = "\r\n" if form.file is not None else ""
    return bytes(head), f"{line}--{boundary}--\r\n".encode()


async def _pieces(form: Form, head: bytes, tail: bytes, patience: asyncio.Timeout) -> AsyncIterator[bytes]:
    now = asyncio.get_running_loop().time
    yield head
    if form.file is not None:
        file = await in_thread(open, form.file.path, "rb", buffering=0)
        with file:
            while piece := await in_thread(file.read, PIECE):
                patience.reschedule(now() + STALLED_S)
                yield piece
    patience.reschedule(now() + STALLED_S)
    yield tail
    patience.reschedule(now() + ANSWER_S)


async def _text(body: AsyncIterator[bytes]) -> str:
    """Return the beginning of an answer's text."""
    raw = bytearray()
    async for piece in body:
        raw += piece
        if len(raw) >= MAX_TEXT:
            break
    return bytes(raw[:MAX_TEXT]).decode("utf-8", "replace")
