"""The writer of a primary: the one process that decides and appends."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import structlog
import uvloop

from changelog import log, promise
from changelog.errors import Conflict, LedgerpiError, NotPrimary, StorageFull, Unauthenticated
from changelog.names import UserName
from changelog.records import new_record
from changelog.tables import Store
from changelog.views import cluster, users
from changelog.vouching import VOUCHED, Vouched
from changelog.writer import Committed, Decision, Outcome, Proposal, Writer
from server import ballots, durability, keys, locks, logins, roles, upgrade
from server.acks import Ack
from server.child import Start
from server.commands import REPLICA, Caller, Join, Request
from server.config import Config
from server.connection import Connection
from server.copies import Copies
from server.decide import decide
from server.garbage import look_seldom
from server.wire import Frame, error_frame, listen, wake
from server.writer_service import Reply, WriterService

MAX_GROUP = 250  # commands that share a commit

Reported = Callable[[Outcome], None]  # learns what became of a proposal

logger = structlog.get_logger()


class PrimaryService(WriterService):
    """Carries out commands, and signs logins and heads."""

    role = roles.PRIMARY

    def __init__(self, config: Config) -> None:
        """Open everything; the caller holds the lock."""
        super().__init__(config)
        self.answers |= {
            "login": self._login,
            "token": self._token,
            "vouch": self._vouch,
            "ack": self._ack,
            "join": self._join,
            "members": self._members,
            "open": self._open,
            "left": self._left,
        }
        with self.env.read() as store:
            signing = keys.signing(config.layout.keys, cluster.origin(store).log_key)
        self._writer = Writer(self.env, self.blobs, signing, now)
        self._waiting: list[tuple[Proposal, Reported]] = []
        self._administrators = config.restrict_modify
        self._copies = Copies(self.env, self._writer, self._propose, config.durability_timeout_s)
        self._shut = "" if config.layout.opened.exists() else self._copies.shut_reason()
        config.layout.opened.unlink(missing_ok=True)
        self._is_old = ""  # why this disk is older than it believes
        self._wake_cluster()

    def take(self, connection: Connection, message: Frame) -> None:
        """As its base; commands are put together."""
        if message[1] != "commit":
            super().take(connection, message)
        elif not self.closed:
            self._queue(connection, message[0], Request.from_plain(message[2]))

    def close(self) -> None:
        """As its base; what waits for copies is told that they were not seen."""
        if not self.closed:
            self._copies.give_up()
        super().close()

    async def promise(self, signed: bytes) -> tuple[bytes]:
        """As its base; then this node is a primary no longer."""
        answer = await super().promise(signed)
        self._step_down()
        return answer

    async def learn(self, signed: bytes) -> tuple[bool]:
        """As its base; if it is news, this node is a primary no longer."""
        (is_news,) = await super().learn(signed)
        if is_news:
            self._step_down()
        else:
            self._meet(self._copies.conflict_with(ballots.ANSWERS.claimed(signed)))
        return (is_news,)

    def _meet(self, conflict: str) -> None:
        """Take no writes any more if a member has what this node wrote and does not have."""
        if conflict and not self._is_old:
            self._is_old = conflict
            logger.critical("writes refused", reason=conflict)

    def _step_down(self) -> None:
        logger.warning("primary no longer")
        self._copies.give_up()
        self.on_role_change()

    def _queue(self, connection: Connection, number: int, request: Request) -> None:
        if self._shut or self._is_old:
            connection.send(error_frame(number, NotPrimary(self._is_old or self._shut)))
            return

        def decided(store: Store) -> Decision:
            wanted.append(durability.replicas(store, request))
            return decide(store, request.caller.restricted(self._administrators), request.command)

        def report(outcome: Outcome) -> None:
            if request.caller.token and isinstance(outcome, Committed):
                logger.info("token wrote", token=request.caller.token, first=outcome.first, last=outcome.last)
            self._copies.report(connection, number, outcome, request, wanted[-1] if wanted else 0)

        wanted: list[int] = []
        self._propose(Proposal(decided, request.caller.user, request.records, request.contents), report)

    def _propose(self, proposal: Proposal, report: Reported) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)  # after all that can be read now
        self._waiting.append((proposal, report))

    def _commit(self) -> None:
        """Carry out what waits, with one fsync; what comes meanwhile is the next group."""
        if self.closed:
            return
        group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        try:
            outcomes = self._writer.commit([proposal for proposal, _ in group])
        except (StorageFull, NotPrimary) as error:
            outcomes = [error] * len(group)
        for (_, report), outcome in zip(group, outcomes, strict=True):
            report(outcome)
        self.tell_watchers()

    async def check(self, user: str, password: str, address: str) -> tuple[int]:
        """As its base; an old hash is replaced, and the login is one by the new hash."""
        (serial,) = await super().check(user, password, address)
        with self.env.read() as store:
            wanted = upgrade.is_wanted(store, user, serial)
        if not wanted:
            return (serial,)
        secret = new_record(await self.checks.hash(password))
        outcome = await self._outcome(upgrade.proposal(user, serial, secret))
        if isinstance(outcome, Conflict):  # another login was faster
            return await super().check(user, password, address)
        return (outcome.last if isinstance(outcome, Committed) else serial,)

    async def _outcome(self, proposal: Proposal) -> Outcome:
        """Return what became of *proposal*, of which nobody waits for copies."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._shut or self._is_old:
            return NotPrimary(self._is_old or self._shut)
        self._propose(proposal, done.set_result)
        return await done

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
        return (logins.sign(logins.Login(user, serial, expires, member), self.node_key),)

    async def _vouch(self) -> tuple[bytes]:
        """Return this primary's signed word that its head is what it is, now."""
        with self.env.read() as store:
            head = log.head(store)
            if promise.epoch(store) > head.epoch:
                raise NotPrimary("another primary was promised an epoch")
        word = Vouched(cluster.member_of(head.epoch), head.epoch, head.size, head.root, now())
        return (VOUCHED.sign(word, self.node_key),)

    async def _ack(self, *fields: Any) -> Reply:  # noqa: ANN401 - as the worker sends it
        """Note what a member has."""
        ack = Ack(*fields)
        conflict = self._copies.conflict_with(ack)
        self._meet(conflict)
        if conflict:
            raise Conflict(conflict)
        self._copies.take(ack)
        return ()

    async def _join(self, name: str, node_key: bytes, cosigner_key: bytes, url: str) -> Reply:
        """Make a replica a member, or note what changed about it, and return its number."""
        caller, command = Caller(REPLICA, 0), Join(name, node_key, cosigner_key, url)
        outcome = await self._outcome(Proposal(lambda store: decide(store, caller, command), REPLICA))
        if isinstance(outcome, LedgerpiError):
            raise outcome
        if isinstance(outcome, Committed):
            self._wake_cluster()
        with self.env.read() as store:
            return (cluster.number_of(store, node_key),)

    def _wake_cluster(self) -> None:
        """Have the process started that asks other members, if there are any."""
        with self.env.read() as store:
            if sum(not row.until for _, row in cluster.members(store)) < 2:  # noqa: PLR2004 - this one alone
                return
        wake(self.config.layout.cluster_socket)

    async def _members(self) -> Reply:
        """Return what members acknowledged last."""
        return (self._copies.plain(),)

    async def _left(self, reason: str) -> Reply:
        """Take no writes: a history goes on without this node, which its operator has to let follow that one."""
        self._meet(reason)
        return ()

    async def _open(self) -> Reply:
        """Take writes: enough members said that nobody took over."""
        self._shut = ""
        return ()


def now() -> int:
    """Return microseconds since 1970."""
    return time.time_ns() // 1_000


async def serve(service: WriterService, start: Start) -> None:
    """Answer with *service* until the supervisor says that it is to end, or dies."""
    service.bring_views_up()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Connection(service), sock=listen(service.config.layout.socket))
    look_seldom()
    start.tell_ready()
    loop.set_exception_handler(_end_at_once)
    await start.death_of_parent()
    server.close()
    service.close()


def run(make: Callable[[Start], WriterService], start: Start) -> None:
    """Run the service that *make* returns."""
    held = locks.of_writer(start.config.layout)

    async def made_and_served() -> None:
        service = make(start)
        if (await service.tell_role())[0] != service.role:  # one that died a moment ago made the node the other one
            os._exit(roles.CHANGED)
        await serve(service, start)

    uvloop.run(made_and_served())
    held.close()


def _end_at_once(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """End the process: a commit or fold that raises is a bug, and what waits must not be answered as if known."""
    logger.error("writer failed", reason=repr(context.get("exception") or context.get("message")))
    loop.default_exception_handler(context)
    os._exit(70)  # EX_SOFTWARE: the supervisor starts another one, which begins at the last commit


def main(start: Start) -> None:
    """Run the writer of a primary."""
    run(lambda start: PrimaryService(start.config), start)
