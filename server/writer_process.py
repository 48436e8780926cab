"""The writer of a primary: the one process that decides and appends."""

import asyncio
import json
import os
import signal
import sys
import time
from typing import IO

import structlog
import uvloop

from changelog import log
from changelog.errors import LedgerpiError, StorageFull, Unauthenticated
from changelog.names import UserName
from changelog.views import cluster, users
from changelog.writer import Committed, Outcome, Proposal, Writer
from server import keys, locks, logins, vouching
from server.commands import Request
from server.config import Config
from server.connection import Connection
from server.decide import decide
from server.garbage import look_seldom
from server.layout import Layout
from server.logs import configure_logs
from server.vouching import Vouched
from server.wire import Frame, death_of_parent, error_frame, framed, listen, tell_ready
from server.writer_service import WriterService

MAX_GROUP = 250  # commands that share a commit

logger = structlog.get_logger()


class PrimaryService(WriterService):
    """Carries out commands, and signs logins and heads."""

    def __init__(self, config: Config) -> None:
        """Open everything; the caller holds the lock."""
        super().__init__(config)
        self.answers |= {"login": self._login, "token": self._token, "vouch": self._vouch}
        keyring = config.layout.keys
        self._node_key = keys.load(keyring, keys.NODE_KEY)
        self._writer = Writer(self.env, self.blobs, keys.load(keyring, keys.LOG_KEY), now)
        self._waiting: list[tuple[Connection, int, Proposal]] = []

    def take(self, connection: Connection, message: Frame) -> None:
        """As its base; commands are put together."""
        if message[1] != "commit":
            super().take(connection, message)
        elif not self.closed:
            self._queue(connection, message[0], Request.from_plain(message[2]))

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
        if self.closed:
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
        self.tell_watchers()

    async def _login(self, user: str, password: str, address: str) -> tuple[str]:
        """Return a token."""
        (serial,) = await self.check(user, password, address)
        return await self._token(user, serial)

    async def _token(self, user: str, serial: int) -> tuple[str]:
        """Return a token for *user*, if the password is still that of entry *serial*."""
        with self.env.read() as store:
            row = users.find(store, UserName(user))
            primary = cluster.PRIMARY.get(store, cluster.ONLY)
        if row is None or row.password_serial != serial:
            raise Unauthenticated(f"the password of {user} was changed meanwhile")
        member = 0 if primary is None else primary.member
        expires = int(time.time()) + self.config.login_expiry_s
        return (logins.sign(logins.Login(user, serial, expires, member), self._node_key),)

    async def _vouch(self) -> tuple[bytes]:
        """Return this primary's signed word that its head is what it is, now."""
        with self.env.read() as store:
            head = log.head(store)
            primary = cluster.PRIMARY.get(store, cluster.ONLY)
        member = 0 if primary is None else primary.member
        return (vouching.sign(Vouched(member, head.epoch, head.size, head.root, now()), self._node_key),)


def lock(layout: Layout) -> IO[bytes]:
    """Take the node's lock and return the file that holds it.

    Raises:
        Conflict: another writer lives.
    """
    return locks.take(layout.lock, f"another writer has {layout.serverdir}")


def now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1_000


async def serve(service: WriterService, parent: int) -> None:
    """Answer with *service* until the supervisor's end of the pipe *parent* is closed."""
    service.bring_views_up()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Connection(service), sock=listen(service.config.layout.socket))
    look_seldom()
    tell_ready()  # the supervisor reads this
    loop.set_exception_handler(_end_at_once)
    await death_of_parent(parent)
    server.close()
    service.close()


async def _serve(config: Config, parent: int) -> None:
    await serve(PrimaryService(config), parent)


def main() -> None:
    """Run as a child of the supervisor: configuration and pipe are arguments."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    configure_logs()
    config = Config(**json.loads(sys.argv[1]))
    held = lock(config.layout)
    uvloop.run(_serve(config, int(sys.argv[2])))
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
