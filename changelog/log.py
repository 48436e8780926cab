"""The log: entries in order, the tree over them, and its head."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from changelog import tree
from changelog.errors import InvalidEntry
from changelog.packing import Packing
from changelog.tables import LmdbStore, Store, serial_key

HEAD = b"head"  # key in meta


@frozen
class Head:
    """The end of a log. Two logs of one size and different roots have diverged."""

    epoch: int  # of the last entry
    size: int  # number of entries = serial of the last one
    root: bytes  # 32 bytes
    time: int  # of the last entry, microseconds
    checkpoint: str  # signed note over origin, size and root, of this head or of the last one that was acknowledged


EMPTY = Head(epoch=0, size=0, root=tree.EMPTY_ROOT, time=0, checkpoint="")
_HEADS = Packing(Head)


def head(store: Store) -> Head:
    """Return the head that the store's transaction sees."""
    raw = store.get("meta", HEAD)
    return EMPTY if raw is None else _HEADS.unpack(raw)


def set_head(store: Store, value: Head) -> None:
    """Make *value* the head."""
    store.put("meta", HEAD, _HEADS.pack(value))


def continues(origin: str, beginning: str) -> bool:
    """Return whether *origin* is *beginning*, or a later origin of the log that began as that."""
    return origin == beginning or origin.startswith(f"{beginning}/e")


def append(store: LmdbStore, serial: int, entry: bytes) -> None:
    """Write *entry* as number *serial*, which follows the last one, and the nodes it completes."""
    store.append("entries", serial_key(serial), entry)
    for (level, index), value in tree.append(serial - 1, tree.leaf_hash(entry), node_reader(store)):
        store.put("nodes", node_key(level, index), value)


def append_all(store: LmdbStore, first: int, entries: Sequence[bytes]) -> None:
    """Write *entries* as numbers *first* and up, as :func:`append` would one by one."""
    for serial, entry in enumerate(entries, first):
        store.append("entries", serial_key(serial), entry)
    made: dict[tree.Node, bytes] = {}
    stored = node_reader(store)

    def read(level: int, index: int) -> bytes:
        return made.get((level, index)) or stored(level, index)

    for size, entry in enumerate(entries, first - 1):
        made.update(tree.append(size, tree.leaf_hash(entry), read))
    store.put_all("nodes", sorted((node_key(*node), value) for node, value in made.items()))


def node_key(level: int, index: int) -> bytes:
    """Return the key of a complete subtree's hash: level (1 byte) and index (8 bytes)."""
    return bytes((level,)) + serial_key(index)


def node_reader(store: Store) -> tree.ReadNode:
    """Return the function that proofs read stored nodes by."""

    def read(level: int, index: int) -> bytes:
        value = store.get("nodes", node_key(level, index))
        if value is None:
            raise InvalidEntry(f"the tree has no node {level}/{index}")
        return value

    return read


def root(store: Store, size: int) -> bytes:
    """Return the root of the first *size* entries."""
    return tree.root(size, node_reader(store))


def entry(store: Store, serial: int) -> bytes | None:
    """Return the bytes of entry *serial*, or None."""
    return store.get("entries", serial_key(serial))


def entries(store: Store, first: int = 1, last: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield serials and bytes from *first* to *last* (inclusive; None = the end)."""
    for key, raw in store.scan("entries", start=serial_key(first)):
        serial = int.from_bytes(key)
        if last is not None and serial > last:
            return
        yield serial, raw
