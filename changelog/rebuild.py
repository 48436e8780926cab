"""Folding all views anew into the other set of tables, in slices, and switching to it."""

from collections.abc import Iterator

from changelog import log
from changelog.codec import decode
from changelog.env import CURRENT_SET, Env
from changelog.fold import VIEW_TABLES, VIEWS_VERSION, fold
from changelog.packing import packb, unpackb
from changelog.tables import LmdbStore, Store

VERSION = b"views_version"  # key in meta: of the served set
BUILDING = b"views_building"  # key in meta: (letter, version, last serial folded), if one is built
SLICE = 1_000  # entries folded by one transaction


def needed(store: Store) -> bool:
    """Return whether the served views were folded by another version of the folds."""
    return store.get("meta", VERSION) != packb(VIEWS_VERSION)


def start(env: Env) -> None:
    """Begin anew: empty the set that is not served."""
    with env.write() as store:
        letter = _other(store)
        for table in VIEW_TABLES:
            env.view_set(store, letter).clear(table)
        store.put("meta", BUILDING, packb((letter, VIEWS_VERSION, 0)))


def advance(env: Env) -> tuple[int, int]:
    """Fold one slice and return (folded, size); the last one switches the served set with it.

    A crash leaves the building set as the last slice committed it, and the next call goes on there.
    """
    with env.write() as store:
        size = log.head(store).size
        letter, version, done = unpackb(store.get("meta", BUILDING) or packb(("", 0, 0)))
        if version != VIEWS_VERSION:
            raise LookupError("no rebuild of this version of the views was begun")
        views = env.view_set(store, letter)
        last = min(done + SLICE, size)
        for serial, raw in log.entries(store, done + 1, last):
            fold(views, *decode(raw, serial))
        if last < size:
            store.put("meta", BUILDING, packb((letter, version, last)))
        else:
            _switch(store, letter)
        return last, size


def run(env: Env) -> Iterator[tuple[int, int]]:
    """Rebuild, going on where one was interrupted; yield (folded, size) after each slice."""
    with env.read() as store:
        building = store.get("meta", BUILDING)
    if building is None or unpackb(building)[1] != VIEWS_VERSION:
        start(env)
    folded, size = 0, 1
    while folded < size:
        folded, size = advance(env)
        yield folded, size


def mark_current(store: Store) -> None:
    """Note that the views of a new log are folded by this version."""
    store.put("meta", VERSION, packb(VIEWS_VERSION))


def _switch(store: LmdbStore, letter: str) -> None:
    store.put("meta", CURRENT_SET, letter.encode())
    store.delete("meta", BUILDING)
    mark_current(store)


def _other(store: Store) -> str:
    return "b" if (store.get("meta", CURRENT_SET) or b"a") == b"a" else "a"
