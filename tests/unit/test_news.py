"""News of commits: who waits is woken, by the commit or by the clock, and none is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from changelog.errors import OutcomeUnknown
from changelog.events.users import UserCreated
from changelog.names import UserName
from changelog.reader import Reader
from changelog.records import NONE
from server.connection import Connection
from server.news import News
from server.submit import Submit
from server.wire import PART, Frame, framed, listen
from tests.nodes import Node, node

PATIENCE_S = 20.0
SHORT_S = 0.05


class Writer:
    """Commits, and tells those who watch."""

    def __init__(self, opened: Node) -> None:
        self._node = opened
        self.watching: list[tuple[Connection, int]] = []
        self.watched = asyncio.Event()

    def take(self, connection: Connection, message: Frame) -> None:
        assert message[1] == "watch"
        self.watching.append((connection, message[0]))
        self.watched.set()
        self.tell()

    @property
    def size(self) -> int:
        return len(self._node.entries())

    def commit(self, *, tells: bool = True) -> int:
        self._node.commit(UserCreated(UserName(f"u{self.size}"), NONE))
        if tells:
            self.tell()
        return self.size

    def tell(self) -> None:
        for connection, number in self.watching:
            connection.send(framed(number, PART, self.size))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "node") as made:
        yield made


@asynccontextmanager
async def watched(opened: Node) -> AsyncIterator[tuple[Writer, News]]:
    """Run a writer, and News of it in the reader of this process."""
    writer = Writer(opened)
    path = opened.folder / "writer.sock"
    server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(writer), sock=listen(path))
    submit = Submit(path)
    news = News(_Reading(opened), submit)
    try:
        yield writer, news
    finally:
        news.close()
        submit.close()
        server.close()


class _Reading(Reader):
    """Reads through the environment that is open already: a process opens a folder once."""

    def __init__(self, opened: Node) -> None:
        self._env = opened.env


async def test_what_is_there_is_not_waited_for(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        assert await news.beyond(writer.size - 1, 0)
        assert await news.beyond(0, -1)


async def test_what_does_not_come_is_waited_for_as_long_as_was_said(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        began = asyncio.get_running_loop().time()
        assert not await news.beyond(writer.size, SHORT_S)
        assert asyncio.get_running_loop().time() - began > SHORT_S * 0.9  # the loop counts milliseconds
        assert not await news.beyond(writer.size, -1)


async def test_all_who_wait_are_woken_by_the_commit_that_they_wait_for(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        size = writer.size
        waiting = [asyncio.ensure_future(news.beyond(size + more, PATIENCE_S)) for more in (0, 0, 1)]
        await asyncio.wait_for(writer.watched.wait(), PATIENCE_S)
        writer.commit()
        assert await waiting[0]
        assert await waiting[1]
        assert not waiting[2].done()
        writer.commit()
        assert await waiting[2]


async def test_a_commit_that_nobody_told_of_is_seen_at_the_end(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        waiting = asyncio.ensure_future(news.beyond(writer.size, 0.3))
        await asyncio.wait_for(writer.watched.wait(), PATIENCE_S)
        writer.commit(tells=False)
        assert await waiting


async def test_who_stops_waiting_is_forgotten(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        waiting = asyncio.ensure_future(news.beyond(writer.size, PATIENCE_S))
        await asyncio.wait_for(writer.watched.wait(), PATIENCE_S)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not news._waiting  # noqa: SLF001 - nothing else shows it


async def test_a_writer_that_begins_again_is_watched_again(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        waiting = asyncio.ensure_future(news.beyond(writer.size, PATIENCE_S))
        await asyncio.wait_for(writer.watched.wait(), PATIENCE_S)
        connection, _ = writer.watching.pop()
        writer.commit()  # while nobody is told
        assert connection._transport is not None  # noqa: SLF001 - to cut it
        connection._transport.abort()  # noqa: SLF001
        assert await waiting


async def test_the_end_of_the_process_sends_all_away(opened: Node) -> None:
    async with watched(opened) as (writer, news):
        waiting = asyncio.ensure_future(news.beyond(writer.size, PATIENCE_S))
        await asyncio.wait_for(writer.watched.wait(), PATIENCE_S)
        news.close()
        with pytest.raises(OutcomeUnknown):
            await waiting
        with pytest.raises(OutcomeUnknown):
            await news.beyond(0, PATIENCE_S)
