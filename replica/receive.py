"""Receiving a blob from another node: from where it was cut, and never more than it should have."""

from http import HTTPStatus

import aiohttp
from attrs import frozen

from changelog.errors import LedgerpiError, Unavailable
from replica.tail import Source
from server.upstream.download import Download
from server.upstream.sink import Sink

ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
ELSEWHERE = frozenset(  # the trouble is not with the blob
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class NotThere(Unavailable):
    """The node that is asked first does not have the blob, nor do others that answer."""


class Unreachable(Unavailable):
    """No node tells whether it has the blob: there is no answer, or it is about something else."""


class Cut(Unavailable):
    """The answer ended before its end."""


@frozen
class Wanted:
    """A blob that is to be had."""

    digest: bytes  # SHA-256
    size: int  # bytes, 0 = not said
    largest: int  # bytes, if *size* is not said

    def check_size(self, size: int) -> None:
        """Raise Unavailable if *size* can not be that of the blob."""
        if self.size and size != self.size:
            raise Unavailable(f"has {size} bytes, not {self.size}")
        if not self.size and size > self.largest:
            raise Unavailable(f"has {size} bytes, more than {self.largest}")


async def receive(
    session: aiohttp.ClientSession, source: Source, wanted: Wanted, download: Download, sink: Sink
) -> None:
    """Append the bytes of *wanted* that *sink* has not to it, and tell those who wait for the *download*.

    Raises:
        NotThere: the other node does not have it.
        Unreachable: there was no answer, or no permission.
        Cut: it broke off; what came of it is in the sink.
        Unavailable: the answer is of no use.
        StorageFull: no space.
    """
    headers = {**source.headers, "Accept-Encoding": "identity"}
    if sink.size:
        headers["Range"] = f"bytes={sink.size}-"
    url = f"{source.url}/+blob/{wanted.digest.hex()}"
    kind: type[Unavailable] = Unreachable
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            kind = Cut
            skip, total = _place(answer, sink.size)
            wanted.check_size(total)
            download.total = total
            async for piece in answer.content.iter_any():
                take(piece[skip:], download, sink)
                skip -= min(skip, len(piece))
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise kind(f"{source.url}: {str(error) or type(error).__name__}") from error
    except Unavailable as error:
        raise type(error)(f"{source.url}: {error}") from error
    if sink.size != total:
        raise Cut(f"{source.url}: it ended at {sink.size} of {total} bytes")


def take(piece: bytes, download: Download, sink: Sink) -> None:
    """Append *piece* and tell who waits; raises Unavailable if that is more than the download's total."""
    total = download.total or 0
    if sink.size + len(piece) > total:
        raise Unavailable(f"there are more than {total} bytes")
    if piece:
        sink.write(piece, is_all=not sink.size and len(piece) == total)
        download.path, download.received = sink.path, sink.size
        download.tell()


def _place(answer: aiohttp.ClientResponse, have: int) -> tuple[int, int]:
    """Return how many bytes of the answer's body are here already, and how many the blob has.

    Raises:
        NotThere, Unreachable, Unavailable: the answer is no blob.
    """
    if answer.status in ABSENT:
        raise NotThere("it does not have the file")
    if answer.status in ELSEWHERE:
        raise Unreachable(f"it answers {answer.status}")
    if answer.status == HTTPStatus.OK and answer.content_length is not None:
        return have, answer.content_length
    if answer.status == HTTPStatus.PARTIAL_CONTENT and have:
        unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
        place, _, total = rest.partition("/")
        if unit == "bytes" and place.partition("-")[0] == str(have) and total.isascii() and total.isdigit():
            return 0, int(total[:18])
    raise Unavailable(f"it answers {answer.status}, which is no file")


def summed(failures: list[Unavailable]) -> LedgerpiError:
    """Return what the failures of all nodes together mean, in the order in which they were asked."""
    text = "; ".join(map(str, failures))
    if all(isinstance(failure, Unreachable) for failure in failures):
        return Unreachable(text)
    if isinstance(failures[0], NotThere) and all(isinstance(it, NotThere | Unreachable) for it in failures):
        return NotThere(text)
    return Unavailable(text)
