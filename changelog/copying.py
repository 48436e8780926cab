"""Copying a log: what is read on one node, and checked before it is committed on another.

A batch carries the signed head that it leads to. Its entries are appended, folded and hashed in one transaction, which
is committed only if the root that comes out is proved to be that of the signed history (RFC 9162 section 2.1.4.2): what
was not verified never reaches the disk.
"""

from collections.abc import Sequence
from hashlib import sha256

from attrs import define, field, frozen

from changelog import checkpoint, contents, holdings, log, tree
from changelog.codec import Event, Stamp, decode, decode_canonical
from changelog.env import Env
from changelog.errors import BlobDamaged, Conflict, InvalidEntry, InvalidProof
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
    note: str  # checkpoint of the head
    proof: tuple[bytes, ...]  # that the head extends the tree up to the last of the entries

    @property
    def last(self) -> int:
        """The serial of the last entry."""
        return self.first + len(self.entries) - 1


@frozen
class Known:
    """A size and root of the log that are known for good: the log can not be another one."""

    size: int
    root: bytes


def read_batch(store: Store, after: int) -> Batch | None:
    """Return what follows entry *after*, up to the bounds of a batch, or None at the end of the log.

    None too while the head is not signed, amid a copy: nothing could be proved.
    """
    head = log.head(store)
    if after >= head.size or not head.checkpoint:
        return None
    taken, size = _Taken(), 0
    for serial, raw in log.entries(store, after + 1):
        event, stamp = decode(raw, serial)
        taken.add(store, raw, event)
        size += len(raw)
        if not stamp.more and (size >= MAX_BATCH_BYTES or len(taken.entries) >= MAX_BATCH_ENTRIES):
            break
    last = after + len(taken.entries)
    proof = tree.consistency_proof(last, head.size, log.node_reader(store))
    records, small = tuple(taken.records.values()), tuple(taken.contents.items())
    return Batch(after + 1, tuple(taken.entries), records, small, head.checkpoint, tuple(proof))


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

    def copy(self, batch: Batch) -> log.Head:
        """Commit *batch* and return the new head.

        Raises:
            Conflict: it does not follow the last entry.
            InvalidEntry: an entry is not canonical, not in order, or ends amid a command.
            InvalidProof: the signature does not hold, or the entries are not those of the signed history.
            BlobDamaged: contents are not what their digest says.
            StorageFull: no space.
        Nothing was committed then.
        """
        signed = checkpoint.verify(batch.note, self._keys)
        if signed.origin != self._origin:
            raise InvalidProof(f"a head of {signed.origin}, not of {self._origin}")
        decoded = [decode_canonical(raw, serial) for serial, raw in enumerate(batch.entries, batch.first)]
        with self._env.write() as store:
            before = log.head(store)
            if batch.first != before.size + 1 or not decoded:
                raise Conflict(f"entries from {batch.first} on do not follow entry {before.size}")
            last = _append(store, batch.entries, [stamp for _, stamp in decoded], before)
            root = log.root(store, last.serial)
            self._check_known(store, before.size, last.serial)
            tree.check_consistency(last.serial, signed.size, root, signed.root, batch.proof)
            _put(store, batch, [event for event, _ in decoded])
            for event, stamp in decoded:  # they are the history's own: what can not be folded is a bug, not a lie
                fold(store, event, stamp)
            note = batch.note if signed.size == last.serial else ""
            head = log.Head(last.epoch, last.serial, root, last.time, note)
            log.set_head(store, head)
            if not before.size:
                self._check_begin(store)
                mark_current(store)
        return head

    def _check_known(self, store: Store, before: int, last: int) -> None:
        for known in self._known:
            if before < known.size <= last and log.root(store, known.size) != known.root:
                raise InvalidProof(f"the first {known.size} entries are not those that are known")

    def _check_begin(self, store: Store) -> None:
        row = cluster.ORIGIN.get(store, cluster.ONLY)
        if row is None or (row.origin, row.log_key) != (self._origin, self._keys[self._origin]):
            raise InvalidProof(f"the first entry does not begin the log of {self._origin}")


def _append(store: LmdbStore, entries: Sequence[bytes], stamps: Sequence[Stamp], before: log.Head) -> Stamp:
    """Append entries and return the stamp of the last."""
    last = Stamp(before.size, before.epoch, before.time, "", 0)
    for raw, stamp in zip(entries, stamps, strict=True):
        if stamp.epoch < last.epoch or stamp.time <= last.time or (last.more and stamp.more != last.more - 1):
            raise InvalidEntry(f"entry {stamp.serial} does not follow the one before it")
        log.append(store, stamp.serial, raw)
        last = stamp
    if last.more:
        raise InvalidEntry(f"entry {last.serial} is followed by {last.more} more of its command")
    return last


def _put(store: Store, batch: Batch, events: Sequence[Event]) -> None:
    """Store records and contents that the entries name; the folds erase what later entries replace."""
    named = {holdings.commitment(event) for event in events} | {holdings.metadata(event) for event in events}
    for stored in batch.records:
        name = sha256(stored).digest()
        if name not in named:
            raise BlobDamaged(f"a private record that no entry of the batch names: {name.hex()}")
        store.put("records", name, stored)
    for digest, value in batch.contents:
        contents.unpacked(digest, value)
        if digest not in named:
            raise BlobDamaged(f"contents that no entry of the batch names: {digest.hex()}")
        store.put("contents", digest, value)
