"""The writer: the one process of a node that appends. It owns the lock, the keys and the password checks."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import IO

import structlog
import uvloop

from changelog import log, rebuild, records
from changelog.blobs import Blobs
from changelog.env import Env
from changelog.errors import Conflict, LedgerpiError, NotFound, StorageFull, Unauthenticated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.views import cluster, digests, users
from changelog.writer import Committed, Outcome, Proposal, Writer
from server import keys, locks, logins
from server.commands import Request
from server.config import Config
from server.connection import Connection
from server.decide import decide
from server.garbage import look_seldom
from server.layout import Layout
from server.logs import configure_logs
from server.passwords import PasswordChecks
from server.wire import Frame, death_of_parent, error_frame, framed, listen, tell_ready

MAX_GROUP = 250  # commands that share a commit
REBUILD_PAUSE_S = 0.002  # between slices, so that commands get their turn

logger = structlog.get_logger()


class WriterService:
    """Answers the messages of workers and commands."""

    def __init__(self, config: Config) -> None:
        """Open everything; the caller holds the lock."""
        layout = config.layout
        self._config = config
        self._env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
        self._node_key = keys.load(layout.keys, keys.NODE_KEY)
        log_key = keys.load(layout.keys, keys.LOG_KEY)
        self._blobs = Blobs(layout.blobs)
        self._writer = Writer(self._env, self._blobs, log_key, now)
        self._checks = PasswordChecks(config.login_attempts, config.password_memory_s)
        self._waiting: list[tuple[Connection, int, Proposal]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._rebuilding: asyncio.Task[None] | None = None
        self._closed = False

    def bring_views_up(self) -> None:
        """Fold the views anew if another version of the folds made them."""
        with self._env.read() as store:
            needed = rebuild.needed(store)
        for folded, size in rebuild.run(self._env) if needed else ():
            logger.info("views rebuilding", folded=folded, size=size)

    def take(self, connection: Connection, message: Frame) -> None:
        """Begin to answer *message*; none any more once all is closed."""
        if self._closed:
            return
        number, kind, *items = message
        if kind == "commit":
            self._queue(connection, number, Request.from_plain(items[0]))
            return
        task = asyncio.ensure_future(self._answer(connection, number, kind, items))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _queue(self, connection: Connection, number: int, request: Request) -> None:
        proposal = Proposal(
            lambda store: decide(store, request.caller, request.command),
            request.caller.user,
            request.records,
            request.contents,
        )
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)  # after all that can be read now
        self._waiting.append((connection, number, proposal))

    def _commit(self) -> None:
        """Carry out what waits, with one fsync; what comes meanwhile is the next group."""
        if self._closed:
            return
        group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        try:
            outcomes = self._writer.commit([proposal for _, _, proposal in group])
        except StorageFull as full:
            outcomes = [full] * len(group)
        for (connection, number, _), outcome in zip(group, outcomes, strict=True):
            connection.send(_outcome_frame(number, outcome))

    async def _answer(self, connection: Connection, number: int, kind: str, items: list[object]) -> None:
        if self._closed:
            return
        try:
            answer: tuple[object, ...]
            if kind == "check":
                answer = await self._check(*map(str, items))
            elif kind == "login":
                answer = await self._login(*map(str, items))
            elif kind == "token":
                answer = self._token(str(items[0]), int(str(items[1])))
            elif kind == "evict":
                answer = self._evict(*items)  # type: ignore[arg-type] # as the others send it
            elif kind == "rebuild":
                answer = await self._rebuild()
            else:
                raise NotFound(f"no such message: {kind}")
        except LedgerpiError as error:
            connection.send(error_frame(number, error))
        else:
            connection.send(framed(number, "ok", *answer))

    async def _check(self, user: str, password: str, address: str) -> tuple[int]:
        """Return the serial of the user's password if *password* is it."""
        with self._env.read() as store:
            row = users.find(store, UserName(user))
            stored = None if row is None else store.get("records", row.password)
        phc = None if stored is None else records.from_stored(stored).payload
        good = await self._checks.check(user, address, password, phc)
        if not good or row is None:
            raise Unauthenticated(f"wrong password for {user}, or no such user")
        return (row.password_serial,)

    async def _login(self, user: str, password: str, address: str) -> tuple[str]:
        """Return a token."""
        (serial,) = await self._check(user, password, address)
        return self._token(user, serial)

    def _token(self, user: str, serial: int) -> tuple[str]:
        """Return a token for *user*, if the password is still that of entry *serial*."""
        with self._env.read() as store:
            row = users.find(store, UserName(user))
            primary = cluster.PRIMARY.get(store, cluster.ONLY)
        if row is None or row.password_serial != serial:
            raise Unauthenticated(f"the password of {user} was changed meanwhile")
        member = 0 if primary is None else primary.member
        expires = int(time.time()) + self._config.login_expiry_s
        return (logins.sign(logins.Login(user, serial, expires, member), self._node_key),)

    def _evict(self, named: Sequence[bytes], settled_s: int) -> tuple[list[bytes]]:
        """Remove fetched files that are older than *settled_s* seconds and that no upload names; return their digests.

        Between two commits, so that none of them counts on a file that goes.
        """
        with self._env.read() as store:
            free = [digest for digest in named if not digests.is_required(store, digest)]
        return ([digest for digest in free if self._blobs.remove(digest, settled_s)],)

    async def _rebuild(self) -> tuple[int]:
        """Fold the views anew, a slice at a time between the commits, and return the size then."""
        if self._rebuilding is not None and not self._rebuilding.done():
            raise Conflict("the views are being rebuilt already")
        self._rebuilding = asyncio.ensure_future(self._fold_slices())
        await self._rebuilding
        with self._env.read() as store:
            return (log.head(store).size,)

    async def _fold_slices(self) -> None:
        for folded, size in rebuild.run(self._env):
            logger.info("views rebuilding", folded=folded, size=size)
            await asyncio.sleep(REBUILD_PAUSE_S)

    def close(self) -> None:
        """Close the environment; what was not answered is unknown to those who asked."""
        self._closed = True
        self._checks.close()
        self._env.close()


def lock(layout: Layout) -> IO[bytes]:
    """Take the node's lock and return the file that holds it.

    Raises:
        Conflict: another writer lives.
    """
    return locks.take(layout.lock, f"another writer has {layout.serverdir}")


def now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1_000


async def serve(config: Config, parent: int) -> None:
    """Answer until the supervisor's end of the pipe *parent* is closed."""
    service = WriterService(config)
    service.bring_views_up()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Connection(service), sock=listen(config.layout.socket))
    look_seldom()
    tell_ready()  # the supervisor reads this
    loop.set_exception_handler(_end_at_once)
    await death_of_parent(parent)
    server.close()
    service.close()


def main() -> None:
    """Run as a child of the supervisor: configuration and pipe are arguments."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    configure_logs()
    config = Config(**json.loads(sys.argv[1]))
    held = lock(config.layout)
    uvloop.run(serve(config, int(sys.argv[2])))
    held.close()


def _end_at_once(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """End the process: a commit or fold that raises is a bug, and what waits must not be answered as if known."""
    logger.error("writer failed", reason=repr(context.get("exception") or context.get("message")))
    loop.default_exception_handler(context)
    os._exit(70)  # EX_SOFTWARE: the supervisor starts another one, which begins at the last commit


def _outcome_frame(number: int, outcome: Outcome) -> bytes:
    if isinstance(outcome, LedgerpiError):
        return error_frame(number, outcome)
    if isinstance(outcome, Committed):
        return framed(number, "ok", "committed", outcome.first, outcome.last)
    return framed(number, "ok", "already", outcome.serial)


if __name__ == "__main__":
    main()
