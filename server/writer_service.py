"""What the one writing process of a node answers, primary or replica: it owns the tables and the password checks."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from changelog import log, promise, rebuild, records
from changelog.blobs import Blobs
from changelog.env import Env
from changelog.errors import Conflict, LedgerpiError, NotFound, Refused, Unauthenticated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.tables import Store
from changelog.views import cluster, digests, users
from server import ballots, keys, roles
from server.config import Config
from server.connection import Connection
from server.passwords import PasswordChecks
from server.token_uses import LastUses
from server.wire import PART, Frame, error_frame, framed

REBUILD_PAUSE_S = 0.002  # between slices, so that commands get their turn

Reply = tuple[object, ...]

ANSWERED_S = 0.1  # for answers to leave before the process ends

logger = structlog.get_logger()


class WriterService:
    """Answers the messages of workers and commands; what differs between primary and replica is in :attr:`answers`."""

    role = roles.REPLICA

    def __init__(self, config: Config) -> None:
        """Open everything; the caller holds the lock."""
        layout = config.layout
        self.config = config
        self.env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
        self.blobs = Blobs(layout.blobs)
        self.closed = False
        self.answers: dict[str, Callable[..., Awaitable[Reply]]] = {
            "check": self.check,
            "evict": self._evict,
            "rebuild": self._rebuild,
            "promise": self.promise,
            "position": self.position,
            "learn": self.learn,
            "role": self._role,
            "used": self._used,
        }
        self.node_key = keys.load(layout.keys, keys.NODE_KEY)
        self.on_role_change: Callable[[], None] = _end_soon
        self.checks = PasswordChecks(config.login_attempts, config.password_memory_s)
        self._uses = LastUses(layout.token_uses)
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
        self.checks.close()
        self._uses.write()
        self.env.close()

    async def promise(self, signed: bytes) -> tuple[bytes]:
        """Give the promise that a candidate asks for, and return this node's own signed answer.

        Raises:
            InvalidProof, Refused, Conflict: as :func:`server.ballots.promised`.
            Refused: this node is no member.
        """
        with self.env.write() as store:
            if not self._number(store):
                raise Refused("this node is no member of the cluster")
            ballots.promised(store, signed)
            return self._signed_position(store)

    async def position(self) -> tuple[bytes]:
        """Return the same answer without a promise; b"" of who is no member."""
        with self.env.read() as store:
            return self._signed_position(store)

    async def tell_role(self) -> tuple[str]:
        """Return what the log says that this node is."""
        with self.env.read() as store:
            return (roles.of(store, keys.public(self.node_key)),)

    async def _role(self) -> tuple[str]:
        """Return what this node is."""
        return (self.role,)

    async def _used(self, uses: Sequence[tuple[str, int]]) -> Reply:
        """Note when tokens were used on this node."""
        self._uses.take(uses)
        return ()

    async def learn(self, signed: bytes) -> tuple[bool]:
        """Take note of what another member's answer says of epochs, and return whether it is news."""
        with self.env.read() as store:
            newest = ballots.newest(store, signed)
            if not newest:
                return (False,)
        with self.env.write() as store:
            promise.keep(store, newest)
        return (True,)

    def _signed_position(self, store: Store) -> tuple[bytes]:
        number = self._number(store)
        if not number:
            return (b"",)
        return (ballots.ANSWERS.sign(ballots.position(store, number), self.node_key),)

    def _number(self, store: Store) -> int:
        return cluster.number_of(store, keys.public(self.node_key))

    async def check(self, user: str, password: str, address: str) -> tuple[int]:
        """Return the serial of the user's password if *password* is it."""
        with self.env.read() as store:
            row = users.find(store, UserName(user))
            stored = None if row is None else store.get("records", row.password)
        phc = None if stored is None else records.from_stored(stored).payload
        good = await self.checks.check(user, address, password, phc)
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


def _end_soon() -> None:
    """End this process: the node has become the other one of primary and replica, and is started again as that."""
    asyncio.get_running_loop().call_later(ANSWERED_S, os._exit, roles.CHANGED)
