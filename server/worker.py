"""A worker: a process that serves HTTP from read-only snapshots."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

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
from server.config import Config
from server.counts import Counts
from server.directories import Directories
from server.file_cache import FileCache
from server.garbage import look_seldom
from server.http_logs import leave_out_slips
from server.logs import configure_logs
from server.mirrors import Mirrors
from server.news import News
from server.page_cache import PageCache
from server.parts import Parts
from server.sources import Sources
from server.spool import Spool
from server.submit import Submit
from server.wire import death_of_parent, tell_ready

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


async def serve(parts: Parts, parent: int, listening: socket.socket, counts: Counts) -> None:
    """Serve on *listening* until SIGTERM, or until the supervisor's end of the pipe *parent* is closed.

    After SIGTERM requests under way are finished, for the writer is still there. The end of the pipe is the
    supervisor's death: the writer ends too, so this ends at once and leaves what a crash would.
    """
    server = CountedServer(counts, _logged(App(parts).handle) if parts.config.debug else App(parts).handle)
    loop = asyncio.get_running_loop()
    own = tls.of(parts.config)
    acceptor = Acceptor(listening, counts, server, None if own is None else own.context)
    with parts.reader.snapshot() as store:
        has_mirrors = parts.mirrors.are_there(store)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ends = {asyncio.ensure_future(death_of_parent(parent)): DEATH_GRACE_S, asyncio.ensure_future(stop.wait()): GRACE_S}
    if has_mirrors:  # not for longer than the supervisor lives: after its death nobody listens
        await asyncio.wait({asyncio.ensure_future(parts.mirrors.connect()), *ends}, return_when=asyncio.FIRST_COMPLETED)
    look_seldom()
    tell_ready()  # the supervisor reads this
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


def run(make: Callable[[dict[str, Any], str], Parts]) -> None:
    """Run as a child of the supervisor: configuration, pipe, socket, shared counts, number and name are arguments.

    *make* is called inside the loop, with the configuration and the name.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor says when to end, by SIGTERM
    configure_logs()
    leave_out_slips()
    listening = socket.socket(fileno=int(sys.argv[3]))
    listening.settimeout(0)
    counts = Counts(int(sys.argv[4]), int(sys.argv[5]))
    if not sys.stdin.buffer.read():  # the supervisor says when the writer has made all tables; it died instead
        return

    async def made_and_served() -> None:
        await serve(make(json.loads(sys.argv[1]), sys.argv[6]), int(sys.argv[2]), listening, counts)

    uvloop.run(made_and_served())


def main() -> None:
    """Run a worker of a primary."""
    run(lambda config, name: make_parts(Config.of(config), name))


if __name__ == "__main__":
    main()
