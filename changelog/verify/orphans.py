"""Files that nothing names: what a crash left between the bytes and their entry."""

import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from changelog import log
from changelog.blobs import FOLDERS, Blobs
from changelog.packing import unpackb
from changelog.verify.report import Kind, Report
from changelog.verify.source import Snapshots, log_size, ranges
from changelog.verify.views import Copy
from changelog.views import digests

BATCH = 10_000  # candidates that one walk over the log looks for
UNNAMED = "no entry names this blob"
SPOOLED = "an upload that did not end"


@frozen
class OrphanCheck:
    """Looks at the files of a node; younger ones than *settled_s* seconds may be named soon."""

    copy: Copy
    snapshots: Snapshots
    report: Report
    settled_s: float
    remove: bool

    def check_blobs(self, blobs: Blobs) -> None:
        """Find blobs that no entry names, and files that are no blobs."""
        if not blobs.folder.is_dir():
            self.report.add(Kind.BLOB, blobs.folder, "the folder is missing")
            return
        candidates: dict[bytes, Path] = {}
        for path in self._folders(blobs.folder):
            candidates |= self._unnamed(dict(self._digests(blobs, path)))
            if len(candidates) >= BATCH:
                self._confirm(candidates)
                candidates = {}
        self._confirm(candidates)

    def check_spool(self, spool: Path) -> None:
        """Find what interrupted uploads left."""
        for path in sorted(spool.rglob("*")) if spool.is_dir() else ():
            if self._is_settled_file(path):
                self._orphan(path, SPOOLED)

    def _folders(self, folder: Path) -> Iterator[Path]:
        names = {path.name for path in folder.iterdir()}
        for name in sorted(names - set(FOLDERS)):
            self.report.add(Kind.BLOB, folder / name, "this is no folder of blobs")
        for name in FOLDERS:
            if name in names:
                yield folder / name
            else:
                self.report.add(Kind.BLOB, folder / name, "the folder is missing")

    def _digests(self, blobs: Blobs, folder: Path) -> Iterator[tuple[bytes, Path]]:
        for path in folder.iterdir():
            digest = _digest(path.name)
            if digest is None or blobs.path(digest) != path:
                self.report.add(Kind.BLOB, path, "the name of this file is no digest, or not here")
            else:
                yield digest, path

    def _unnamed(self, listed: dict[bytes, Path]) -> dict[bytes, Path]:
        """Keep what the views do not name; they are asked after the folder was listed."""
        if not listed:
            return listed
        with self.copy.beside() as (_, folded):
            unnamed = {digest: path for digest, path in listed.items() if not digests.is_named(folded, digest)}
        return {digest: path for digest, path in unnamed.items() if self._is_settled_file(path)}

    def _confirm(self, candidates: dict[bytes, Path]) -> None:
        """Ask the entries themselves: what one of them speaks of is never an orphan."""
        spoken_of = _spoken_of(self.snapshots, candidates.keys()) if candidates else set()
        for digest, path in candidates.items():
            if digest not in spoken_of:
                self._orphan(path, UNNAMED)

    def _orphan(self, path: Path, message: str) -> None:
        if self.remove:
            path.unlink(missing_ok=True)
            self.report.repaired[Kind.ORPHAN] += 1
        else:
            self.report.add(Kind.ORPHAN, path, message)

    def _is_settled_file(self, path: Path) -> bool:
        try:
            found = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False  # somebody removed or published it meanwhile
        changed = max(found.st_mtime, found.st_ctime)  # ctime: of the name, mtime: of the bytes
        return not stat.S_ISDIR(found.st_mode) and time.time() - changed >= self.settled_s


def _spoken_of(snapshots: Snapshots, digests: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    with snapshots() as store:
        size = log_size(store)
    for first, last in ranges(size):
        with snapshots() as store:
            for _, raw in log.entries(store, first, last):
                found.update(value for value in _bytes_in(unpackb(raw)) if value in digests)
    return found


def _bytes_in(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - whatever an entry holds
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _bytes_in(item)


def _digest(name: str) -> bytes | None:
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if digest.hex() == name else None
