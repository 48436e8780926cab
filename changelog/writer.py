"""The only write transactions: decide, append, fold and sign, committed together.

What a crash leaves: LMDB commits all of a group or nothing, so a view is never behind its log.
``docs/design/writer.md`` says why decisions are made in the group's own transaction and not in
nested ones.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from attrs import define, evolve, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, contents, holdings, log, promise, rebuild, vouching
from changelog.blobs import Blobs
from changelog.codec import MAX_ENTRY_BYTES, Event, Stamp, check, encode
from changelog.env import Env
from changelog.errors import BlobDamaged, Conflict, LedgerpiError, NotPrimary, StorageFull, TooLarge
from changelog.fold import fold
from changelog.records import Record
from changelog.tables import LmdbStore, Store
from changelog.views import cluster, voting
from changelog.vouching import VOUCHED, Vouched

MAX_EVENTS = 2_000  # of one command; a larger change is several commands


@frozen
class Already:
    """What a command asks for is there since entry *serial*."""

    serial: int


@frozen
class Committed:
    """The entries of a command, first and last serial; they are durable."""

    first: int
    last: int


Decision = Sequence[Event] | Already
Outcome = Committed | Already | LedgerpiError


@frozen
class Proposal:
    """A command as the writer takes it."""

    decide: Callable[[Store], Decision]  # raises a LedgerpiError to refuse
    actor: str
    records: tuple[Record, ...] = ()  # private records that its events commit to
    contents: tuple[tuple[bytes, bytes], ...] = ()  # (SHA-256, derived bytes) under 16 KiB


@frozen
class _Entry:
    """An entry that was checked and is to be written."""

    event: Event
    stamp: Stamp
    raw: bytes


@define
class _Group:
    """A group under way: the end of the log as it will be."""

    store: LmdbStore
    epoch: int
    size: int
    time: int
    begun: int


@frozen
class Keys:
    """What a primary signs heads with."""

    log: Ed25519PrivateKey  # what was acknowledged
    node: Ed25519PrivateKey  # what it has


class Writer:
    """Appends to the log of one node; only one process has one."""

    def __init__(self, env: Env, blobs: Blobs, keys: Keys, clock: Callable[[], int]) -> None:
        """Write to *env* and sign with *keys*; *clock* gives microseconds since 1970."""
        self._env = env
        self._blobs = blobs
        self._keys = keys
        self._clock = clock
        self.held = 0  # entries that are known to be held by as many voters as the settings want

    def create(self, events: Sequence[Event], records: Sequence[Record], epoch: int) -> None:
        """Begin a log with *events*, the first of which names its origin.

        Raises:
            Conflict: there is a log.
        """
        with self._env.write() as store:
            group = self._begin(store)
            if group.size:
                raise Conflict(f"there is a log of {group.size} entries already")
            group.epoch = epoch
            proposal = Proposal(lambda _: events, ":init", tuple(records))
            self._write(group, proposal, self._entries(group, proposal, events))
            self._end(group)
            rebuild.mark_current(store)

    def take_over(self, after: log.Head, epoch: int, events: Sequence[Event]) -> None:
        """Begin *epoch* with *events* behind the head *after*.

        Raises:
            Conflict: the log does not end there any more, or a higher epoch was promised.
        """
        with self._env.write() as store:
            group = self._begin(store)
            head = log.head(store)
            if (head.epoch, head.size, head.root) != (after.epoch, after.size, after.root):
                raise Conflict(f"the log has {head.size} entries, not {after.size}")
            if promise.given(store) != epoch:
                raise Conflict(f"epoch {cluster.shown_epoch(epoch)} was not promised, or a later one was too")
            group.epoch = epoch
            proposal = Proposal(lambda _: events, ":promote")
            self._write(group, proposal, self._entries(group, proposal, events))
            self._end(group)

    def sign(self) -> None:
        """Sign what is held by now, if nothing was appended since."""
        with self._env.write() as store:
            head = log.head(store)
            note = self._note(store, head.size, head.root, head.checkpoint)
            log.set_head(store, evolve(head, checkpoint=note))

    def commit(self, proposals: Sequence[Proposal]) -> list[Outcome]:
        """Carry out *proposals* in order, with one fsync, and return what became of each.

        A refused one changes nothing; the others see what those before them did. One that decides
        on no events finds all done.

        Raises:
            StorageFull: no space; none of them was carried out.
            NotPrimary: another primary was promised to; none was carried out.
        """
        with self._env.write() as store:
            group = self._begin(store)
            if promise.epoch(store) > group.epoch:
                raise NotPrimary(f"epoch {cluster.shown_epoch(promise.epoch(store))} was promised to another primary")
            outcomes = [self._carry_out(group, proposal) for proposal in proposals]
            if group.size > group.begun:
                self._end(group)
        return outcomes

    def _carry_out(self, group: _Group, proposal: Proposal) -> Outcome:
        try:
            decision = proposal.decide(group.store)
            if isinstance(decision, Already):
                return decision
            if not decision:
                return Already(group.size)
            entries = self._entries(group, proposal, decision)
        except StorageFull:
            raise
        except LedgerpiError as refusal:
            return refusal
        self._write(group, proposal, entries)
        return Committed(entries[0].stamp.serial, group.size)

    def _entries(self, group: _Group, proposal: Proposal, events: Sequence[Event]) -> Sequence[_Entry]:
        """Return what is to be written; what must not be in the log is refused before any write."""
        if len(events) > MAX_EVENTS:
            raise TooLarge(f"{len(events)} changes at once, at most {MAX_EVENTS}")
        _check_contents(proposal)
        entries: list[_Entry] = []
        time = group.time
        for place, event in enumerate(events, 1):
            time = max(self._clock(), time + 1)
            more = len(events) - place
            stamp = Stamp(group.size + place, group.epoch, time, proposal.actor, more)
            raw = encode(event, stamp)
            if len(raw) > MAX_ENTRY_BYTES:
                kind = type(event).__name__
                raise TooLarge(f"{kind} would be {len(raw)} bytes, at most {MAX_ENTRY_BYTES}")
            check(raw, stamp.serial)  # what no node could read would stop them all
            self._check_bytes(group.store, proposal, event)
            entries.append(_Entry(event, stamp, raw))
        return entries

    def _check_bytes(self, store: Store, proposal: Proposal, event: Event) -> None:
        """Every digest an entry names leads to durable bytes."""
        blob = holdings.blob(event)
        if blob is not None and not self._blobs.has(blob.sha256, blob.size):
            raise BlobDamaged(f"the bytes of a {type(event).__name__} are not there: {blob.sha256.hex()}")
        digest = holdings.metadata(event)
        if digest and not (
            any(digest == name for name, _ in proposal.contents)
            or store.get("contents", digest) is not None
            or self._blobs.has(digest)
        ):
            raise BlobDamaged(f"the core metadata are not there: {digest.hex()}")

    def _begin(self, store: LmdbStore) -> _Group:
        head = log.head(store)
        return _Group(store, head.epoch, head.size, head.time, head.size)

    def _write(self, group: _Group, proposal: Proposal, entries: Sequence[_Entry]) -> None:
        store = group.store
        for record in proposal.records:
            store.put("records", record.commitment, record.stored)
        for digest, content in proposal.contents:
            store.put("contents", digest, contents.packed(content))
        for entry in entries:
            log.append(store, entry.stamp.serial, entry.raw)
            fold(store, entry.event, entry.stamp)
        group.size, group.time = entries[-1].stamp.serial, entries[-1].stamp.time

    def _end(self, group: _Group) -> None:
        """Sign the head; the commit that makes it durable comes before the signatures can leave."""
        store = group.store
        root = log.root(store, group.size)
        note = self._note(store, group.size, root, log.head(store).checkpoint)
        log.set_head(store, log.Head(group.epoch, group.size, root, group.time, note))
        word = Vouched(cluster.member_of(group.epoch), group.epoch, group.size, root, group.time)
        vouching.keep(store, VOUCHED.sign(word, self._keys.node))

    def _note(self, store: LmdbStore, size: int, root: bytes, before: str) -> str:
        """Return the newest checkpoint: of the head where nothing has to be acknowledged, else of what is held.

        Where a log goes on under another origin, an operator's word stands for those who hold it.
        """
        origin = cluster.origin(store).origin
        if voting.required(store) and before.startswith(f"{origin}\n"):
            size = min(self.held, size)
            if size <= checkpoint.claimed_size(before):
                return before
            root = log.root(store, size)
        return checkpoint.sign(checkpoint.Checkpoint(origin, size, root), self._keys.log)


def _check_contents(proposal: Proposal) -> None:
    for digest, content in proposal.contents:
        if not contents.is_small(content) or sha256(content).digest() != digest:
            raise BlobDamaged(f"{len(content)} bytes that are not small or not {digest.hex()}")
