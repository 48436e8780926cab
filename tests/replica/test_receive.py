"""What is received of a blob, and which answers are none."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.errors import Unavailable
from replica import tail
from replica.credentials import Credentials
from replica.receive import Cut, NotThere, Unreachable, Wanted, receive, summed
from replica.tail import Source
from server.spool import Spool
from server.upstream.download import Download
from server.upstream.sink import Sink
from tests.raw_servers import always, ok, raw_server

CONTENT = bytes(range(256)) * 4
HALF = len(CONTENT) // 2
WANTED = Wanted(sha256(CONTENT).digest(), len(CONTENT), 1 << 20)
TOKEN = "lrt-secret"
TOTAL = len(CONTENT)
SHOWN = Credentials("x", "ledgerpi/test", b"", None, 0, TOKEN, (), Ed25519PrivateKey.generate())


@frozen
class Receiving:
    """A sink, and what receives into it."""

    sink: Sink
    download: Download

    async def receive(self, answer: bytes, wanted: Wanted = WANTED, *, close: bool = False) -> list[bytes]:
        """Receive what a node answers, and return what it was asked."""
        async with raw_server(always(answer, close=close)) as server, tail.open_session() as session:
            await receive(session, Source(server.url, SHOWN), wanted, self.download, self.sink)
            return server.requests

    @property
    def received(self) -> bytes:
        return self.sink.store().read_bytes()


@pytest.fixture
async def receiving(tmp_path: Path) -> AsyncIterator[Receiving]:
    spool = Spool(tmp_path / "spool")
    sink = Sink(spool, ())
    yield Receiving(sink, Download(None))
    sink.discard()
    await asyncio.to_thread(spool.close)


def partial(start: int, total: str = str(TOTAL)) -> bytes:
    body = CONTENT[start:]
    head = (
        f"HTTP/1.1 206 Part\r\nContent-Length: {len(body)}\r\nContent-Range: bytes {start}-{TOTAL - 1}/{total}\r\n\r\n"
    )
    return head.encode() + body


def status(line: str) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: 0\r\nLocation: /\r\n\r\n".encode()


async def test_a_whole_answer_is_the_blob(receiving: Receiving) -> None:
    (asked,) = await receiving.receive(ok(CONTENT))
    assert f"GET /+blob/{WANTED.digest.hex()} HTTP/1.1".encode() in asked
    assert f"Authorization: Bearer {TOKEN}".encode() in asked
    assert receiving.received == CONTENT
    assert receiving.download.total == TOTAL


async def test_an_answer_that_breaks_off_is_cut(receiving: Receiving) -> None:
    with pytest.raises(Cut):
        await receiving.receive(ok(CONTENT)[:-HALF], close=True)
    assert receiving.sink.size <= HALF


@pytest.mark.parametrize("rest", [partial(HALF), ok(CONTENT)], ids=["the rest", "all again"])
async def test_what_was_cut_is_completed(receiving: Receiving, rest: bytes) -> None:
    receiving.sink.write(CONTENT[:HALF], is_all=False)
    (asked,) = await receiving.receive(rest)
    assert f"Range: bytes={HALF}-".encode() in asked
    assert receiving.received == CONTENT


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (status("404 Not Found"), NotThere),
        (status("410 Gone"), NotThere),
        (status("401 Unauthorized"), Unreachable),
        (status("503 Wait"), Unreachable),
        (status("500 Oops"), Unavailable),
        (status("302 Found"), Unavailable),
        (ok(CONTENT + b"x"), Unavailable),
        (ok(CONTENT[:-1]), Unavailable),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", Unavailable),
        (partial(HALF), Unavailable),
        (b"nonsense\r\n\r\n", Unreachable),
        (b"", Unreachable),
    ],
)
async def test_other_answers_are_no_blob(receiving: Receiving, answer: bytes, kind: type[Unavailable]) -> None:
    with pytest.raises(Unavailable) as raised:
        await receiving.receive(answer, close=True)
    assert type(raised.value) is kind
    assert receiving.sink.size == 0
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("answer", [partial(HALF + 1), partial(HALF, "*"), partial(HALF, str(TOTAL + 1))])
async def test_another_part_than_the_rest_is_refused(receiving: Receiving, answer: bytes) -> None:
    receiving.sink.write(CONTENT[:HALF], is_all=False)
    with pytest.raises(Unavailable):
        await receiving.receive(answer)
    assert receiving.sink.size == HALF


async def test_a_blob_of_unknown_size_has_a_bound(receiving: Receiving) -> None:
    with pytest.raises(Unavailable, match="more than 100"):
        await receiving.receive(ok(CONTENT), Wanted(WANTED.digest, 0, 100))
    await receiving.receive(ok(CONTENT), Wanted(WANTED.digest, 0, TOTAL))
    assert receiving.received == CONTENT


def test_a_blob_is_absent_only_by_the_word_of_who_is_asked_first() -> None:
    absent, silent, bad = NotThere("absent"), Unreachable("silent"), Unavailable("bad")
    kinds = {
        (absent,): NotThere,
        (absent, silent): NotThere,
        (absent, absent): NotThere,
        (silent, absent): Unavailable,
        (absent, bad): Unavailable,
        (silent, silent): Unreachable,
    }
    assert {given: type(summed(list(given))) for given in kinds} == kinds
    assert str(summed([absent, silent])) == "absent; silent"
