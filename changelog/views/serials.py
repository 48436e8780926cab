"""Numbers kept beside the rows: last serials of indexes and projects, and counts.

They change with every upload, so they have no history of their own.
"""

from changelog.names import ProjectName
from changelog.tables import Store, key_serial, serial_key

TABLE = "serials"
COUNTS = "counts"
_INDEXES = b"x"


def touch_indexes(store: Store, serial: int) -> None:
    """Note that entry *serial* changed the set of indexes or the options of one."""
    store.put(TABLE, _INDEXES, serial_key(serial))


def of_indexes(store: Store) -> int:
    """Return the last serial that changed the set of indexes or their options."""
    return _number(store.get(TABLE, _INDEXES))


def touch_project(store: Store, index: int, project: ProjectName, serial: int) -> None:
    """Note that entry *serial* changed what index *index* shows of *project*."""
    key, now = serial_key(index), serial_key(serial)
    store.put(TABLE, b"i" + key, now)
    store.put(TABLE, b"p" + key + project.encode(), now)


def of_index(store: Store, index: int) -> int:
    """Return the last serial that changed a project of *index*, 0 = none did."""
    return _number(store.get(TABLE, b"i" + serial_key(index)))


def of_project(store: Store, index: int, project: ProjectName) -> int:
    """Return the last serial that changed *project* in *index*, also after it was deleted.

    0 = it never was there.
    """
    return _number(store.get(TABLE, _project_key(index, project)))


def of_projects(store: Store, index: int) -> dict[bytes, int]:
    """Return the last serials of all projects that ever were in *index*, by name."""
    prefix = b"p" + serial_key(index)
    return {key[len(prefix) :]: key_serial(value) for key, value in store.scan(TABLE, prefix)}


def count(store: Store, kind: bytes, incarnation: int, change: int) -> int:
    """Add *change* to the number of things that *incarnation* has of *kind*, and return the sum."""
    key = kind + serial_key(incarnation)
    number = _number(store.get(COUNTS, key)) + change
    if number:
        store.put(COUNTS, key, serial_key(number))
    else:
        store.delete(COUNTS, key)
    return number


def counted(store: Store, kind: bytes, incarnation: int) -> int:
    """Return the number of things that *incarnation* has of *kind*."""
    return _number(store.get(COUNTS, kind + serial_key(incarnation)))


def _project_key(index: int, project: ProjectName) -> bytes:
    return b"p" + serial_key(index) + project.encode()


def _number(raw: bytes | None) -> int:
    return 0 if raw is None else int.from_bytes(raw)
