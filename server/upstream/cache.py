"""The byte budget of fetched files: the least recently used ones go first, uploads never."""

import asyncio
import time
from collections.abc import Iterable

import structlog

from changelog.errors import LedgerpiError
from changelog.views import digests
from server.executors import in_thread
from server.upstream.asking import Upstreams
from server.upstream.keeping import Kept
from server.upstream.state import USES, Use

FILL = 0.9  # of the budget, that is left after files were removed
AT_ONCE = 200  # files removed by one message
SETTLED_S = 30  # a blob that was written since may be about to be named by an upload

logger = structlog.get_logger()


class Cache:
    """The fetched files of a node."""

    def __init__(self, upstreams: Upstreams) -> None:
        """Keep to the budget of ``--mirror-cache-size``."""
        self._upstreams = upstreams
        self._budget = upstreams.config.mirror_cache_size
        self._size = 0  # bytes
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Count what is there; nothing is removed without a budget."""
        if self._budget:
            self._size = await in_thread(self._count)
            self._shrink()

    def added(self, kept: Kept) -> None:
        """Note a new file."""
        self.used([(kept.sha256, kept.size)])
        self._size += kept.size
        self._shrink()

    def used(self, files: Iterable[tuple[bytes, int]]) -> None:
        """Note that files (SHA-256, bytes) are used now."""
        now = int(time.time())
        with self._upstreams.local.write() as store:
            for digest, size in files:
                USES.put(store, digest, Use(now, size))

    def _count(self) -> int:
        """Return the size of all fetched files that are there, and note those that were not noted; blocking."""
        total, start = 0, b""
        while True:
            with self._upstreams.reader.snapshot() as store:
                rows = [row for row, _ in zip(digests.named(store, digests.CACHED, start), range(1_000), strict=False)]
                rows = [row for row in rows if not digests.is_required(store, row[0])]
            there = [(digest, row.size) for digest, row in rows if self._upstreams.blobs.has(digest)]
            total += sum(size for _, size in there)
            with self._upstreams.local.write() as store:
                for digest, size in there:
                    if USES.get(store, digest) is None:
                        USES.put(store, digest, Use(0, size))
            if len(rows) == 0:
                return total
            start = rows[-1][0] + b"\0"

    def _shrink(self) -> None:
        if self._budget and self._size > self._budget and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._evict())

    async def _evict(self) -> None:
        wanted = self._size - int(self._budget * FILL)
        chosen = await in_thread(self._oldest, wanted)
        before = self._size
        for start in range(0, len(chosen), AT_ONCE):
            some = chosen[start : start + AT_ONCE]
            try:
                (gone,) = await self._upstreams.submit.ask("evict", [digest for digest, _ in some], SETTLED_S)
            except LedgerpiError as error:
                logger.warning("files not removed", reason=str(error))
                return
            removed = set(gone)
            self._size -= sum(size for digest, size in some if digest in removed)
            with self._upstreams.local.write() as store:
                for digest in removed:
                    store.delete(USES.name, digest)
        logger.info("files removed", count=len(chosen), bytes=before - self._size, budget=self._budget)

    def _oldest(self, wanted: int) -> list[tuple[bytes, int]]:
        """Return the files that were not used for longest, *wanted* bytes together; blocking."""
        with self._upstreams.local.read() as store:
            uses = sorted((use.at, digest, use.size) for digest, use in USES.scan(store))
        chosen: list[tuple[bytes, int]] = []
        for _, digest, size in uses:
            if wanted <= 0:
                break
            chosen.append((digest, size))
            wanted -= size
        return chosen

    def close(self) -> None:
        """Stop removing."""
        if self._task is not None:
            self._task.cancel()
