"""Fetching blobs before anybody asks: what the log names, from its beginning on, and then as entries come."""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping

from changelog import log
from changelog.blobs import Blobs
from changelog.errors import LedgerpiError, StorageFull
from changelog.reader import Reader
from changelog.views import digests
from replica.backlog import Backlog
from replica.bulk import FEWEST, Bulk
from replica.fetches import Fetches
from replica.named import Looked, Named, Selection, is_needed
from replica.receive import NotThere, Unreachable
from server.bulk import MAX_AT_ONCE
from server.executors import in_thread
from server.news import News
from server.upstream.breaker import jittered

LANES = 6  # blobs that are fetched at a time
AT_ONCE = 200  # entries that are looked at in one go
AHEAD = 2_000  # blobs that wait for a lane before the log is looked at further
PATIENCE_S = 60.0  # for the next entry, before the writer is asked anew
FIRST_AGAIN_S = 0.5  # before a blob that could not be had is tried again; doubled with each failure
LONGEST_AGAIN_S = 300.0
MOST_DOUBLED = 10  # times
TRIES_OF_ABSENT = 2  # of a blob that nobody needs, before it is given up
FIRST_REST_S = 0.1  # of a lane that finds nobody to ask or no space
LONGEST_REST_S = 2.0


class Eager:
    """Sees to it that all blobs are here that are wanted; a blob that can not be had holds up no other one."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it works with
        self, fetches: Fetches, bulk: Bulk, backlog: Backlog, selection: Selection, reader: Reader, blobs: Blobs
    ) -> None:
        """Go on with *backlog*."""
        self._fetches = fetches
        self._bulk = bulk
        self._backlog = backlog
        self._selection = selection
        self._reader = reader
        self._blobs = blobs
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = asyncio.Event()  # fewer wait than the log is looked ahead for
        self._missing: dict[bytes, Named] = {}
        self._tries: Counter[bytes] = Counter()
        self._pausing: dict[bytes, asyncio.TimerHandle] = {}  # those that wait to be tried again
        self._alone: set[bytes] = set()  # what did not come together with others
        self.changed = asyncio.Event()  # a blob came, or entries were looked at; who waits clears it

    @property
    def standing(self) -> Mapping[str, int]:
        """How many blobs are wanted, here, missing, and not to be had nor needed, as far as the log was looked at."""
        progress, missing, absent = self._backlog.progress, len(self._missing), self._backlog.absent()
        here = progress.wanted - missing - absent
        return {
            "serial": progress.size,
            "wanted": progress.wanted,
            "here": here,
            "missing": missing,
            "absent": absent,
        }

    @property
    def size(self) -> int:
        """How many entries were looked at."""
        return self._backlog.progress.size

    @property
    def missing_uploads(self) -> tuple[bytes, ...]:
        """The digests of blobs of uploads that these entries name and that are not here."""
        return tuple(digest for digest, named in self._missing.items() if named.kind != digests.CACHED)

    async def run(self, news: News) -> None:
        """Fetch until this is cancelled; *news* tell of entries."""
        self._add(self._backlog.missing())
        async with asyncio.TaskGroup() as group:
            for _ in range(LANES):
                group.create_task(self._lane())
            group.create_task(self._follow(news))

    async def _follow(self, news: News) -> None:
        """Look at entries, those that are there and those that come."""
        while True:
            before = self._backlog.progress.size
            looked, root = await in_thread(self._look, before)
            if looked.last == before:
                await news.beyond(before, PATIENCE_S)
                continue
            try:
                self._backlog.looked(looked, root)
            except StorageFull:
                await asyncio.sleep(LONGEST_REST_S)
                continue
            self._add(looked.missing)
            self.changed.set()
            if self._waiting.qsize() > AHEAD:
                self._room.clear()
                await self._room.wait()

    def _look(self, after: int) -> tuple[Looked, bytes]:
        with self._reader.snapshot() as store:
            looked = self._selection.look(store, self._blobs, after, AT_ONCE)
            return looked, log.root(store, looked.last)

    def _add(self, missing: "list[Named] | tuple[Named, ...]") -> None:
        for named in missing:
            pause = self._pausing.pop(named.digest, None)
            if pause is not None:
                pause.cancel()  # what was to no avail before may have changed with the new entry
            if pause is not None or named.digest not in self._missing:
                self._waiting.put_nowait(named.digest)
            self._missing[named.digest] = named  # the newest entry decides whether it is needed

    async def _lane(self) -> None:
        """Fetch one blob after the other, or many small ones together."""
        rest_s = FIRST_REST_S
        while True:
            digest = await self._waiting.get()
            if self._waiting.qsize() <= AHEAD:
                self._room.set()
            try:
                if not await self._with_others(digest):
                    await self._fetch(digest)
            except (Unreachable, StorageFull):  # no fault of this one: it comes to the end of the queue
                await asyncio.sleep(jittered(rest_s, random.random))
                rest_s = min(2 * rest_s, LONGEST_REST_S)
                self._waiting.put_nowait(digest)
            except LedgerpiError:
                rest_s = FIRST_REST_S
                self._pause(digest)
            else:
                rest_s = FIRST_REST_S

    async def _with_others(self, digest: bytes) -> bool:
        """Fetch a blob and others that wait in one go, if they are small; return whether it is here now."""
        together = [digest] if self._may_be_together(digest) else []
        while together and len(together) < MAX_AT_ONCE and not self._waiting.empty():
            together.append(self._waiting.get_nowait())
            if not self._may_be_together(together[-1]):
                self._waiting.put_nowait(together.pop())
                break
        try:
            is_worth_it = len(together) >= FEWEST
            here = await self._bulk.fetch([self._missing[each] for each in together]) if is_worth_it else frozenset()
            self._remove(here, is_here=True)
        except BaseException:
            for each in together[1:]:
                self._waiting.put_nowait(each)
            raise
        for each in together:
            if each not in here and each != digest:
                self._alone |= {each} if is_worth_it else set()
                self._waiting.put_nowait(each)
        return digest in here

    def _may_be_together(self, digest: bytes) -> bool:
        return digest not in self._alone and not self._tries[digest] and self._bulk.takes(self._missing[digest])

    async def _fetch(self, digest: bytes) -> None:
        named = self._missing[digest]
        try:
            await self._fetches.whole(digest, named.size, damaged=False, from_nodes=True)
        except NotThere:
            with self._reader.snapshot() as store:
                needed = is_needed(store, self._missing[digest])
            if needed:
                raise
            self._fetches.failed.pop(digest, None)
            if self._tries[digest] < TRIES_OF_ABSENT:
                raise  # a replica that is asked may be about to fetch it
            self._remove([digest], is_here=False)
        else:
            self._remove([digest], is_here=True)

    def _remove(self, found: Collection[bytes], *, is_here: bool) -> None:
        if not found:
            return
        self._backlog.remove(found, is_here=is_here)
        for digest in found:
            del self._missing[digest]
            self._tries.pop(digest, None)
            self._alone.discard(digest)
        self.changed.set()

    def _pause(self, digest: bytes) -> None:
        """Let a blob be tried again later."""
        wait_s = min(FIRST_AGAIN_S * 2.0 ** min(self._tries[digest], MOST_DOUBLED), LONGEST_AGAIN_S)
        self._tries[digest] += 1
        loop = asyncio.get_running_loop()
        self._pausing[digest] = loop.call_later(jittered(wait_s, random.random), self._resume, digest)

    def _resume(self, digest: bytes) -> None:
        del self._pausing[digest]
        self._waiting.put_nowait(digest)
