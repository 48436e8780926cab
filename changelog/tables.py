"""Named tables of bytes over a transaction or over a dict, and typed rows in them."""

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

import attrs
import lmdb
from attrs import frozen

from changelog.packing import Packing

SERIAL_BYTES = 8
OPEN = 0  # the until of a row that is still true


def serial_key(serial: int) -> bytes:
    """Return *serial* as 8 bytes, big-endian, so that keys sort as numbers."""
    return serial.to_bytes(SERIAL_BYTES)


def key_serial(key: bytes) -> int:
    """Return the serial in the last 8 bytes of *key*."""
    return int.from_bytes(key[-SERIAL_BYTES:])


class Store(ABC):
    """Tables as one transaction sees them. Keys are bytes of 1 to 511, sorted as such."""

    @abstractmethod
    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value at *key*, or None."""

    @abstractmethod
    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Set the value at *key*."""

    @abstractmethod
    def put_new(self, table: str, key: bytes, value: bytes) -> bool:
        """Set the value at *key* unless there is one, and return whether there was none."""

    @abstractmethod
    def delete(self, table: str, key: bytes) -> bool:
        """Remove *key* and return whether it was there."""

    @abstractmethod
    def scan(self, table: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in order: keys that begin with *prefix*, not below *start*."""


class MemoryStore(Store):
    """Tables in dicts, for unit tests of folds and decisions."""

    def __init__(self) -> None:
        """Begin empty."""
        self._values: dict[str, dict[bytes, bytes]] = {}
        self._keys: dict[str, list[bytes]] = {}

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value at *key*, or None."""
        return self._values.get(table, {}).get(key)

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Set the value at *key*."""
        values = self._values.setdefault(table, {})
        if key not in values:
            insort(self._keys.setdefault(table, []), key)
        values[key] = value

    def put_new(self, table: str, key: bytes, value: bytes) -> bool:
        """Set the value at *key* unless there is one, and return whether there was none."""
        is_new = self.get(table, key) is None
        if is_new:
            self.put(table, key, value)
        return is_new

    def delete(self, table: str, key: bytes) -> bool:
        """Remove *key* and return whether it was there."""
        if self._values.get(table, {}).pop(key, None) is None:
            return False
        keys = self._keys[table]
        del keys[bisect_left(keys, key)]
        return True

    def scan(self, table: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from *start* on while they begin with *prefix*."""
        keys = self._keys.get(table, [])
        for key in keys[bisect_left(keys, max(prefix, start)) :]:
            if not key.startswith(prefix):
                return
            yield key, self._values[table][key]


class LmdbStore(Store):
    """Tables of one LMDB transaction."""

    def __init__(self, txn: lmdb.Transaction, databases: dict[str, Any]) -> None:
        """Look up table names in *databases*."""
        self.txn = txn
        self._databases = databases

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value at *key*, or None."""
        return cast("bytes | None", self.txn.get(key, None, self._databases[table]))

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Set the value at *key*."""
        self.txn.put(key, value, db=self._databases[table])

    def put_new(self, table: str, key: bytes, value: bytes) -> bool:
        """Set the value at *key* unless there is one, and return whether there was none."""
        is_new: bool = self.txn.put(key, value, overwrite=False, db=self._databases[table])
        return is_new

    def put_all(self, table: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
        """Set the values at many keys; sorted ones take less time."""
        with self.txn.cursor(db=self._databases[table]) as cursor:
            cursor.putmulti(rows)

    def append(self, table: str, key: bytes, value: bytes) -> None:
        """Set the value at *key*, which sorts after all others; fills pages whole."""
        if not self.txn.put(key, value, db=self._databases[table], append=True):
            raise ValueError(f"{table}: {key.hex()} is not the last key")

    def delete(self, table: str, key: bytes) -> bool:
        """Remove *key* and return whether it was there."""
        deleted: bool = self.txn.delete(key, db=self._databases[table])
        return deleted

    def scan(self, table: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from *start* on while they begin with *prefix*."""
        with self.txn.cursor(db=self._databases[table]) as cursor:
            first = max(prefix, start)
            if not (cursor.set_range(first) if first else cursor.first()):
                return
            for key, value in cast("Iterator[tuple[bytes, bytes]]", cursor):
                if not key.startswith(prefix):
                    return
                yield key, value

    def clear(self, table: str) -> None:
        """Remove every key."""
        self.txn.drop(self._databases[table], delete=False)

    def count(self, table: str) -> int:
        """Return the number of keys."""
        entries: int = self.txn.stat(self._databases[table])["entries"]
        return entries


@runtime_checkable
class Timed(Protocol):
    """A row that says since which serial it is true."""

    @property
    def since(self) -> int:
        """The serial of the entry that made the row what it is."""


V = TypeVar("V")
W = TypeVar("W", bound=Timed)


class Table(Generic[V]):
    """Rows of one class."""

    def __init__(self, name: str, row: type[V]) -> None:
        """Keep rows of class *row* in the table *name*."""
        self.name = name
        self._packing = Packing(row)

    @property
    def names(self) -> tuple[str, ...]:
        """The tables of a store that this one uses."""
        return (self.name,)

    def get(self, store: Store, key: bytes) -> V | None:
        """Return the row at *key*, or None."""
        raw = store.get(self.name, key)
        return None if raw is None else self._packing.unpack(raw)

    def put(self, store: Store, key: bytes, row: V) -> None:
        """Set the row at *key*."""
        store.put(self.name, key, self._packing.pack(row))

    def put_new(self, store: Store, key: bytes, row: V) -> None:
        """Set the row at *key* unless there is one."""
        store.put_new(self.name, key, self._packing.pack(row))

    def scan(self, store: Store, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, V]]:
        """Yield keys and rows in the order of the keys."""
        unpack = self._packing.unpack
        for key, raw in store.scan(self.name, prefix, start):
            yield key, unpack(raw)


@frozen
class Past:
    """A row as it was: true from its own ``since`` up to, but not in, ``until``."""

    until: int
    row: bytes


class TimedTable(Generic[W]):
    """Rows that are true since a serial; what they were before is kept beside them.

    Past rows are named by the key, a NUL byte and ``since``; a key holds no NUL byte but in a
    fixed-length beginning.
    """

    def __init__(self, name: str, row: type[W]) -> None:
        """Keep current rows in the table *name* and past ones in *name*``_past``."""
        self.current = Table(name, row)
        self.past = Table(f"{name}_past", Past)
        self._packing = Packing(row)

    @property
    def names(self) -> tuple[str, ...]:
        """The tables of a store that this one uses."""
        return (self.current.name, self.past.name)

    def get(self, store: Store, key: bytes) -> W | None:
        """Return the row at *key* that is true now, or None."""
        return self.current.get(store, key)

    def put(self, store: Store, key: bytes, row: W) -> None:
        """Make *row* true at *key* since ``row.since``."""
        self._bury(store, key, row.since)
        self.current.put(store, key, row)

    def begin(self, store: Store, key: bytes, row: W) -> None:
        """As :meth:`put`, where no row is true."""
        self.current.put(store, key, row)

    def close(self, store: Store, key: bytes, serial: int) -> None:
        """Let no row be true at *key* from *serial* on."""
        self._bury(store, key, serial)
        store.delete(self.current.name, key)

    def scan(self, store: Store, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, W]]:
        """Yield keys and rows that are true now."""
        return self.current.scan(store, prefix, start)

    def was(self, store: Store, key: bytes) -> bool:
        """Return whether some row was true at *key* and is no longer."""
        return next(store.scan(self.past.name, key + b"\0"), None) is not None

    def last(self, store: Store, key: bytes) -> W | None:
        """Return the row at *key* that is true, or was the last one, or None if there never was one."""
        row = self.get(store, key)
        for _, past in () if row is not None else self.past.scan(store, key + b"\0"):
            row = self._packing.unpack(past.row)
        return row

    def at(self, store: Store, key: bytes, serial: int) -> W | None:
        """Return the row at *key* that was true after entry *serial*, or None."""
        row = self.get(store, key)
        if row is not None and row.since <= serial:
            return row
        for _, past in self.past.scan(store, key + b"\0"):
            then = self._packing.unpack(past.row)
            if then.since <= serial < past.until:
                return then
        return None

    def _bury(self, store: Store, key: bytes, serial: int) -> None:
        raw = store.get(self.current.name, key)
        if raw is None:
            return
        since = self._packing.unpack(raw).since
        if since < serial:
            self.past.put(store, key + b"\0" + serial_key(since), Past(serial, raw))


def changed(row: W, **fields: Any) -> W:  # noqa: ANN401 - the fields of the row
    """Return *row* with other *fields*."""
    return attrs.evolve(row, **fields)  # type: ignore[misc] # rows are attrs classes
