"""The byte budget of fetched files: the least recently used ones go first, uploads never."""

import asyncio
import time
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

import structlog

from changelog.blobs import Blobs
from changelog.errors import LedgerpiError
from changelog.reader import Reader
from changelog.views import digests
from server.config import Config
from server.executors import in_thread
from server.submit import Submit
from server.upstream.state import USES, LocalState, Use

FILL = 0.9  # of the budget, that is left after files were removed
AT_ONCE = 200  # files that one message or transaction is about
SETTLED_S = 30  # a blob that was written since may be about to be named by an upload

logger = structlog.get_logger()


class CacheParts(Protocol):
    """What the process that fetches files has."""

    @property
    def config(self) -> Config:
        """Has the budget."""

    @property
    def reader(self) -> Reader:
        """Of the node's log."""

    @property
    def submit(self) -> Submit:
        """The line to the writer, which removes blobs."""

    @property
    def blobs(self) -> Blobs:
        """The files."""

    @property
    def local(self) -> LocalState:
        """Where uses are noted."""


class Cache:
    """The fetched files of a node."""

    def __init__(self, parts: CacheParts) -> None:
        """Keep to the budget of ``--mirror-cache-size``."""
        self._parts = parts
        self._budget = parts.config.mirror_cache_size
        self._size = 0  # bytes, at most: what others removed is noticed when it is over the budget
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Note what is there; nothing is removed without a budget."""
        if self._budget:
            await in_thread(self._note_all)
            self._shrink()

    def added(self, digest: bytes, size: int) -> None:
        """Note a new file of *size* bytes."""
        self.used([(digest, size)])
        self._size += size
        if self._budget and self._size > self._budget:
            self._shrink()

    def used(self, files: Iterable[tuple[bytes, int]]) -> None:
        """Note that files (SHA-256, bytes) are used now."""
        now = int(time.time())
        with self._parts.local.write() as store:
            for digest, size in files:
                USES.put(store, digest, Use(now, size))

    def _note_all(self) -> None:
        """Note all fetched files that are there and were not noted; blocking."""
        start = b""
        while True:
            with self._parts.reader.snapshot() as store:
                rows = list(islice(digests.named(store, digests.CACHED, start), AT_ONCE))
            if not rows:
                return
            with self._parts.local.write() as store:
                for digest, row in rows:
                    if USES.get(store, digest) is None:
                        USES.put(store, digest, Use(0, row.size))
            start = rows[-1][0] + b"\0"

    def _shrink(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._evict())

    async def _evict(self) -> None:
        """Remove files until the others fit; what is too young is removed later."""
        while True:
            try:
                left = await self._remove(await in_thread(self._oldest))
            except LedgerpiError as error:
                logger.warning("files not removed", reason=str(error))
                return
            if self._size <= self._budget or not left:
                return
            await asyncio.sleep(SETTLED_S)

    async def _remove(self, chosen: list[tuple[bytes, int]]) -> int:
        """Remove files and return how many could not be removed yet."""
        gone: dict[bytes, int] = {}
        for start in range(0, len(chosen), AT_ONCE):
            some = dict(chosen[start : start + AT_ONCE])
            (removed,) = await self._parts.submit.ask("evict", list(some), SETTLED_S)
            gone |= {digest: some[digest] for digest in removed}
            self._size -= sum(some[digest] for digest in removed)
            with self._parts.local.write() as store:
                for digest in removed:
                    store.delete(USES.name, digest)
        if gone:
            logger.info("files removed", count=len(gone), bytes=sum(gone.values()), budget=self._budget)
        return len(chosen) - len(gone)

    def _oldest(self) -> list[tuple[bytes, int]]:
        """Return the files that were not used for longest and have to go, with their sizes; blocking.

        All that are there are counted anew: others remove files too, and upload what was fetched before.
        """
        with self._parts.local.read() as local, self._parts.reader.snapshot() as store:
            uses = sorted(
                (use.at, digest, use.size)
                for digest, use in USES.scan(local)
                if self._parts.blobs.has(digest) and not digests.is_required(store, digest)
            )
        self._size = sum(size for _, _, size in uses)
        excess = self._size - int(self._budget * FILL) if self._size > self._budget else 0
        chosen: list[tuple[bytes, int]] = []
        for _, digest, size in uses:
            if excess <= 0:
                break
            chosen.append((digest, size))
            excess -= size
        return chosen

    def close(self) -> None:
        """Stop removing."""
        if self._task is not None:
            self._task.cancel()
