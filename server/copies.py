"""Copies on other nodes, as a primary's writer keeps track of them: answers wait for them, heads are signed by them."""

import asyncio
from collections.abc import Callable, Collection

import structlog

from changelog import log
from changelog.env import Env
from changelog.errors import LedgerpiError, NotReplicated, StorageFull
from changelog.events.cluster import MembersSettled
from changelog.tables import Store
from changelog.views import cluster, voting
from changelog.views.cluster import shown_epoch
from changelog.writer import Committed, Decision, Outcome, Proposal, Writer
from server.acks import Ack, Acks, Waiting
from server.ballots import Answer
from server.commands import Request
from server.connection import Connection
from server.wire import error_frame, framed

SIGN_S = 1.0  # until what is held by then is signed, if nothing is appended meanwhile
PRIMARY = ":primary"  # who appends what follows from what voters hold

logger = structlog.get_logger()


class Copies:
    """Belongs to a primary's writer."""

    def __init__(
        self,
        env: Env,
        writer: Writer,
        propose: Callable[[Proposal, Callable[[Outcome], None]], None],
        timeout_s: float,
    ) -> None:
        """Read *env*; tell *writer* what is held; an answer waits for *timeout_s* seconds at most."""
        self._env = env
        self._writer = writer
        self._propose = propose
        self._timeout_s = timeout_s
        with env.read() as store:
            self._epoch = log.head(store).epoch
        self._acks = Acks(self._epoch)
        self._signing: asyncio.TimerHandle | None = None
        self._settling = False

    def shut_reason(self) -> str:
        """Return why no writes are taken at first: another voter may have taken over meanwhile; "" if there is none."""
        with self._env.read() as store:
            own = cluster.member_of(self._epoch)
            others = [
                row.name for number, row in cluster.members(store) if number != own and row.voter and not row.until
            ]
        return f"this node has yet to ask other members whether one took over: {', '.join(others)}" if others else ""

    def report(self, connection: Connection, number: int, outcome: Outcome, request: Request, replicas: int) -> None:
        """Answer message *number*: at once, or when *replicas* voters have what was written."""
        if isinstance(outcome, LedgerpiError) or not replicas:
            connection.send(outcome_frame(number, outcome))
            return
        serial = outcome.last if isinstance(outcome, Committed) else outcome.serial
        named = (getattr(request.command, name, b"") for name in ("sha256", "metadata"))
        digests = frozenset(digest for digest in named if digest)
        with self._env.read() as store:
            now = voting.find(store)
        if self._acks.is_held(now, serial, digests, replicas):
            connection.send(outcome_frame(number, outcome))
            return

        def send(holders: Collection[int] | None) -> None:
            if holders is None:
                connection.send(outcome_frame(number, outcome))
                return
            position, counted = f"{shown_epoch(self._epoch)}:{serial}", len({*now.voters} & {*holders})
            told = (
                f"{position} is durable on the primary; {counted} of {replicas} voters said in time that they have it"
            )
            connection.send(error_frame(number, NotReplicated(told)))

        self._acks.wait(Waiting(serial, digests, replicas, send), self._timeout_s)

    def conflict_with(self, said: Ack | Answer) -> str:
        """Return what is wrong where a member has entries of this primary's epoch that this node has not, else ""."""
        if said.epoch != self._epoch:
            return ""
        with self._env.read() as store:
            row = cluster.member(store, said.member)
            is_known = said.size <= log.head(store).size and log.root(store, said.size) == said.root
            if is_known or row is None or not row.voter:
                return ""
        return (
            f"member {said.member} has another history of {said.size} entries of epoch {shown_epoch(said.epoch)}, "
            f"whose primary is this node: its disk is older than it believes, or was copied"
        )

    def take(self, ack: Ack) -> None:
        """Note what a member has, as a worker verified it."""
        with self._env.read() as store:
            head, now = log.head(store), voting.find(store)
        if not self._acks.take(ack):
            return
        self._acks.release(now)
        self._writer.held = max(self._writer.held, self._acks.held(now, head.size))
        if now.since and self._acks.is_held(now, now.since, (), 0):
            self._settle(now.since)
        if voting.required_by(now) and self._signing is None:
            self._signing = asyncio.get_running_loop().call_later(SIGN_S, self._sign)

    def plain(self) -> list[tuple[int, int, int, int, int]]:
        """Return number, epoch, size, count of missing blobs and time of the newest acknowledgements."""
        return [(ack.member, ack.epoch, ack.size, len(ack.missing), ack.at) for ack in self._acks.newest]

    def give_up(self) -> None:
        """Answer all that wait: it is not known whether others have it."""
        self._acks.give_up()

    def _sign(self) -> None:
        self._signing = None
        try:
            self._writer.sign()
        except StorageFull as full:
            logger.warning("head not signed", reason=str(full))

    def _settle(self, since: int) -> None:
        """Let a change of voters be settled, now that it is held under the setting before it and the one after."""
        if self._settling:
            return
        self._settling = True

        def decided(store: Store) -> Decision:
            return [MembersSettled()] if voting.find(store).since == since else []

        self._propose(Proposal(decided, PRIMARY), self._settled)

    def _settled(self, outcome: Outcome) -> None:
        self._settling = False
        logger.info("change of members settled", outcome=str(outcome))


def outcome_frame(number: int, outcome: Outcome) -> bytes:
    """Return the answer to the command in message *number*."""
    if isinstance(outcome, LedgerpiError):
        return error_frame(number, outcome)
    if isinstance(outcome, Committed):
        return framed(number, "ok", "committed", outcome.first, outcome.last)
    return framed(number, "ok", "already", outcome.serial)
