"""The one process of a replica that fetches files: each is fetched once, however many workers and clients want it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

import aiohttp
import structlog
from attrs import frozen

from changelog.blobs import Blobs
from changelog.env import translated
from changelog.errors import LedgerpiError, NotFound, Unavailable
from changelog.reader import Reader
from changelog.views import digests
from replica import credentials, files, tail
from replica.acknowledge import Acknowledger
from replica.backlog import Backlog
from replica.bulk import Bulk
from replica.config import LAZY, ReplicaConfig, config_of
from replica.credentials import Credentials
from replica.eager import Eager
from replica.fetches import Fetches
from replica.files import FilesStanding
from replica.follow import candidates
from replica.membership import Membership
from replica.named import Selection
from replica.tail import Source
from replica.third_source import ThirdSource
from server import keys, roles
from server.child import Start
from server.connection import Connection
from server.garbage import look_seldom
from server.news import News
from server.process import run
from server.spool import Spool
from server.submit import Submit
from server.upstream.cache import Cache
from server.upstream.download import hand_on
from server.upstream.ending import end
from server.upstream.state import LocalState
from server.wire import Frame, error_frame, framed, listen

TELL_EVERY_S = 0.5  # how it is doing, if that changed

logger = structlog.get_logger()


class FetchService:
    """Answers the workers."""

    def __init__(self, fetches: Fetches, cache: Cache) -> None:
        """Have *fetches* fetch what they ask for, and *cache* note what they use."""
        self._fetches = fetches
        self._cache = cache
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: Connection, message: Frame) -> None:
        """Begin to answer *message*."""
        number, kind, *items = message
        task = asyncio.ensure_future(self._answer(connection, number, kind, items))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, number: int, kind: str, items: list[object]) -> None:
        try:
            answer = await self._answered(connection, number, kind, items)
        except Unavailable as error:
            connection.send(error_frame(number, Unavailable(str(error))))  # without the kinds that are known here only
        except LedgerpiError as error:
            connection.send(error_frame(number, error))
        except Exception:
            connection.send(error_frame(number, Unavailable("the file could not be fetched")))
            logger.exception("question not answered", kind=kind)
        else:
            connection.send(framed(number, "ok", *answer))

    async def _answered(
        self, connection: Connection, number: int, kind: str, items: list[object]
    ) -> tuple[object, ...]:
        if kind == "used":
            self._cache.used(items[0])  # type: ignore[arg-type] # as the workers send it
            return ()
        digest, size, damaged = bytes(items[0]), int(items[1]), bool(items[2])  # type: ignore[call-overload] # as sent
        if kind == "file":
            return await hand_on(connection, number, self._fetches.begin(digest, size, damaged=damaged))
        if kind == "whole":
            await self._fetches.whole(digest, size, damaged=damaged)
            return ()
        raise NotFound(f"no such message: {kind}")

    async def close(self) -> None:
        """End what runs."""
        await end(self._tasks)


@frozen
class FetchParts:
    """Everything that fetching needs."""

    config: ReplicaConfig
    reader: Reader
    submit: Submit
    blobs: Blobs
    spool: Spool
    local: LocalState

    def close(self) -> None:
        """End threads and connections."""
        self.submit.close()
        self.spool.close()
        self.local.close()
        self.reader.close()


def make_parts(config: ReplicaConfig) -> FetchParts:
    """Open everything; made inside a running loop."""
    layout = config.layout
    spool = Spool(layout.spool / "fetch")
    spool.clear()
    reader = Reader(layout.changelog, config.map_size)
    local = LocalState(layout.local, readonly=False)
    return FetchParts(config, reader, Submit(layout.socket), Blobs(layout.blobs), spool, local)


async def serve(start: Start) -> None:
    """Answer and fetch until the supervisor says that this is to end, or dies."""
    config = config_of(start)
    parts = make_parts(config)
    async with AsyncExitStack() as at_end:
        at_end.callback(parts.close)
        session = await at_end.enter_async_context(tail.open_session(config.primary_ca_file))
        cache = Cache(parts)
        at_end.callback(cache.close)
        shown = credentials.read(config.layout, parts.reader)
        sources = partial(_sources, parts, shown)
        third = ThirdSource(config, parts.reader)
        at_end.push_async_callback(third.close)
        on_kept = partial(keep_to_budget, parts, cache)
        fetches = Fetches(config, parts.blobs, parts.spool, session, sources, third, on_kept)
        at_end.push_async_callback(fetches.close)
        bulk = Bulk(session, sources, parts.blobs, parts.spool, on_kept)
        at_end.callback(bulk.close)
        service = FetchService(fetches, cache)
        at_end.push_async_callback(service.close)
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Connection(service), sock=listen(config.fetch_socket))
        at_end.callback(server.close)
        look_seldom()
        start.tell_ready()
        await cache.start()
        work = asyncio.ensure_future(_work(parts, fetches, bulk, session, shown))
        ends = asyncio.ensure_future(start.death_of_parent())
        await asyncio.wait({work, ends}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()  # it never ends but by a bug: the supervisor starts another process
        await end([work])


def keep_to_budget(parts: FetchParts, cache: Cache, kept: Sequence[tuple[bytes, int]]) -> None:
    """Tell *cache* of new blobs that may be removed again; raises StorageFull if one can not be noted."""
    with parts.reader.snapshot() as store:
        removable = [(digest, size) for digest, size in kept if not digests.is_required(store, digest)]
    for digest, size in removable:
        with translated(parts.config.layout.local):
            cache.added(digest, size)


def _sources(parts: FetchParts, shown: Credentials) -> list[Source]:
    with parts.reader.snapshot() as store:
        members = credentials.urls(store, shown.node_key)
    return [Source(url, shown) for url in candidates(parts.config, members)]


async def _work(
    parts: FetchParts, fetches: Fetches, bulk: Bulk, session: aiohttp.ClientSession, shown: Credentials
) -> None:
    """Fetch what is to be here before anybody asks, and tell how that goes, other members too."""
    config = parts.config
    eager: Eager | None = None
    news = News(parts.reader, parts.submit)
    async with AsyncExitStack() as at_end, asyncio.TaskGroup() as group:
        if LAZY not in config.files:
            # under a budget files of mirrors come when they are wanted: all of them would push each other out
            selection = Selection(config.files, cached=not config.mirror_cache_size)
            with parts.reader.snapshot() as store:
                backlog = Backlog(config.backlog, selection.key, store)
            at_end.callback(backlog.close)
            eager = Eager(fetches, bulk, backlog, selection, parts.reader, parts.blobs)
            group.create_task(eager.run(news))
        at_end.callback(news.close)
        with parts.reader.snapshot() as store:
            role = roles.of(store, keys.public(shown.node_key))
        if role == roles.REPLICA:  # a primary fetches what it had yet to fetch when it took over
            member = Membership(config, parts.reader, session, shown)
            group.create_task(Acknowledger(member, news, eager).run())
        group.create_task(_tell(config, fetches, eager))


async def _tell(config: ReplicaConfig, fetches: Fetches, eager: Eager | None) -> None:
    """Write down how it goes, for the status page."""
    told = None
    while True:
        counts = {} if eager is None else eager.standing
        now = FilesStanding(config.files, **counts, reasons=files.reasons(fetches.failed))
        if now != told:
            with suppress(OSError):  # no space: the page says what was before
                files.write(config.files_file, now)
                told = now
        await asyncio.sleep(TELL_EVERY_S)


def main(start: Start) -> None:
    """Run the process."""
    run(serve, start)
