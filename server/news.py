"""News of commits: who waits for entries is woken when the writer has committed them."""

import asyncio

from changelog.errors import LedgerpiError, OutcomeUnknown
from changelog.reader import Reader
from server.submit import Submit

ENDS = "this process ends"
NEVER = 1 << 63  # a size that no log has
RETRY_S = 0.2  # before the writer is asked again, when it died


class News:
    """Wakes those of one worker who wait for the log to grow; the writer is asked to tell when the first one waits."""

    def __init__(self, reader: Reader, submit: Submit) -> None:
        """Watch the writer through *submit*."""
        self._reader = reader
        self._submit = submit
        self._size = 0  # of the log, as far as was told
        self._waiting: set[tuple[int, asyncio.Future[None]]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    async def beyond(self, size: int, timeout_s: float) -> bool:
        """Wait until the log has more than *size* entries and return whether it has, after *timeout_s* at the latest.

        A snapshot begun after this returned true sees them.

        Raises:
            OutcomeUnknown: this process ends.
        """
        if self._closed:
            raise OutcomeUnknown(ENDS)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.ensure_future(self._watch())
        if self._size > size or self._reader.head().size > size:
            return True
        waiting = (size, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(timeout_s):
                await waiting[1]
        except TimeoutError:
            return self._reader.head().size > size
        finally:
            self._waiting.discard(waiting)
        if self._closed:
            raise OutcomeUnknown(ENDS)
        return True

    def close(self) -> None:
        """Send all away who wait."""
        self._closed = True
        self._told(NEVER)
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            try:
                async for (size,) in self._submit.stream("watch"):
                    self._told(int(size))
            except LedgerpiError:
                await asyncio.sleep(RETRY_S)

    def _told(self, size: int) -> None:
        self._size = size
        for beyond, future in self._waiting:
            if size > beyond and not future.done():
                future.set_result(None)
