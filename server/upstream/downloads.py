"""Fetching files: once however many want one, handed on as they arrive, kept only if they are what they should be."""

import asyncio
import random
from collections.abc import Callable

import structlog
from attrs import frozen

from changelog.errors import LedgerpiError, NotFound, Unavailable
from changelog.events.upstream import MirroredFile
from changelog.names import FileName, ProjectName
from changelog.views import fetched
from server.executors import in_thread
from server.upstream.asking import CALLER, Upstreams, check_found
from server.upstream.breaker import retry_delays
from server.upstream.client import Answer
from server.upstream.download import Download
from server.upstream.ending import end
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from server.upstream.keeping import Kept, adopt, publish
from server.upstream.pages import Pages
from server.upstream.settings import Settings
from server.upstream.sink import Sink
from server.upstream.state import page_key, url_of
from server.upstream_commands import RecordFile, ReportHash

RESUMES = 2  # further tries of a download that breaks off
GONE = (403, 404, 410)  # a signed URL may have run out

logger = structlog.get_logger()


@frozen
class Wanted:
    """A file of a mirror, as its page describes it."""

    settings: Settings
    project: ProjectName
    file: MirroredFile
    sha256: bytes  # that it must have, b"" = nobody knows
    size: int | None  # bytes, that it must have

    @property
    def key(self) -> tuple[int, ProjectName, FileName]:
        """What names the file."""
        return (self.settings.incarnation, self.project, self.file.filename)


class Downloads:
    """The downloads of a node."""

    def __init__(self, upstreams: Upstreams, pages: Pages, on_kept: Callable[[bytes, int], None]) -> None:
        """Ask *upstreams*, and *pages* for new URLs; *on_kept* learns digest and size of each new blob."""
        self._upstreams = upstreams
        self._pages = pages
        self._on_kept = on_kept
        self._running: dict[tuple[int, ProjectName, FileName], Download] = {}
        self._adopting: set[tuple[int, ProjectName, FileName]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, index: int, project: ProjectName, filename: FileName, *, damaged: bool) -> Download:
        """Return the download of a file, begun now unless it is under way, or came to its end since the worker looked.

        One that is there is fetched again if it is *damaged*.

        Raises:
            NotFound: the mirror has no such file.
        """
        running = self._running.get((index, project, filename))
        if running is not None:
            return running
        wanted = self.wanted(index, project, filename)
        there = None if damaged else self._there(wanted)
        if there is not None:
            return there
        sink = Sink(self._upstreams.spool, wanted.file.hashes)
        download = self._running[wanted.key] = Download(None, wanted.size)
        task = asyncio.ensure_future(self._run(wanted, download, sink))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return download

    def wanted(self, index: int, project: ProjectName, filename: FileName) -> Wanted:
        """Return what is known of a file, or raise NotFound."""
        settings = self._upstreams.settings(index)
        with self._upstreams.reader.snapshot() as store:
            file = self._upstreams.mirrored.of(store, index, project).get(filename)
            got = fetched.find(store, index, project, filename) or fetched.NOTHING
            alarm = fetched.alarm(store, index, project, filename)
        if file is None:
            raise NotFound(f"no file {filename} in {settings.name}")
        size = got.size if file.size is None and got.sha256 else file.size
        accepted = alarm.claimed if alarm is not None and alarm.accepted else b""
        return Wanted(settings, project, file, file.sha256 or got.sha256 or accepted, size)

    def _there(self, wanted: Wanted) -> Download | None:
        """Return what stands for a file that is a blob already; whoever serves it checks it."""
        size = wanted.size
        if size is None or not wanted.sha256 or not self._upstreams.blobs.has(wanted.sha256, size):
            return None
        return Download(None, size, size, sha256=wanted.sha256)

    async def _run(self, wanted: Wanted, download: Download, sink: Sink) -> None:
        try:
            await self._fetch(wanted, download, sink)
            await self._check(wanted, sink)
        except LedgerpiError as error:
            logger.warning(
                "file not fetched", index=wanted.settings.name, filename=wanted.file.filename, reason=str(error)
            )
            self._end(wanted, download, sink, error)
        except BaseException:
            self._end(wanted, download, sink, Unavailable(f"{wanted.file.filename} was not fetched"))
            raise
        else:
            download.sha256, download.total, download.held = sink.sha256, sink.size, sink.held
            download.tell()  # before it is durable: whoever waits for the last byte has it now
            await self._keep(wanted, sink)

    def _end(self, wanted: Wanted, download: Download, sink: Sink, error: Exception) -> None:
        self._running.pop(wanted.key, None)
        sink.discard()
        download.error = error
        download.tell()

    async def _fetch(self, wanted: Wanted, download: Download, sink: Sink) -> None:
        """Receive all bytes; what breaks off is gone on with."""
        url, is_new = await self.where(wanted)
        for delay in (*retry_delays(RESUMES, random.random), None):
            try:
                await self._receive(wanted, url, download, sink)
            except UpstreamRefused:
                raise
            except _Gone as gone:
                if is_new or delay is None:
                    raise NotFound(f"upstream no longer has {wanted.file.filename}") from gone
                url, is_new = await self._new_url(wanted), True
            except UpstreamFailed:
                if delay is None or (sink.size and not (wanted.sha256 or sink.expects)):
                    raise  # the rest may be of other bytes, and nothing would tell
                await asyncio.sleep(delay)
            else:
                return

    async def where(self, wanted: Wanted) -> tuple[str, bool]:
        """Return where the file lies, and whether upstream said so right now."""
        if wanted.file.url:
            return wanted.settings.file_url(wanted.project, wanted.file.url), False
        found = self._private_url(wanted)
        return (found, False) if found else (await self._new_url(wanted), True)

    async def _new_url(self, wanted: Wanted) -> str:
        """Ask upstream's page where the file lies now."""
        outcome, reason = await self._pages.refresh(
            wanted.settings.incarnation, wanted.project, known=False, force=True
        )
        file = self.wanted(*wanted.key).file
        url = wanted.settings.file_url(wanted.project, file.url) if file.url else self._private_url(wanted)
        if not url:
            raise UpstreamFailed(f"where {wanted.file.filename} lies is not known: {reason or outcome}")
        return url

    def _private_url(self, wanted: Wanted) -> str:
        settings = wanted.settings
        key = page_key(settings.incarnation, settings.identity, wanted.project)
        with self._upstreams.local.read() as store:
            return url_of(store, key, wanted.file.filename) or ""

    async def _receive(self, wanted: Wanted, url: str, download: Download, sink: Sink) -> None:
        largest = self._upstreams.config.max_request_body_size
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={sink.size}-"} if sink.size else {})
        async with self._upstreams.get(wanted.settings, url, headers, None) as answer:
            if answer.status in GONE:
                raise _Gone(f"upstream answers {answer.status}")
            skip = overlap(answer, sink.size)
            announced = _announced(answer)
            if not sink.size and announced is not None:
                self._check_size(wanted, announced)
                download.total = announced
            async for piece in answer.body(None):
                new = piece[skip:]
                skip -= min(skip, len(piece))
                if sink.size + len(new) > (largest if wanted.size is None else wanted.size):
                    self._check_size(wanted, sink.size + len(new))
                sink.write(new, is_all=not sink.size and len(new) == download.total)
                download.path, download.received = sink.path, sink.size
                download.tell()
            if download.total is not None and sink.size != download.total:
                raise UpstreamFailed(f"ended early: {sink.size} bytes of {download.total}")

    def _check_size(self, wanted: Wanted, size: int) -> None:
        largest = self._upstreams.config.max_request_body_size
        if wanted.size is not None and size != wanted.size:
            raise UpstreamRefused(f"{wanted.file.filename} has {size} bytes or more, not {wanted.size}")
        if size > largest:
            raise UpstreamRefused(f"{wanted.file.filename} has more than {largest} bytes")

    async def _check(self, wanted: Wanted, sink: Sink) -> None:
        """Compare what came with what it should be; nothing else is ever served whole, or kept."""
        sink.finish()
        self._check_size(wanted, sink.size)
        if wanted.sha256 and sink.sha256 != wanted.sha256:
            if not wanted.file.sha256:  # upstream says no digest, but this node had other bytes once
                command = ReportHash(*wanted.key, wanted.sha256, sink.sha256)
                await self._upstreams.submit(CALLER, command)
            raise UpstreamRefused(f"{wanted.file.filename} has SHA-256 {sink.sha256.hex()}, not {wanted.sha256.hex()}")
        wrong = sink.wrong_hash()
        if wrong:
            raise UpstreamRefused(f"{wanted.file.filename} has another {wrong} than upstream says")

    async def _keep(self, wanted: Wanted, sink: Sink) -> None:
        """Make the bytes durable, then the fact; after a crash between them :meth:`adopt` makes up for it."""
        offers, name = wanted.file.core_metadata is not None, wanted.file.filename
        blobs, spool = self._upstreams.blobs, self._upstreams.spool
        try:
            kept = await in_thread(publish, blobs, spool, sink, name, offers_metadata=offers)
            await self._record(wanted, kept)
            self._on_kept(kept.sha256, kept.size)
        except LedgerpiError as error:  # a full disk, a mirror that was deleted meanwhile
            logger.warning("file not kept", filename=name, reason=str(error))
            sink.discard()
        finally:
            self._running.pop(wanted.key, None)

    async def adopt(self, index: int, project: ProjectName, filename: FileName) -> None:
        """Write down a file that is a blob, but not one that this mirror has fetched: another index has it too."""
        wanted = self.wanted(index, project, filename)
        if not wanted.sha256 or wanted.key in self._running or wanted.key in self._adopting:
            return
        offers = wanted.file.core_metadata is not None
        blobs, spool = self._upstreams.blobs, self._upstreams.spool
        self._adopting.add(wanted.key)
        try:
            await self._record(
                wanted, await in_thread(adopt, blobs, spool, wanted.sha256, filename, offers_metadata=offers)
            )
        finally:
            self._adopting.discard(wanted.key)

    async def _record(self, wanted: Wanted, kept: Kept) -> None:
        command = RecordFile(
            index=wanted.settings.incarnation,
            project=wanted.project,
            filename=wanted.file.filename,
            size=kept.size,
            sha256=kept.sha256,
            metadata=kept.metadata,
            completes=not wanted.file.sha256 or wanted.file.size is None or bool(kept.metadata),
        )
        await self._upstreams.submit(CALLER, command, (), kept.contents)

    async def close(self) -> None:
        """End what runs; what arrived so far is left in the spool, which the next start clears."""
        await end(self._tasks)


class _Gone(LedgerpiError):  # noqa: N818 - upstream is well
    """There is nothing at that URL."""


def _announced(answer: Answer) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def overlap(answer: Answer, have: int) -> int:
    """Return how many bytes of the answer's body are here already.

    Raises:
        UpstreamFailed: the answer is no file.
    """
    if answer.status == 206 and have:  # noqa: PLR2004 - Partial Content
        unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
        if unit == "bytes" and rest.partition("-")[0] == str(have):
            return 0
        raise UpstreamFailed("upstream sends another range than was asked for")
    check_found(answer)
    return have
