"""What the one writing process of a node answers, primary or replica: it owns the tables and the password checks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from changelog import log, rebuild, records
from changelog.blobs import Blobs
from changelog.env import Env
from changelog.errors import Conflict, LedgerpiError, NotFound, Unauthenticated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.views import digests, users
from server.config import Config
from server.connection import Connection
from server.passwords import PasswordChecks
from server.wire import PART, Frame, error_frame, framed

REBUILD_PAUSE_S = 0.002  # between slices, so that commands get their turn

Answer = tuple[object, ...]

logger = structlog.get_logger()


class WriterService:
    """Answers the messages of workers and commands; what differs between primary and replica is in :attr:`answers`."""

    def __init__(self, config: Config) -> None:
        """Open everything; the caller holds the lock."""
        layout = config.layout
        self.config = config
        self.env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
        self.blobs = Blobs(layout.blobs)
        self.closed = False
        self.answers: dict[str, Callable[..., Awaitable[Answer]]] = {
            "check": self.check,
            "evict": self._evict,
            "rebuild": self._rebuild,
        }
        self._checks = PasswordChecks(config.login_attempts, config.password_memory_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: set[tuple[Connection, int]] = set()
        self._rebuilding: asyncio.Task[None] | None = None

    def bring_views_up(self) -> None:
        """Fold the views anew if another version of the folds made them."""
        with self.env.read() as store:
            needed = rebuild.needed(store)
        for folded, size in rebuild.run(self.env) if needed else ():
            logger.info("views rebuilding", folded=folded, size=size)

    def take(self, connection: Connection, message: Frame) -> None:
        """Begin to answer *message*; none any more once all is closed."""
        if self.closed:
            return
        number, kind, *items = message
        if kind == "watch":
            self._watching.add((connection, number))
            connection.send(framed(number, PART, self._size()))
            return
        task = asyncio.ensure_future(self._answer(connection, number, kind, items))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell_watchers(self) -> None:
        """Tell all who watch how long the log is; to be called after each commit."""
        if not self._watching:
            return
        self._watching = {watcher for watcher in self._watching if watcher[0].is_open}
        size = self._size()
        for connection, number in self._watching:
            connection.send(framed(number, PART, size))

    def close(self) -> None:
        """Close the environment; what was not answered is unknown to those who asked."""
        self.closed = True
        self._checks.close()
        self.env.close()

    async def check(self, user: str, password: str, address: str) -> tuple[int]:
        """Return the serial of the user's password if *password* is it."""
        with self.env.read() as store:
            row = users.find(store, UserName(user))
            stored = None if row is None else store.get("records", row.password)
        phc = None if stored is None else records.from_stored(stored).payload
        good = await self._checks.check(user, address, password, phc)
        if not good or row is None:
            raise Unauthenticated(f"wrong password for {user}, or no such user")
        return (row.password_serial,)

    def _size(self) -> int:
        with self.env.read() as store:
            return log.head(store).size

    async def _answer(self, connection: Connection, number: int, kind: str, items: Sequence[Any]) -> None:
        if self.closed:
            return
        try:
            answers = self.answers.get(kind)
            if answers is None:
                raise NotFound(f"no such message: {kind}")
            answer = await answers(*items)
        except LedgerpiError as error:
            connection.send(error_frame(number, error))
        else:
            connection.send(framed(number, "ok", *answer))

    async def _evict(self, named: Sequence[bytes], settled_s: int) -> tuple[list[bytes]]:
        """Remove fetched files that are older than *settled_s* seconds and that no upload names; return their digests.

        Between two commits, so that none of them counts on a file that goes.
        """
        with self.env.read() as store:
            free = [digest for digest in named if not digests.is_required(store, digest)]
        return ([digest for digest in free if self.blobs.remove(digest, settled_s)],)

    async def _rebuild(self) -> tuple[int]:
        """Fold the views anew, a slice at a time between the commits, and return the size then."""
        if self._rebuilding is not None and not self._rebuilding.done():
            raise Conflict("the views are being rebuilt already")
        self._rebuilding = asyncio.ensure_future(self._fold_slices())
        await self._rebuilding
        return (self._size(),)

    async def _fold_slices(self) -> None:
        for folded, size in rebuild.run(self.env):
            logger.info("views rebuilding", folded=folded, size=size)
            await asyncio.sleep(REBUILD_PAUSE_S)
