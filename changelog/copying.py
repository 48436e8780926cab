"""Copying a log: what is read on one node, and checked before it is committed on another.

A batch leads to a signed head: as far as entries were acknowledged to one that the log's own key signed, beyond that
to one that the primary signed with its node key. Its entries are appended, folded and hashed in one transaction, which
is committed only if the root that comes out is proved to be that of the signed history (RFC 9162 section 2.1.4.2):
what was not verified never reaches the disk.
"""

from collections.abc import Sequence
from hashlib import sha256

from attrs import define, evolve, field, frozen

from changelog import checkpoint, contents, holdings, log, promise, tree, vouching
from changelog.checkpoint import Checkpoint
from changelog.codec import Event, Stamp, decode, decode_canonical
from changelog.env import Env
from changelog.errors import BlobDamaged, Conflict, InvalidEntry, InvalidProof, Superseded
from changelog.events.cluster import PrimaryChanged
from changelog.fold import fold
from changelog.rebuild import mark_current
from changelog.tables import LmdbStore, Store
from changelog.views import cluster

MAX_BATCH_BYTES = 4 << 20  # of entries; one command may take it over that
MAX_BATCH_ENTRIES = 5_000


@frozen
class Batch:
    """Entries with all that they name but blobs, and the signed head of the history that they belong to."""

    first: int  # serial of the first entry
    entries: tuple[bytes, ...]  # whole commands
    records: tuple[bytes, ...]  # private records as stored, those that were not erased since
    contents: tuple[tuple[bytes, bytes], ...]  # digest, and value of the table ``contents``
    note: str  # the newest checkpoint, signed by the log's key; "" = none, or what was asked for is named otherwise
    word: bytes  # of the primary for its head; b"" likewise
    proof: tuple[bytes, ...]  # that the first of these heads that has the last of the entries extends the tree up to it

    @property
    def last(self) -> int:
        """The serial of the last entry."""
        return self.first + len(self.entries) - 1


@frozen
class Known:
    """A size and root of the log that are known for good: the log can not be another one."""

    size: int
    root: bytes


def read_batch(store: Store, after: int, upto: int = 0, most: int = MAX_BATCH_BYTES) -> Batch | None:
    """Return what follows entry *after*, up to *most* bytes or MAX_BATCH_ENTRIES entries.

    None at the end of what can be proved: that is the last head that was signed, or entry *upto* for who knows by other
    means what the log is there.
    """
    head = log.head(store)
    note, word = ("", b"") if upto else (head.checkpoint, vouching.find(store))
    signed = checkpoint.claimed_size(note) if note else 0
    limit = upto or (signed if after < signed else vouching.claimed_size(word))
    if after >= min(limit, head.size):
        return None
    taken, size = _Taken(), 0
    for serial, raw in log.entries(store, after + 1, limit):
        event, stamp = decode(raw, serial)
        taken.add(store, raw, event)
        size += len(raw)
        if not stamp.more and (size >= most or len(taken.entries) >= MAX_BATCH_ENTRIES):
            break
    proof = tree.consistency_proof(after + len(taken.entries), limit, log.node_reader(store))
    records, small = tuple(taken.records.values()), tuple(taken.contents.items())
    return Batch(after + 1, tuple(taken.entries), records, small, note, word, tuple(proof))


@define
class _Taken:
    entries: list[bytes] = field(factory=list)
    records: dict[bytes, bytes] = field(factory=dict)
    contents: dict[bytes, bytes] = field(factory=dict)

    def add(self, store: Store, raw: bytes, event: object) -> None:
        self.entries.append(raw)
        for name, table, found in (
            (holdings.commitment(event), "records", self.records),
            (holdings.metadata(event), "contents", self.contents),
        ):
            value = store.get(table, name) if name else None
            if value is not None:
                found[name] = value


class Copier:
    """Appends what another node has; the only way in which entries get into a replica's log."""

    def __init__(self, env: Env, origin: str, log_key: bytes, known: Sequence[Known] = ()) -> None:
        """Write to *env* the log of *origin* that *log_key* (Ed25519, 32 bytes) signs, with the *known* roots."""
        self._env = env
        self._origin = origin
        self._keys = {origin: log_key}
        self._known = tuple(known)

    def copy(self, batch: Batch, exactly: Known | None = None) -> log.Head:
        """Commit *batch* and return the new head.

        Entries without signed heads are taken only where *exactly* says, of a member's own word, what they lead to.

        Raises:
            Conflict: it does not follow the last entry.
            Superseded: it comes from a primary of an epoch below the one that was promised.
            InvalidEntry: an entry is not canonical, not in order, or ends amid a command.
            InvalidProof: a signature does not hold, or the entries are not those of the signed history.
            BlobDamaged: contents are not what their digest says.
            StorageFull: no space.
        Nothing was committed then.
        """
        signed = self._signed(batch.note)
        decoded = [decode_canonical(raw, serial) for serial, raw in enumerate(batch.entries, batch.first)]
        with self._env.write() as store:
            before = log.head(store)
            if batch.first != before.size + 1 or not decoded:
                raise Conflict(f"entries from {batch.first} on do not follow entry {before.size}")
            vouched = _vouched(store, batch, signed)
            last = _append(store, batch.entries, [stamp for _, stamp in decoded], before)
            root = log.root(store, last.serial)
            self._check_known(store, before.size, last.serial)
            anchor = _anchor(last.serial, signed, vouched, exactly)
            tree.check_consistency(last.serial, anchor.size, root, anchor.root, batch.proof)
            _put(store, batch, [event for event, _ in decoded])
            epoch = before.epoch
            for event, stamp in decoded:  # they are the history's own: what can not be folded is a bug, not a lie
                if epoch and stamp.epoch != epoch:
                    _check_primary(store, event, stamp)
                epoch = stamp.epoch
                fold(store, event, stamp)
            head = log.Head(last.epoch, last.serial, root, last.time, before.checkpoint)
            head = _with_heads(store, head, batch, signed, vouched)
            log.set_head(store, head)
            if not before.size:
                self._check_begin(store)
                mark_current(store)
        return head

    def _signed(self, note: str) -> Checkpoint | None:
        if not note:
            return None
        signed = checkpoint.verify(note, self._keys)
        if signed.origin != self._origin:
            raise InvalidProof(f"a head of {signed.origin}, not of {self._origin}")
        return signed

    def _check_known(self, store: Store, before: int, last: int) -> None:
        for known in self._known:
            if before < known.size <= last and log.root(store, known.size) != known.root:
                raise InvalidProof(f"the first {known.size} entries are not those that are known")

    def _check_begin(self, store: Store) -> None:
        row = cluster.ORIGIN.get(store, cluster.ONLY)
        if row is None or not log.continues(self._origin, row.origin):
            raise InvalidProof(f"the first entry does not begin the log of {self._origin}")
        if row.origin == self._origin and row.log_key != self._keys[self._origin]:
            raise InvalidProof(f"the first entry of {self._origin} has another key")


def _vouched(store: Store, batch: Batch, signed: Checkpoint | None) -> vouching.Vouched | None:
    """Return the primary's word for its head.

    What was acknowledged is in the history of every epoch, and needs none: it may be older, or of a member whose entry
    has yet to come.
    """
    if not batch.word:
        return None
    if signed is not None and batch.last <= signed.size:
        return vouching.VOUCHED.claimed(batch.word)
    vouched = vouching.verify(batch.word, lambda number: cluster.primary_key(store, number))
    if vouched.epoch < promise.epoch(store):
        raise Superseded(f"a primary of epoch {cluster.shown_epoch(vouched.epoch)}, which is over")
    return vouched


def _check_primary(store: Store, event: Event, stamp: Stamp) -> None:
    """Raise InvalidProof unless an epoch begins with the entry of the member who took it, and who may."""
    number = cluster.member_of(stamp.epoch)
    is_its_own = isinstance(event, PrimaryChanged) and event.member == number
    if not is_its_own or cluster.primary_key(store, number) is None:
        shown = cluster.shown_epoch(stamp.epoch)
        raise InvalidProof(f"entry {stamp.serial} does not begin epoch {shown} by a member who may be the primary")


def _anchor(last: int, signed: Checkpoint | None, vouched: vouching.Vouched | None, exactly: Known | None) -> Known:
    """Return the head that entries up to *last* have to lead to."""
    if exactly is not None:
        return exactly
    if signed is not None and last <= signed.size:
        return Known(signed.size, signed.root)
    if vouched is None or vouched.size < last:
        raise InvalidProof(f"nobody signed a head that has entry {last}")
    return Known(vouched.size, vouched.root)


def _with_heads(
    store: Store, head: log.Head, batch: Batch, signed: Checkpoint | None, vouched: vouching.Vouched | None
) -> log.Head:
    """Return *head* with the newest checkpoint that its entries have, and keep the word likewise."""
    if vouched is not None and vouched.size == head.size and vouched.epoch >= promise.given(store):
        vouching.verify(batch.word, lambda number: cluster.primary_key(store, number))
        if (vouched.epoch, vouched.size, vouched.root) != (head.epoch, head.size, head.root):
            raise InvalidProof(f"the primary vouches for another head than that of entry {head.size}")
        vouching.keep(store, batch.word)
    if signed is None or signed.size > head.size:
        return head
    if log.root(store, signed.size) != signed.root:  # also of a head that is here already: such a key is lost
        raise InvalidProof(f"the log's key signed another history of {signed.size} entries")
    return head if signed.size <= checkpoint.claimed_size(head.checkpoint) else evolve(head, checkpoint=batch.note)


def _append(store: LmdbStore, entries: Sequence[bytes], stamps: Sequence[Stamp], before: log.Head) -> Stamp:
    """Append entries and return the stamp of the last."""
    last = Stamp(before.size, before.epoch, before.time, "", 0)
    for stamp in stamps:
        if stamp.epoch < last.epoch or stamp.time <= last.time or (last.more and stamp.more != last.more - 1):
            raise InvalidEntry(f"entry {stamp.serial} does not follow the one before it")
        last = stamp
    if last.more:
        raise InvalidEntry(f"entry {last.serial} is followed by {last.more} more of its command")
    log.append_all(store, before.size + 1, entries)
    return last


def _put(store: LmdbStore, batch: Batch, events: Sequence[Event]) -> None:
    """Store records and contents that the entries name; the folds erase what later entries replace."""
    named = {name for event in events for name in (holdings.commitment(event), holdings.metadata(event))}
    for stored in batch.records:
        name = sha256(stored).digest()
        if name not in named:
            raise BlobDamaged(f"a private record that no entry of the batch names: {name.hex()}")
        store.put("records", name, stored)
    for digest, value in batch.contents:
        contents.unpacked(digest, value)
        if digest not in named:
            raise BlobDamaged(f"contents that no entry of the batch names: {digest.hex()}")
    store.put_all("contents", sorted(batch.contents))
