"""Entries and tree: every entry is read, decoded and hashed, every stored hash compared."""

from collections.abc import Iterator

from changelog import log, tree
from changelog.codec import Event, Stamp, decode_canonical
from changelog.errors import Damaged
from changelog.events.cluster import DurabilitySet, LogCreated, LossAccepted, MemberAdded
from changelog.tables import Store, serial_key
from changelog.verify.report import Kind, Progress, Report
from changelog.verify.source import Begin, Snapshots, ranges

STAGE = "entries"


class EntryCheck:
    """Walks the log once, in the order of the serials."""

    def __init__(self, begun: Begin, report: Report) -> None:
        """Check the entries that *begun* tells of."""
        self._size = begun.size
        self._root = None if begun.head is None else begun.head.root
        self._report = report
        self._pending: dict[int, bytes] = {}  # by level: left subtrees that wait for their sibling
        self._gap = False  # whether the entry before this one could not be read
        self.keys: dict[str, bytes] = {}  # origin: key that signs its checkpoints
        self.node_keys: dict[int, bytes] = {}  # of members
        self.replicas = 0  # voters that acknowledge a head before it is signed
        self.last: Stamp | None = None  # of the newest entry that could be read

    def walk(self, snapshots: Snapshots, progress: Progress) -> None:
        """Check all entries and their part of the tree."""
        for first, last in ranges(self._size):
            with snapshots() as store:
                self._range(store, first, last)
            progress(STAGE, last, self._size)
        self._report.checked[STAGE] += self._size
        if self.last is not None and self.last.more and not self._gap:
            self._entry(self._size, f"the log ends {self.last.more} entries before its command does")

    def root(self) -> bytes:
        """Return the root over all entries as they are."""
        value = b""
        for level in range(self._size.bit_length()):
            if self._size >> level & 1:
                left = self._pending[level]
                value = tree.node_hash(left, value) if value else left
        return value or tree.EMPTY_ROOT

    def _range(self, store: Store, first: int, last: int) -> None:
        start = serial_key(first - 1) + b"\0" if first > 1 else b""  # odd keys between them, too
        rows = store.scan("entries", start=start)
        row = next(rows, None)
        for serial in range(first, last + 1):
            key = serial_key(serial)
            while row is not None and row[0] < key:
                self._entry(f"key {row[0].hex()}", "the key is no serial")
                row = next(rows, None)
            if row is not None and row[0] == key:
                self._present(serial, row[1])
                self._leaf(store, serial, row[1])
                row = next(rows, None)
            else:
                self._gap = True
                self._entry(serial, "the entry is missing")
                self._leaf(store, serial, None)

    def _present(self, serial: int, raw: bytes) -> None:
        try:
            event, stamp = decode_canonical(raw, serial)
        except Damaged as error:
            self._gap = True
            self._entry(serial, str(error))
            return
        if serial == 1:
            if not isinstance(event, LogCreated):
                self._entry(serial, "the first entry is no LogCreated")
        elif self.last is not None and not self._gap:
            for fault in _order_faults(self.last, stamp):
                self._entry(serial, fault)
        self._gap = False
        self.last = stamp
        self._keys_of(event)

    def _keys_of(self, event: Event) -> None:
        """Learn who signs heads, and when."""
        if isinstance(event, LogCreated | LossAccepted):
            self.keys[event.origin] = event.log_key
        elif isinstance(event, MemberAdded):
            self.node_keys[event.number] = event.node_key
        elif isinstance(event, DurabilitySet):
            self.replicas = event.replicas

    def _leaf(self, store: Store, serial: int, raw: bytes | None) -> None:
        """Compare the stored hash of an entry with its bytes; if they differ, tell which lies."""
        index = serial - 1
        stored = store.get("nodes", log.node_key(0, index))
        made = None if raw is None else tree.leaf_hash(raw)
        if stored is None:
            self._tree(0, index, "the hash is missing")
        elif made is not None and made != stored:
            if self._proved(store, index, stored):
                self._entry(serial, "its bytes are not those that the tree was made of")
                made = stored  # so that the tree above is judged by what it was made of
            else:
                self._tree(0, index, f"the hash is not that of entry {serial}")
        self._climb(store, index, made or stored or b"")

    def _proved(self, store: Store, index: int, leaf: bytes) -> bool:
        """Return whether the head's root says that *leaf* was the hash of the entry."""
        if self._root is None:
            return False
        try:
            proof = tree.inclusion_proof(index, self._size, log.node_reader(store))
            tree.check_inclusion(index, self._size, leaf, proof, self._root)
        except Damaged:
            return False
        return True

    def _climb(self, store: Store, index: int, value: bytes) -> None:
        level = 0
        while index & 1:
            value = tree.node_hash(self._pending[level], value)
            level, index = level + 1, index >> 1
            stored = store.get("nodes", log.node_key(level, index))
            if stored is None:
                self._tree(level, index, "the hash is missing")
            elif stored != value:
                self._tree(level, index, "the hash is not that of the entries below it")
        self._pending[level] = value

    def _entry(self, subject: object, message: str) -> None:
        self._report.add(Kind.ENTRY, subject, message)

    def _tree(self, level: int, index: int, message: str) -> None:
        self._report.add(Kind.TREE, f"{level}/{index}", message)


def _order_faults(before: Stamp, stamp: Stamp) -> Iterator[str]:
    if stamp.time <= before.time:
        yield f"its time {stamp.time} is not after {before.time}, that of the entry before"
    if stamp.epoch < before.epoch:
        yield f"its epoch {stamp.epoch} is below {before.epoch}, that of the entry before"
    if stamp.more < 0 or (before.more and stamp.more != before.more - 1):
        yield f"{stamp.more} entries are said to follow, {before.more} were in the entry before"
