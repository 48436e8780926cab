"""Fetching many small files by one request: what a copy of a whole index consists of."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import aiohttp

from changelog.blobs import Blobs
from replica.named import Named
from replica.receive import Unreachable
from replica.tail import Source
from server.bulk import LENGTH_BYTES, MAX_AT_ONCE, NO_BLOB, SMALL_FILE
from server.executors import in_thread
from server.spool import Spool, full_disk_named

FEWEST = 4  # files that are worth it
THREADS = 8  # that wait for the disk

T = TypeVar("T")


class Bulk:
    """Fetches from the node that is asked first; what does not come so is fetched alone."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        sources: Callable[[], list[Source]],
        blobs: Blobs,
        spool: Spool,
        on_kept: Callable[[Sequence[tuple[bytes, int]]], None],
    ) -> None:
        """Ask the first of *sources* over *session*; *on_kept* learns digests and sizes of new blobs."""
        self._session = session
        self._sources = sources
        self._blobs = blobs
        self._spool = spool
        self._on_kept = on_kept
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="syncs")

    def takes(self, named: Named) -> bool:
        """Return whether a file may come in an answer with others."""
        return 0 < named.size <= SMALL_FILE

    async def fetch(self, wanted: Sequence[Named]) -> frozenset[bytes]:
        """Return the digests of those of *wanted*, at most MAX_AT_ONCE, that are here now, durable.

        Raises:
            Unreachable: there was no answer, or it ended before the first of them.
            StorageFull: no space for them.
        """
        sources, found = self._sources(), list[tuple[bytes, bytes]]()
        if not sources:
            raise Unreachable("nobody is there to ask")
        try:
            await self._receive(sources[0], wanted, found)
        except (TimeoutError, aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            if not found:
                raise Unreachable(f"{sources[0].url}: {str(error) or type(error).__name__}") from error
        if not found:
            return frozenset()
        await in_thread(self._keep, found)
        self._on_kept([(digest, len(content)) for digest, content in found])
        return frozenset(digest for digest, _ in found)

    async def _receive(self, source: Source, wanted: Sequence[Named], found: list[tuple[bytes, bytes]]) -> None:
        """Append what comes and is what it should be, until the answer ends or makes no sense."""
        body = b"".join(named.digest for named in wanted[:MAX_AT_ONCE])
        headers = {**source.headers, "Accept-Encoding": "identity"}
        async with self._session.post(
            f"{source.url}/+blobs", data=body, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != HTTPStatus.OK:
                return
            for named in wanted[:MAX_AT_ONCE]:
                prefix = await answer.content.readexactly(LENGTH_BYTES)
                if prefix == NO_BLOB:
                    continue
                if int.from_bytes(prefix) != named.size:
                    return
                content = await answer.content.readexactly(named.size)
                if hashlib.sha256(content).digest() == named.digest:
                    found.append((named.digest, content))

    def _keep(self, found: Sequence[tuple[bytes, bytes]]) -> None:
        """Make blobs of *found*; blocking."""
        spooled = list[tuple[Path, bytes]]()

        def write(item: tuple[bytes, bytes]) -> None:
            digest, content = item
            spooled.append((self._spool.write(content, synced=True), digest))

        try:
            with full_disk_named():
                self._share(write, found)
                self._blobs.publish_all_synced(spooled, self._share)
        except BaseException:
            for path, _ in spooled:
                path.unlink(missing_ok=True)
            raise

    def _share(self, work: Callable[[T], None], items: Sequence[T]) -> None:
        """Do *work* with each of *items*: every thread has its share of them, for one is handed over at a price."""

        def each(share: Sequence[T]) -> None:
            for item in share:
                work(item)

        futures = [self._pool.submit(each, items[first::THREADS]) for first in range(min(THREADS, len(items)))]
        wait(futures)  # all of them: after a failure nothing may come that is not cleared away
        for future in futures:
            future.result()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
