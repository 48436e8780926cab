"""A worker: a process that serves HTTP from read-only snapshots."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import structlog
import uvloop
from aiohttp import web

from changelog.blobs import Blobs
from changelog.reader import Reader
from changelog.views import cluster
from server import tls
from server.accept import Acceptor, CountedServer
from server.app import App
from server.auth import Auth
from server.batches import Batches
from server.child import Start
from server.config import Config
from server.directories import Directories
from server.file_cache import FileCache
from server.garbage import look_seldom
from server.http_logs import leave_out_slips
from server.mirrors import Mirrors
from server.news import News
from server.page_cache import PageCache
from server.parts import Parts
from server.sources import Sources
from server.spool import Spool
from server.submit import Submit

GRACE_S = 8.0  # for requests under way at the end
DEATH_GRACE_S = 0.1  # the same after the supervisor's death; 0 would be no limit


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
MakeMirrors = Callable[[Reader, News], Mirrors]

logger = structlog.get_logger()


def make_parts(config: Config, name: str, make_mirrors: MakeMirrors | None = None) -> Parts:
    """Open everything that a primary's worker needs; *name* is that of its spool folder.

    Mirrors are made by *make_mirrors*, None: as a primary's, whose upstreams this node asks.
    """
    layout = config.layout
    reader = Reader(layout.changelog, config.map_size)
    submit = Submit(layout.socket)
    blobs = Blobs(layout.blobs)
    spool = Spool(layout.spool / name)
    spool.clear()
    news = News(reader, submit)
    with reader.snapshot() as store:
        origin = cluster.ORIGIN.get(store, cluster.ONLY)
        primary = cluster.PRIMARY.get(store, cluster.ONLY)
        member = None if primary is None else cluster.MEMBERS.get(store, cluster.member_key(primary.member))
    return Parts(
        config=config,
        reader=reader,
        blobs=blobs,
        submit=submit,
        auth=Auth(reader, submit, config.password_memory_s, administrators=config.restrict_modify),
        sources=Sources(),
        pages=PageCache(layout.pages, config.page_cache),
        files=FileCache(blobs, config.file_cache),
        directories=Directories(blobs),
        spool=spool,
        mirrors=Mirrors(config) if make_mirrors is None else make_mirrors(reader, news),
        news=news,
        batches=Batches(reader),
        member="" if member is None else member.name,
        origin="" if origin is None else origin.origin,
    )


async def serve(parts: Parts, start: Start) -> None:
    """Serve until SIGTERM, or until the supervisor's end of the pipe is closed.

    After SIGTERM requests under way are finished, for the writer is still there. The end of the pipe is the
    supervisor's death: the writer ends too, so this ends at once and leaves what a crash would.
    """
    counts = start.own_counts
    server = CountedServer(counts, _logged(App(parts).handle) if parts.config.debug else App(parts).handle)
    loop = asyncio.get_running_loop()
    own = tls.of(parts.config)
    acceptor = Acceptor(start.listening, counts, server, None if own is None else own.context)
    with parts.reader.snapshot() as store:
        has_mirrors = parts.mirrors.are_there(store)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ends = {asyncio.ensure_future(start.death_of_parent()): DEATH_GRACE_S, asyncio.ensure_future(stop.wait()): GRACE_S}
    if has_mirrors:  # not for longer than the supervisor lives: after its death nobody listens
        await asyncio.wait({asyncio.ensure_future(parts.mirrors.connect()), *ends}, return_when=asyncio.FIRST_COMPLETED)
    look_seldom()
    start.tell_ready()
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await acceptor.close()
    parts.news.close()  # ends the streams of replicas, which come again
    server.pre_shutdown()  # ends the connections that wait for a next request, and so have none under way
    await server.shutdown(min(ends[end] for end in done))
    if own is not None:
        own.close()
    for part in (parts.forward, parts.through):
        if part is not None:
            await part.close()
    close(parts)


def _logged(handle: Handle) -> Handle:
    """Return *handle* with a line in the log for each answer."""

    async def logged(request: web.BaseRequest) -> web.StreamResponse:
        began = time.monotonic()
        answer = await handle(request)
        took = round((time.monotonic() - began) * 1_000, 1)
        logger.debug("request", method=request.method, path=request.path[:200], status=answer.status, ms=took)
        return answer

    return logged


def close(parts: Parts) -> None:
    """End threads, timers and connections."""
    if parts.staleness is not None:
        parts.staleness.close()
    parts.submit.close()
    parts.mirrors.close()
    if parts.fetching is not None:
        parts.fetching.close()
    parts.pages.close()
    parts.files.close()
    parts.spool.close()
    parts.reader.close()


def run(make: Callable[[Start], Parts], start: Start) -> None:
    """Serve what *make*, which is called inside the loop, opens."""
    leave_out_slips()
    start.listening.settimeout(0)
    if not start.may_begin():
        return

    async def made_and_served() -> None:
        await serve(make(start), start)

    uvloop.run(made_and_served())


def main(start: Start) -> None:
    """Run a worker of a primary."""
    run(lambda start: make_parts(start.config, start.name), start)
