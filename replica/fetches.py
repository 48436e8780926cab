"""Fetching blobs from other nodes: each once however many want it, kept only if it is what its name says."""

import asyncio
import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

import aiohttp
import structlog
from attrs import frozen

from changelog.blobs import Blobs
from changelog.errors import LedgerpiError, Unavailable
from replica.config import ReplicaConfig
from replica.receive import Cut, NotThere, Unreachable, Wanted, receive, summed
from replica.tail import Source
from replica.third_source import ThirdSource
from server.executors import in_thread
from server.spool import Spool, full_disk_named
from server.upstream.breaker import retry_delays
from server.upstream.download import Download
from server.upstream.ending import end
from server.upstream.sink import Sink

UPSTREAM = "upstream"  # of a mirror, where it is blamed for other bytes
RESUMES = 2  # further tries at one node after the last one that brought something
MAX_FAILED = 1_000  # blobs whose last failure is remembered
MAX_BLAMED = 10_000

logger = structlog.get_logger()


@frozen
class _Fetch:
    """A fetch under way."""

    download: Download
    task: "asyncio.Task[None]"  # ends when the blob is durable


class Fetches:
    """The fetches of a node; all bytes that come are checked before they are a blob or served whole."""

    def __init__(  # noqa: PLR0913, PLR0917 - what fetching needs
        self,
        config: ReplicaConfig,
        blobs: Blobs,
        spool: Spool,
        session: aiohttp.ClientSession,
        sources: Callable[[], list[Source]],
        third: ThirdSource,
        on_kept: Callable[[Sequence[tuple[bytes, int]]], None],
    ) -> None:
        """Ask *sources* in turn with *session*, then the *third* one.

        *on_kept* learns digests and sizes of new blobs.
        """
        self._on_kept = on_kept
        self._config = config
        self._sources = sources
        self._third = third
        self._blobs = blobs
        self._spool = spool
        self._session = session
        self._running: dict[bytes, _Fetch] = {}
        self._blamed: Counter[tuple[bytes, str]] = Counter()  # digest and node that sent other bytes
        self.failed: OrderedDict[bytes, str] = OrderedDict()  # digest, and why it could not be had

    def begin(self, digest: bytes, size: int, *, damaged: bool, from_nodes: bool = False) -> Download:
        """Return the fetch of a blob, begun now unless it is under way, or the blob is here.

        *size* 0 = not known. One that is here is fetched again if it is *damaged*. Only *from_nodes*: no upstream is
        asked for what they do not have.
        """
        running = self._running.get(digest)
        if running is not None:
            return running.download
        if not damaged and self._blobs.has(digest, size or None):
            there = self._blobs.path(digest).stat().st_size
            return Download(None, there, there, sha256=digest)
        download = Download(None, size or None)
        wanted = Wanted(digest, size, self._config.max_request_body_size)
        task = asyncio.ensure_future(self._run(wanted, download, Sink(self._spool, ()), from_nodes=from_nodes))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may have no reader
        self._running[digest] = _Fetch(download, task)
        return download

    async def whole(self, digest: bytes, size: int, *, damaged: bool, from_nodes: bool = False) -> None:
        """Return when the blob is here, durable; parameters as of :meth:`begin`.

        Raises:
            NotThere, Unreachable, Unavailable: it can not be had.
            StorageFull: no space for it.
        """
        self.begin(digest, size, damaged=damaged, from_nodes=from_nodes)
        running = self._running.get(digest)
        if running is not None:
            await asyncio.shield(running.task)  # who leaves does not end it for the others

    async def _run(self, wanted: Wanted, download: Download, sink: Sink, *, from_nodes: bool) -> None:
        try:
            await self._fetch(wanted, download, sink, from_nodes=from_nodes)
            download.sha256, download.total, download.held = sink.sha256, sink.size, sink.held
            download.tell()  # before it is durable: whoever waits for the last byte has it now
            await in_thread(self._publish, sink)
            self.failed.pop(wanted.digest, None)
            self._on_kept([(sink.sha256, sink.size)])
        except BaseException as error:
            sink.discard()
            if isinstance(error, LedgerpiError):
                self._note(wanted.digest, error)
            download.error = error if isinstance(error, LedgerpiError) else Unavailable("the fetch was ended")
            download.tell()
            raise
        finally:
            self._running.pop(wanted.digest, None)

    def _note(self, digest: bytes, error: LedgerpiError) -> None:
        reason = str(error)
        if self.failed.get(digest) != reason:
            logger.warning("file not fetched", sha256=digest.hex(), reason=reason)
        self.failed[digest] = reason
        self.failed.move_to_end(digest)
        if len(self.failed) > MAX_FAILED:
            self.failed.popitem(last=False)

    async def _fetch(self, wanted: Wanted, download: Download, sink: Sink, *, from_nodes: bool) -> None:
        """Receive all bytes, from one node or from several, and check them."""
        failures: list[Unavailable] = []
        senders: list[str] = []
        for source in sorted(self._sources(), key=lambda source: self._blamed[wanted.digest, source.url]):
            before = sink.size
            try:
                await self._receive(source, wanted, download, sink)
            except Unavailable as error:
                failures.append(error)
                senders += [source.url] if sink.size > before else []
            else:
                self._check(wanted, sink, [*senders, source.url])
                return
        if from_nodes:
            raise summed(failures)
        try:
            await self._third.receive(wanted, download, sink)
        except NotThere:
            raise summed(failures) from None
        except Unavailable as error:
            raise summed([*failures, error]) from error
        self._check(wanted, sink, [*senders, UPSTREAM])

    async def _receive(self, source: Source, wanted: Wanted, download: Download, sink: Sink) -> None:
        """Receive the rest from one node; what breaks off is gone on with as long as more comes."""
        delays = retry_delays(RESUMES, random.random)
        while True:
            before = sink.size
            try:
                await receive(self._session, source, wanted, download, sink)
            except Unavailable as error:
                if sink.size > before:
                    delays = retry_delays(RESUMES, random.random)
                may_go_on = isinstance(error, Cut) or (isinstance(error, Unreachable) and sink.size)
                if not delays or not may_go_on:
                    raise
            else:
                return
            await asyncio.sleep(delays.pop(0))

    def _check(self, wanted: Wanted, sink: Sink, senders: list[str]) -> None:
        """Raise Unavailable if other bytes came; who sent them is asked last from now on."""
        sink.finish()
        if sink.sha256 == wanted.digest:
            return
        if len(self._blamed) > MAX_BLAMED:
            self._blamed.clear()
        self._blamed.update((wanted.digest, url) for url in senders)
        raise Unavailable(f"{', '.join(senders)}: other bytes came, with SHA-256 {sink.sha256.hex()}")

    def _publish(self, sink: Sink) -> None:
        try:
            with full_disk_named():
                self._blobs.publish(sink.store(), sink.sha256)
        except OSError as error:
            raise Unavailable(f"it can not be stored: {error.strerror}") from error
        sink.discard()  # closes it

    async def close(self) -> None:
        """End what runs."""
        await end([fetch.task for fetch in self._running.values()])
