"""Answers of a primary that wait for copies, what its members tell it, and changes that get settled."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, evolve, field

from changelog import checkpoint, log
from changelog.events.cluster import DurabilitySet, MemberRemoved, MembersSettled
from changelog.events.users import UserCreated
from changelog.names import UserName
from changelog.records import NONE
from changelog.views import voting
from changelog.writer import Already, Outcome, Proposal, Writer
from server.acks import Ack
from server.ballots import Answer
from server.commands import OPERATOR, Caller, DeleteUser, Request
from server.connection import Connection
from server.copies import Copies
from server.wire import Frame, Frames
from tests.nodes import BEGIN, Node, node
from tests.unit.members import FIRST_EPOCH, added

BOB = UserName("bob")
REQUEST = Request(Caller(OPERATOR, 0), DeleteUser(BOB))
WAIT_S = 5.0


class Nothing:
    """Answers no message: these tests send none."""

    def take(self, connection: Connection, message: Frame) -> None:
        """Take it."""


@define
class Desk:
    """A primary's copies, and a worker's end of a connection to it."""

    node: Node
    writer: Writer
    copies: Copies
    connection: Connection
    worker: asyncio.StreamReader
    frames: Frames = field(factory=Frames)

    def write(self, replicas: int) -> int:
        """Commit an entry and let message 7 wait for its copies; return its serial."""
        (outcome,) = self.writer.commit([Proposal(lambda _: [UserCreated(BOB, NONE)], "alice")])
        self.copies.report(self.connection, 7, outcome, REQUEST, replicas)
        return self.size

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self.head.size

    @property
    def head(self) -> log.Head:
        """The head."""
        with self.node.env.read() as store:
            return log.head(store)

    def acknowledge(self, member: int = 2, size: int | None = None) -> None:
        """Let a member have entries, by default all."""
        with self.node.env.read() as store:
            end = log.head(store).size if size is None else size
            self.copies.take(Ack(member, FIRST_EPOCH, end, log.root(store, end), (), BEGIN))

    async def answer(self) -> Frame:
        """Return the next answer."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for frame in self.frames.feed(await self.worker.read(10_000)):
                    return frame

    async def has_answer(self) -> bool:
        """Return whether an answer came."""
        await asyncio.sleep(0.05)
        return bool(self.worker._buffer)  # type: ignore[attr-defined] # noqa: SLF001 - nothing else tells it


@asynccontextmanager
async def opened(folder: Path, replicas: int, timeout_s: float = WAIT_S) -> AsyncIterator[Desk]:
    """Yield a primary of three voters."""
    ours, theirs = socket.socketpair()
    with node(folder / "node") as made:
        for number in (2, 3):
            made.commit(added(number), MembersSettled())
        if replicas:
            made.commit(DurabilitySet(replicas))
        writer = made.writer

        def propose(proposal: Proposal, report: Callable[[Outcome], None]) -> None:
            (outcome,) = writer.commit([proposal])
            report(outcome)

        copies = Copies(made.env, writer, propose, timeout_s)
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(lambda: Connection(Nothing()), sock=ours)
        worker, other = await asyncio.open_connection(sock=theirs)
        yield Desk(made, writer, copies, connection, worker)
        copies.give_up()
        transport.close()
        other.close()


async def test_a_write_that_wants_no_copies_is_answered_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path, 0) as desk:
        serial = desk.write(0)
        assert await desk.answer() == (7, "ok", "committed", serial, serial)


async def test_a_write_is_answered_when_enough_voters_have_it(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        serial = desk.write(2)
        desk.acknowledge(2)
        desk.acknowledge(3, serial - 1)
        assert not await desk.has_answer()
        desk.acknowledge(3)
        assert await desk.answer() == (7, "ok", "committed", serial, serial)


async def test_an_answer_about_an_older_entry_waits_for_its_copies_too(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        desk.copies.report(desk.connection, 8, Already(5), REQUEST, 1)
        desk.acknowledge(2, 4)
        assert not await desk.has_answer()
        desk.acknowledge(3, 5)
        assert await desk.answer() == (8, "ok", "already", 5)


async def test_what_is_held_already_is_answered_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        desk.acknowledge()
        desk.copies.report(desk.connection, 8, Already(5), REQUEST, 1)
        assert await desk.answer() == (8, "ok", "already", 5)


async def test_who_waited_too_long_is_told_what_is_known(tmp_path: Path) -> None:
    async with opened(tmp_path, 2, timeout_s=0.05) as desk:
        serial = desk.write(2)
        desk.acknowledge()
        number, kind, name, told, *_ = await desk.answer()
        assert (number, kind, name) == (7, "error", "NotReplicated")
        assert told.startswith(f"1.1:{serial} is durable on the primary; 1 of 2 voters")


async def test_a_change_of_copies_is_settled_when_it_is_held(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        desk.acknowledge(2, desk.size - 1)
        with desk.node.env.read() as store:
            assert voting.find(store).since == desk.size
        desk.acknowledge(3)
        with desk.node.env.read() as store:
            assert voting.find(store).since == 0
        size = desk.size
        desk.acknowledge(2)
        assert desk.size == size


async def test_what_is_held_is_signed_a_moment_later(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        desk.acknowledge()
        desk.write(1)
        desk.acknowledge(3)
        assert checkpoint.claimed_size(desk.head.checkpoint) < desk.size
        await asyncio.sleep(1.2)
        assert checkpoint.claimed_size(desk.head.checkpoint) == desk.size


async def test_a_member_that_has_more_of_this_epoch_means_that_the_disk_is_old(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        head = desk.head
        ack = Ack(2, FIRST_EPOCH, head.size, head.root, (), BEGIN)
        assert desk.copies.conflict_with(ack) == ""
        assert desk.copies.conflict_with(evolve(ack, epoch=FIRST_EPOCH + 1, size=99)) == ""
        for other in (evolve(ack, size=head.size + 1), evolve(ack, root=bytes(32))):
            assert "its disk is older than it believes, or was copied" in desk.copies.conflict_with(other)


async def test_who_is_no_voter_stops_no_writes_whatever_it_says_that_it_has(tmp_path: Path) -> None:
    async with opened(tmp_path, 1) as desk:
        desk.node.commit(added(4, voter=False, may_promote=False), added(5), MemberRemoved(5))
        head = desk.head
        for member in (4, 5, 9):
            ack = Ack(member, FIRST_EPOCH, 1 << 60, bytes(32), (), BEGIN)
            said = Answer(member, 0, FIRST_EPOCH, head.size, bytes(32), ((FIRST_EPOCH, 1),))
            assert desk.copies.conflict_with(ack) == ""
            assert desk.copies.conflict_with(said) == ""


@pytest.mark.parametrize("alone", [True, False])
async def test_a_primary_with_other_voters_takes_no_writes_at_first(tmp_path: Path, *, alone: bool) -> None:
    async with opened(tmp_path, 0) as desk:
        if not alone:
            assert desk.copies.shut_reason().endswith("has yet to ask other members whether one took over: n2, n3")
    if alone:
        with node(tmp_path / "alone") as made:
            assert Copies(made.env, made.writer, lambda *_: None, WAIT_S).shut_reason() == ""
