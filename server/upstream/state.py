"""What a node remembers of its upstreams: when each page was asked for, where files lie, which are used.

No part of the history: it is another on every node, and can be lost at any time. Then upstreams are asked again.
"""

import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attrs import frozen

from changelog.env import ScratchEnv
from changelog.names import FileName, ProjectName
from changelog.tables import LmdbStore, Store, Table, serial_key

MAP_SIZE = 64 << 30  # bytes of address space
IDENTITY_BYTES = 8
BOOT = Path("/proc/sys/kernel/random/boot_id")
AT_ONCE = 1_000  # rows removed by one transaction
OK, MISSING, FAILED = "ok", "missing", "failed"


@frozen
class Checked:
    """How it went when upstream was last asked for a page."""

    at: int  # microseconds
    until: int  # microseconds; upstream is not asked again before, if it did not answer or said 404
    seen: int  # since of the mirror's page then, 0 = none; with another one, this says nothing
    outcome: str  # OK, MISSING (404) or FAILED
    reason: str  # why not OK
    etag: str
    modified: str  # Last-Modified
    serial: int  # upstream's own, -1 = not told

    def good_until(self, seen: int, expiry_s: float) -> float:
        """Return until when (seconds since 1970) this is all that is to be known of the page; 0 = it is not.

        *seen* is the page's since now, *expiry_s* how long the mirror takes a page for fresh.
        """
        if self.seen != seen or self.at / 1e6 > time.time():
            return 0.0
        return self.at / 1e6 + expiry_s if self.outcome == OK else self.until / 1e6


@frozen
class Health:
    """How an upstream is doing; index incarnation is the key."""

    at: int  # microseconds, of the last answer or failure
    outcome: str  # OK or FAILED
    reason: str
    failures: int  # in a row


@frozen
class Use:
    """When a fetched file was last used; its SHA-256 is the key."""

    at: int  # seconds
    size: int  # bytes


CHECKED = Table("checked", Checked)
HEALTH = Table("health", Health)
USES = Table("uses", Use)
URLS = "urls"  # private URLs of files: the key of the page, a zero byte and the file name
TABLES = (CHECKED.name, HEALTH.name, USES.name, URLS)


def prepare(folder: Path) -> None:
    """Make the tables; what a crash of the whole machine may have left half written is thrown away."""
    clean, boot = folder / "clean", folder / "boot"
    current = BOOT.read_text() if BOOT.exists() else ""
    if boot.exists() and boot.read_text() != current and not clean.exists():
        shutil.rmtree(folder)
    ScratchEnv(folder, TABLES, readonly=False, map_size=MAP_SIZE).close()
    boot.write_text(current)
    clean.unlink(missing_ok=True)


def free_readers(folder: Path) -> None:
    """Free the slots of readers whose process died; by a process that does not have the tables open."""
    with closing(ScratchEnv(folder, TABLES, readonly=True, map_size=MAP_SIZE)) as env:
        env.reader_check()


def identity(url: str) -> bytes:
    """Return what stands for an upstream in keys: another ``mirror_url`` begins anew."""
    return hashlib.sha256(url.encode()).digest()[:IDENTITY_BYTES]


def page_key(incarnation: int, upstream: bytes, project: ProjectName) -> bytes:
    """Return the key of a page; *upstream* is an :func:`identity`."""
    return serial_key(incarnation) + upstream + project.encode()


class LocalState:
    """The open tables; one process writes them."""

    def __init__(self, folder: Path, *, readonly: bool) -> None:
        """Open what :func:`prepare` made."""
        self._env = ScratchEnv(folder, TABLES, readonly=readonly, map_size=MAP_SIZE)
        self._clean = folder / "clean"
        self._readonly = readonly

    @contextmanager
    def read(self) -> Iterator[LmdbStore]:
        """Yield the tables as they are now."""
        with self._env.read() as store:
            yield store

    @contextmanager
    def write(self) -> Iterator[LmdbStore]:
        """Yield the tables to write."""
        with self._env.write() as store:
            yield store

    def checked(self, key: bytes) -> Checked | None:
        """Return how the last look at a page went, or None."""
        with self._env.read() as store:
            return CHECKED.get(store, key)

    def tidy(self) -> None:
        """Forget pages that nobody has and nobody asked for lately."""
        now = time.time_ns() // 1_000
        with self._env.read() as store:
            old = [key for key, row in CHECKED.scan(store) if row.outcome != OK and not row.seen and row.until < now]
        for start in range(0, len(old), AT_ONCE):
            with self._env.write() as store:
                for key in old[start : start + AT_ONCE]:
                    store.delete(CHECKED.name, key)

    def close(self) -> None:
        """Close the tables, and let them outlive a restart of the machine."""
        if not self._readonly:
            self._env.sync()
            self._clean.touch()
        self._env.close()


def put_urls(store: Store, key: bytes, urls: Iterable[tuple[FileName, str]]) -> None:
    """Remember the private URLs of a page's files."""
    for filename, url in urls:
        store.put(URLS, url_key(key, filename), url.encode())


def url_of(store: Store, key: bytes, filename: FileName) -> str | None:
    """Return the private URL of a file, or None."""
    raw = store.get(URLS, url_key(key, filename))
    return None if raw is None else raw.decode()


def url_key(key: bytes, filename: FileName) -> bytes:
    """Return the key of a file's URL, of the page's *key*; LMDB bounds its length."""
    return key + b"\0" + hashlib.sha256(filename.encode()).digest()
