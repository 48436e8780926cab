"""The one process of a node that asks upstreams: each page and file is asked for once, and none holds up a worker."""

import asyncio

import structlog

from changelog.blobs import Blobs
from changelog.errors import LedgerpiError, NotFound, Unavailable
from changelog.names import FileName, ProjectName
from changelog.reader import Reader
from server.child import Start
from server.config import Config
from server.connection import Connection
from server.executors import in_thread
from server.garbage import look_seldom
from server.process import run
from server.spool import Spool
from server.submit import Submit
from server.upstream.asking import Upstreams
from server.upstream.cache import Cache
from server.upstream.client import UpstreamClient
from server.upstream.documents import Documents
from server.upstream.download import hand_on
from server.upstream.downloads import Downloads
from server.upstream.ending import end
from server.upstream.failures import UpstreamFailed
from server.upstream.lists import Lists
from server.upstream.pages import Pages
from server.upstream.state import LocalState
from server.wire import Frame, error_frame, framed

TIDY_EVERY_S = 3_600.0

logger = structlog.get_logger()


class UpstreamService:
    """Answers the workers."""

    def __init__(self, upstreams: Upstreams) -> None:
        """Ask *upstreams*."""
        self._upstreams = upstreams
        self.cache = Cache(upstreams)
        self._pages = Pages(upstreams)
        self.downloads = Downloads(upstreams, self._pages, self.cache.added)
        self._documents = Documents(upstreams, self.downloads)
        self._lists = Lists(upstreams)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends = False

    def take(self, connection: Connection, message: Frame) -> None:
        """Begin to answer *message*; at the end nobody is asked any more, and workers see the connection close."""
        if self._ends:
            return
        number, kind, *items = message
        task = asyncio.ensure_future(self._answer(connection, number, kind, items))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, number: int, kind: str, items: list[object]) -> None:
        try:
            answer = await self._answered(connection, number, kind, items)
        except UpstreamFailed as failed:
            connection.send(error_frame(number, Unavailable(failed.reason)))
        except LedgerpiError as error:
            connection.send(error_frame(number, error))
        except Exception:
            connection.send(error_frame(number, Unavailable("upstream could not be asked")))
            logger.exception("question not answered", kind=kind)
        else:
            connection.send(framed(number, "ok", *answer))

    async def _answered(
        self, connection: Connection, number: int, kind: str, items: list[object]
    ) -> tuple[object, ...]:
        if kind == "used":
            self.cache.used(items[0])  # type: ignore[arg-type] # as the workers send it
            return ()
        index = int(str(items[0]))
        if kind == "list":
            return await self._lists.refresh(index, known=bool(items[1]))
        project = ProjectName(str(items[1]))
        if kind == "page":
            return await self._pages.refresh(index, project, known=bool(items[2]), force=bool(items[3]))
        filename = FileName(str(items[2]))
        if kind == "adopt":
            await self.downloads.adopt(index, project, filename)
            return ()
        if kind == "metadata":
            return (await self._documents.get(index, project, filename),)
        if kind == "file":
            download = self.downloads.begin(index, project, filename, damaged=bool(items[3]))
            return await hand_on(connection, number, download)
        raise NotFound(f"no such message: {kind}")

    async def close(self) -> None:
        """End what runs."""
        self._ends = True
        await end(self._tasks)
        for part in (self.downloads, self._documents, self._pages, self._lists):
            await part.close()
        self.cache.close()


def make_upstreams(config: Config) -> Upstreams:
    """Open everything that asking upstreams needs; made inside a running loop."""
    layout = config.layout
    spool = Spool(layout.spool / "upstream")
    spool.clear()
    return Upstreams(
        config=config,
        reader=Reader(layout.changelog, config.map_size),
        submit=Submit(layout.socket),
        blobs=Blobs(layout.blobs),
        spool=spool,
        local=LocalState(layout.local, readonly=False),
        client=UpstreamClient.of(config),
        file_client=UpstreamClient.of(config),
    )


async def serve(start: Start) -> None:
    """Answer until the supervisor says that this is to end, or dies."""
    start.listening.settimeout(0)
    upstreams = make_upstreams(start.config)
    service = UpstreamService(upstreams)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Connection(service), sock=start.listening)
    look_seldom()
    start.tell_ready()
    await service.cache.start()
    tidying = asyncio.ensure_future(_tidy(upstreams.local))
    await start.death_of_parent()
    tidying.cancel()
    server.close()
    await service.close()
    await upstreams.client.close()
    await upstreams.file_client.close()
    upstreams.submit.close()
    upstreams.spool.close()
    upstreams.local.close()
    upstreams.reader.close()


async def _tidy(local: LocalState) -> None:
    """Tidy up now and every hour."""
    while True:
        await in_thread(local.tidy)
        await asyncio.sleep(TIDY_EVERY_S)


def main(start: Start) -> None:
    """Run the process."""
    run(serve, start)
