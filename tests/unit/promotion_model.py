"""A cluster in memory for the model of promotion: small nodes that move by the product's own rules.

Real are promises, votes, ballots, acknowledgements, folds and decisions about members. Small are the log, which is a
list whose roots are a chain of hashes, and the net, which delivers a message late, never, or twice.
"""

from collections.abc import Callable
from hashlib import sha256

from attrs import define, field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, log, promise
from changelog.checkpoint import Checkpoint
from changelog.codec import Event, Stamp
from changelog.errors import LedgerpiError
from changelog.events.cluster import LogCreated, MemberAdded, MembersSettled, PrimaryChanged, ReplicaEnrolled
from changelog.events.users import UserCreated
from changelog.fold import fold
from changelog.names import UserName
from changelog.records import NONE
from changelog.tables import MemoryStore, Store
from changelog.views import cluster, voting
from changelog.views.cluster import MEMBER_BITS, epoch_of, member_of
from changelog.writer import Already
from server import ballots, roles
from server.acks import Ack, Acks
from server.ballots import ANSWERS, ASKS, Answer, Ask
from server.commands import OPERATOR, Caller, Command, Join
from server.decide import decide
from tests.nodes import LOG_KEY, ORIGIN, PUBLIC

NAMES = ("a", "b", "c", "d")
CALLER = Caller(OPERATOR, 0)
EMPTY_ROOT = log.EMPTY.root


@frozen
class Entry:
    """An event of a primary; no two are equal, so that histories can be told apart."""

    event: Event
    epoch: int
    unique: int


@frozen
class Write:
    """A write whose answer waits for *replicas* voters besides the primary."""

    entry: Entry
    serial: int
    replicas: int


@frozen
class Told:
    """An acknowledgement under way."""

    ack: Ack
    cosigner: bytes


@define
class Node:
    """A node with its disk, and what a primary has in its memory."""

    name: str
    key: Ed25519PrivateKey
    cosigner: bytes = b""
    entries: list[Entry] = field(factory=list)
    store: Store = field(factory=MemoryStore)
    roots: list[bytes] = field(factory=lambda: [EMPTY_ROOT])
    signed: int = 0  # entries that the log's key signed
    is_copying: bool = True  # its log is empty or amid a copy: it says nothing to others
    acks: Acks | None = None
    held: int = 0
    waiting: list[Write] = field(factory=list)

    @property
    def public(self) -> bytes:
        """Its node key."""
        return self.key.public_key().public_bytes_raw()

    @property
    def url(self) -> str:
        """Where others reach it."""
        return f"http://{self.name}"

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.entries)

    @property
    def number(self) -> int:
        """Its number by its own log, 0 = none."""
        return cluster.number_of(self.store, self.public)

    @property
    def epoch(self) -> int:
        """That of its last entry."""
        return log.head(self.store).epoch

    @property
    def is_primary(self) -> bool:
        """Whether it believes that it may write."""
        return not self.is_copying and roles.of(self.store, self.public) == roles.PRIMARY

    def append(self, entry: Entry) -> None:
        """Append and fold."""
        self.entries.append(entry)
        self.roots.append(sha256(self.roots[-1] + str(entry.unique).encode()).digest())
        fold(self.store, entry.event, Stamp(self.size, entry.epoch, self.size, "", 0))
        self._set_head()

    def sign(self, size: int) -> None:
        """Note that the log's key signed so many entries."""
        self.signed = max(self.signed, size)
        self._set_head()

    def _set_head(self) -> None:
        note = checkpoint.sign(Checkpoint(ORIGIN, self.signed, self.roots[self.signed]), LOG_KEY) if self.signed else ""
        head = log.Head(self.entries[-1].epoch, self.size, self.roots[-1], self.size, note)
        log.set_head(self.store, head)

    def leave(self, unique: int, epoch: int) -> None:
        """Begin an empty log that promises *epoch*, or a later one; the cosigner key is another one from then on."""
        promised = max(promise.epoch(self.store), epoch)
        self.entries, self.store, self.roots = [], MemoryStore(), [EMPTY_ROOT]
        self.signed, self.is_copying, self.acks, self.held, self.waiting = 0, True, None, 0, []
        self.cosigner = f"cosigner {unique}".encode()
        promise.keep(self.store, promised)

    def begins_with(self, other: "Node", size: int) -> bool:
        """Return whether the first *size* entries are those of *other*."""
        return size <= min(self.size, other.size) and self.roots[size] == other.roots[size]


@define
class Candidacy:
    """A promotion under way."""

    node: Node
    epoch: int
    ask: bytes
    own: Answer
    answers: dict[int, Answer]
    answering: dict[int, Node]


@define
class Cluster:
    """Nodes, what is under way between them, and what clients were told."""

    nodes: list[Node] = field(factory=list)
    messages: list[Told] = field(factory=list)
    candidacies: list[Candidacy] = field(factory=list)
    acknowledged: list[Write] = field(factory=list)
    begun: list[tuple[int, list[Entry]]] = field(factory=list)  # epochs that began, and the history behind them
    unique: int = 0

    def next(self) -> int:
        """Return a number that was not used."""
        self.unique += 1
        return self.unique

    def begin(self, count: int) -> None:
        """Make *count* nodes, the first of which is the primary of a new log."""
        for place, name in enumerate(NAMES[:count]):
            key = Ed25519PrivateKey.from_private_bytes(bytes([place + 1]) * 32)
            self.nodes.append(Node(name, key, f"cosigner {self.next()}".encode()))
        first = self.nodes[0]
        first.is_copying = False
        events: list[Event] = [
            LogCreated(ORIGIN, PUBLIC),
            MemberAdded(first.name, 1, first.url, first.public, voter=True, may_promote=True),
            PrimaryChanged(1, 0, 0, EMPTY_ROOT),
            *(ReplicaEnrolled(name, name.encode() * 32, voter=True, may_promote=True) for name in NAMES[1:count]),
        ]
        for event in events:
            first.append(Entry(event, epoch_of(1, 1), self.next()))
        first.sign(first.size)
        first.acks = Acks(epoch_of(1, 1))

    def write(self, node: Node, more: int) -> None:
        """Let a client write on a node that may be an old primary, and wait for *more* voters than it has to."""
        if node.is_primary:
            self._commit(node, [UserCreated(UserName(f"user{self.next()}"), NONE)], more)

    def order(self, node: Node, command: Command) -> None:
        """Carry out a command about the cluster where it is allowed."""
        if not node.is_primary:
            return
        try:
            decision = decide(node.store, CALLER, command)
        except LedgerpiError:
            return
        if not isinstance(decision, Already) and decision:
            self._commit(node, list(decision), 0)

    def join(self, node: Node, primary: Node) -> None:
        """Have a primary make *node* a member, or note its new cosigner key."""
        self.order(primary, Join(node.name, node.public, node.cosigner, node.url))

    def _commit(self, node: Node, events: list[Event], more: int) -> None:
        for event in events:
            node.append(Entry(event, node.epoch, self.next()))
        replicas = voting.required(node.store)
        if replicas or more:
            node.waiting.append(Write(node.entries[-1], node.size, replicas + more))
        self._progress(node)

    def tell(self, node: Node) -> None:
        """Let a node say what it has; nothing of a history that it promised to take no more of."""
        if node.is_copying or node.is_primary or promise.given(node.store) > node.epoch or not node.number:
            return
        ack = Ack(node.number, node.epoch, node.size, node.roots[-1], (), self.next())
        self.messages.append(Told(ack, node.cosigner))

    def hear(self, node: Node, told: Told) -> None:
        """Let a primary take an acknowledgement, if a member signed it."""
        row = cluster.member(node.store, told.ack.member)
        if not node.is_primary or node.acks is None or row is None or row.cosigner_key != told.cosigner:
            return
        is_known = told.ack.size <= node.size and node.roots[told.ack.size] == told.ack.root
        assert told.ack.epoch != node.epoch or is_known, "a voter has entries of an epoch that its primary has not"
        if node.acks.take(told.ack):
            self._progress(node)

    def _progress(self, node: Node) -> None:
        """Sign, settle and answer what is held by now."""
        assert node.acks is not None
        now = voting.find(node.store)
        for write in list(node.waiting):
            if node.acks.is_held(now, write.serial, (), write.replicas):
                node.waiting.remove(write)
                self._acknowledge(write)
        node.held = max(node.held, node.acks.held(now, node.size))
        node.sign(node.held if voting.required_by(now) else node.size)
        if now.since and node.acks.is_held(now, now.since, (), 0):
            self._commit(node, [MembersSettled()], 0)

    def _acknowledge(self, write: Write) -> None:
        self.acknowledged.append(write)
        for epoch, history in self.begun:
            check_has(epoch, history, write)

    def copy(self, node: Node, source: Node, count: int) -> None:
        """Take up to *count* entries from another node, as the copier would; leave for a later epoch."""
        if node is source or node.is_primary or source.is_copying:
            return
        if not source.begins_with(node, node.size):
            if not node.is_copying and source.epoch > node.epoch:
                node.leave(self.next(), source.epoch)
            return
        is_followed = source.epoch >= promise.epoch(node.store)
        end = min(node.size + count, source.size if is_followed else source.signed)
        for entry in source.entries[node.size : end]:
            node.append(entry)
        if node.entries:
            node.sign(min(source.signed, node.size))
        if is_followed and node.size == source.size:
            node.is_copying = False

    def learn(self, node: Node, other: Node) -> None:
        """Let a node hear what another one promised."""
        if node.is_copying or other.is_copying or not other.number:
            return
        signed = ANSWERS.sign(ballots.position(other.store, other.number), other.key)
        try:
            newest = ballots.newest(node.store, signed)
        except LedgerpiError:
            return
        if newest:
            promise.keep(node.store, newest)

    def restart(self, node: Node) -> None:
        """Let a node forget what is in memory alone."""
        node.waiting, node.held = [], 0
        node.acks = Acks(node.epoch) if node.is_primary else None

    def stand(self, node: Node, seen: list[Node]) -> None:
        """Begin a promotion with an epoch above all that *seen* say."""
        if node.is_copying or not node.number:
            return
        newest = max(promise.epoch(other.store) for other in [node, *seen])
        epoch = epoch_of((newest >> MEMBER_BITS) + 1, node.number)
        ask = ASKS.sign(Ask(node.number, epoch, 0), node.key)
        answer = self._answer(node, ask)
        if answer is not None:
            answers, answering = {node.number: answer}, {node.number: node}
            self.candidacies.append(Candidacy(node, epoch, ask, answer, answers, answering))

    def _answer(self, node: Node, ask: bytes) -> Answer | None:
        try:
            ballots.promised(node.store, ask)
        except LedgerpiError:
            return None
        return ballots.position(node.store, node.number)

    def ask(self, candidacy: Candidacy, other: Node) -> None:
        """Let a candidate ask another member."""
        node = candidacy.node
        if other is node or other.is_copying or not other.number:
            return
        answer = self._answer(other, candidacy.ask)
        row = cluster.member(node.store, other.number)
        if answer is None or answer.promised != candidacy.epoch:
            return
        if row is not None and row.node_key == other.public and row.voter:
            candidacy.answers[other.number], candidacy.answering[other.number] = answer, other

    def take_over(self, candidacy: Candidacy, newest: Callable[[Answer], tuple[int, int]]) -> None:
        """Let a candidate copy the best history that was answered and begin its epoch, if enough answered."""
        node = candidacy.node
        best = max(candidacy.answers.values(), key=newest)
        other = candidacy.answering[best.member]
        if other.size < best.size or other.roots[best.size] != best.root:
            return
        if node.size < best.size and other.begins_with(node, node.size):
            for entry in other.entries[node.size : best.size]:
                node.append(entry)
        is_there = (node.epoch, node.size, node.roots[-1]) == (best.epoch, best.size, best.root)
        if not is_there or promise.given(node.store) != candidacy.epoch or node.is_primary:
            return
        if any(True for _ in voting.lacking(voting.find(node.store), candidacy.answers)):
            return
        self._begin(node, candidacy.epoch, best)

    def _begin(self, node: Node, epoch: int, best: Answer) -> None:
        history = list(node.entries)
        for write in self.acknowledged:
            check_has(epoch, history, write)
        self.begun.append((epoch, history))
        changed = PrimaryChanged(member_of(epoch), best.epoch, best.size, best.root)
        node.append(Entry(changed, epoch, self.next()))
        node.acks, node.held, node.waiting = Acks(epoch), 0, []
        self._progress(node)


def check_has(epoch: int, history: list[Entry], write: Write) -> None:
    """Check that the history behind a later epoch has a write that was acknowledged."""
    if epoch > write.entry.epoch:
        there = history[write.serial - 1] if write.serial <= len(history) else None
        assert there == write.entry, f"epoch {cluster.shown_epoch(epoch)} lacks entry {write.serial}"


def newest_history(answer: Answer) -> tuple[int, int]:
    """Return what the best answer is the largest by: newest last epoch, then largest size."""
    return answer.epoch, answer.size
