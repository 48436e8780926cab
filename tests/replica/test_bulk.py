"""Many small files in one answer: what a node sends, and what a replica takes of it."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
import requests
from attrs import frozen

from changelog.blobs import Blobs
from changelog.errors import StorageFull
from changelog.views import digests
from replica import tail
from replica.bulk import Bulk
from replica.named import Named
from replica.receive import Unreachable
from replica.tail import Source
from server.bulk import LENGTH_BYTES, MAX_AT_ONCE, NO_BLOB, SMALL_FILE
from server.spool import Spool
from tests.following import new_token
from tests.http.accounts import fresh
from tests.http.client import wheel
from tests.raw_servers import always, ok, raw_server
from tests.replica.conftest import Pair
from tests.replica.test_receive import SHOWN

FILES = tuple(f"file {number}".encode() * number for number in range(1, 6))
WANTED = tuple(Named(sha256(file).digest(), digests.BLOB, len(file), 1) for file in FILES)
WITHIN_S = 20.0


@pytest.fixture
def token(pair: Pair, tmp_path: Path) -> Path:
    return new_token(pair.primary, tmp_path, fresh())


def asked(pair: Pair, token: Path | None, body: bytes) -> requests.Response:
    """Ask the primary for files."""
    headers = {} if token is None else {"Authorization": f"Bearer {token.read_text().strip()}"}
    url = f"{pair.primary.url}/+blobs"
    return requests.post(url, data=body, headers=headers, timeout=WITHIN_S)


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH_BYTES) + content


def test_files_come_in_the_order_in_which_they_are_asked_for(pair: Pair, token: Path) -> None:
    dists = [wheel(fresh()) for _ in range(20)]
    large = wheel(fresh(), note=os.urandom(SMALL_FILE).hex())
    root = pair.client(pair.primary)
    for dist in (*dists, large):
        assert root.upload("root/other", dist).status_code == 200
    wanted = [bytes.fromhex(dist.sha256) for dist in (*dists, large)]
    answer = asked(pair, token, b"".join([wanted[0], bytes(32), *wanted[1:]]))
    expected = [framed(dists[0].content), NO_BLOB, *(framed(dist.content) for dist in dists[1:]), NO_BLOB]
    assert answer.content == b"".join(expected)


@pytest.mark.parametrize("body", [b"", b"x", bytes(33), bytes(32 * MAX_AT_ONCE + 32)])
def test_other_bodies_are_refused(pair: Pair, token: Path, body: bytes) -> None:
    assert asked(pair, token, body).status_code in (400, 413)


def test_nobody_else_may_ask(pair: Pair) -> None:
    assert asked(pair, None, bytes(32)).status_code == 401


@frozen
class Fetching:
    """What fetches into a folder."""

    blobs: Blobs
    spool: Spool
    kept: list[tuple[bytes, int]]

    async def fetch(self, answer: bytes, wanted: Sequence[Named] = WANTED, *, close: bool = False) -> frozenset[bytes]:
        """Fetch *wanted* from a node that answers so."""
        async with raw_server(always(answer, close=close)) as server, tail.open_session() as session:
            bulk = Bulk(session, lambda: [Source(server.url, SHOWN)], self.blobs, self.spool, self.note)
            try:
                return await bulk.fetch(wanted)
            finally:
                bulk.close()

    def note(self, kept: Sequence[tuple[bytes, int]]) -> None:
        self.kept.extend(kept)

    def here(self) -> list[bytes]:
        """Return those of the files that are blobs."""
        return [named.digest for named in WANTED if self.blobs.has(named.digest, named.size)]


@pytest.fixture
async def fetching(tmp_path: Path) -> AsyncIterator[Fetching]:
    blobs = Blobs(tmp_path / "blobs")
    blobs.create()
    spool = Spool(tmp_path / "spool")
    yield Fetching(blobs, spool, [])
    assert not (tmp_path / "spool").exists() or not list((tmp_path / "spool").iterdir())
    await asyncio.to_thread(spool.close)


async def test_what_comes_is_kept(fetching: Fetching) -> None:
    found = await fetching.fetch(ok(b"".join(map(framed, FILES))))
    assert sorted(found) == sorted(fetching.here()) == sorted(named.digest for named in WANTED)
    assert fetching.kept == [(named.digest, named.size) for named in WANTED]


async def test_files_are_on_the_disk_before_they_have_names_and_the_names_after(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = list[str]()
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        fsync(descriptor)
        steps.append("folder" if path.is_dir() else "file")

    def renamed(source: Path, target: str) -> None:
        replace(source, target)
        steps.append("name")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    await fetching.fetch(ok(b"".join(map(framed, FILES))))
    folders = {named.digest[0] for named in WANTED}
    assert steps == ["file"] * len(FILES) + ["name"] * len(FILES) + ["folder"] * len(folders)


async def test_nothing_is_left_of_files_for_which_there_is_no_space(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count()

    def full(_: int) -> None:
        if next(calls) == 2:  # neither the first nor the last
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        await fetching.fetch(ok(b"".join(map(framed, FILES))))
    assert fetching.here() == []
    assert fetching.kept == []


async def test_absent_and_other_bytes_are_left_out(fetching: Fetching) -> None:
    other = bytes(len(FILES[1]))
    found = await fetching.fetch(ok(b"".join([NO_BLOB, framed(other), *map(framed, FILES[2:])])))
    assert sorted(found) == sorted(fetching.here()) == sorted(named.digest for named in WANTED[2:])


async def test_what_came_before_a_cut_is_kept(fetching: Fetching) -> None:
    whole = ok(b"".join(map(framed, FILES)))
    found = await fetching.fetch(whole[:-3], close=True)
    assert sorted(found) == sorted(fetching.here()) == sorted(named.digest for named in WANTED[:-1])


async def test_a_length_that_can_not_be_ends_it(fetching: Fetching) -> None:
    found = await fetching.fetch(ok(framed(FILES[0]) + b"\x7f\xff\xff\xff" + bytes(100)))
    assert found == frozenset({WANTED[0].digest})


@pytest.mark.parametrize("status", ["404 Not Found", "405 Not Allowed", "500 Broken"])
async def test_a_node_that_answers_otherwise_is_asked_for_each_alone(fetching: Fetching, status: str) -> None:
    assert await fetching.fetch(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()) == frozenset()


async def test_without_an_answer_nobody_is_there(fetching: Fetching) -> None:
    with pytest.raises(Unreachable):
        await fetching.fetch(b"", close=True)
