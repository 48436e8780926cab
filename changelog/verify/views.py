"""Views: folded anew into a copy, which is compared with the served ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from changelog import log
from changelog.codec import decode
from changelog.env import Env
from changelog.fold import VIEW_TABLES, fold
from changelog.tables import LmdbStore, Store
from changelog.verify.report import Kind, Progress, Report
from changelog.verify.source import SLICE, Snapshots, after, log_size

FOLDING = "folding"
STAGE = "views"


class Copy:
    """The views as the log makes them, in an environment that is thrown away."""

    def __init__(self, folder: Path, snapshots: Snapshots) -> None:
        """Make the copy in the empty *folder*."""
        self.env = Env(folder, VIEW_TABLES, readonly=False, durable=False)
        self._snapshots = snapshots
        self._folded = 0

    def follow(self, progress: Progress | None = None) -> None:
        """Fold until less than one slice is missing."""
        missing = SLICE + 1
        while missing > SLICE:
            with self._snapshots() as store:
                size = log_size(store)
                self._fold(store, min(self._folded + SLICE, size))
            missing = size - self._folded
            if progress is not None:
                progress(FOLDING, self._folded, size)

    @contextmanager
    def beside(self) -> Iterator[tuple[LmdbStore, LmdbStore]]:
        """Yield a new snapshot of the node, and the copy at the same head. Keep it short."""
        self.follow()
        with self._snapshots() as store:
            self._fold(store, log_size(store))
            with self.env.read() as copy:
                yield store, copy

    def close(self) -> None:
        """Close the copy."""
        self.env.close()

    def _fold(self, store: Store, last: int) -> None:
        if last <= self._folded:
            return
        with self.env.write() as copy:
            for serial, raw in log.entries(store, self._folded + 1, last):
                fold(copy, *decode(raw, serial))
        self._folded = last


def compare(copy: Copy, report: Report, progress: Progress) -> None:
    """Compare every table, key by key, in both directions.

    Each slice has its own snapshot, and the copy follows first: so both are at one head, while
    others commit.
    """
    for number, table in enumerate(VIEW_TABLES):
        progress(STAGE, number, len(VIEW_TABLES))
        start: bytes | None = b""
        while start is not None:
            with copy.beside() as (stored, folded):
                start = _compare_slice(stored, folded, table, start, report)
    progress(STAGE, len(VIEW_TABLES), len(VIEW_TABLES))


def _compare_slice(stored: Store, folded: Store, table: str, start: bytes, report: Report) -> bytes | None:
    """Compare from *start* to the end of the shorter slice; return where to go on."""
    there = list(islice(stored.scan(table, start=start), SLICE))
    wanted = list(islice(folded.scan(table, start=start), SLICE))
    report.checked["rows"] += len(there)
    if there == wanted:
        return after(there, SLICE)
    ends = [end for rows in (there, wanted) if (end := after(rows, SLICE)) is not None]
    end = min(ends, default=None)
    have = {key: value for key, value in there if end is None or key < end}
    want = {key: value for key, value in wanted if end is None or key < end}
    for key in sorted(have.keys() | want.keys()):
        if have.get(key) != want.get(key):
            report.add(Kind.VIEW, f"{table} {key!r}", _fault(key, have, want))
    return end


def _fault(key: bytes, have: dict[bytes, bytes], want: dict[bytes, bytes]) -> str:
    if key not in have:
        return "the row is missing"
    if key not in want:
        return "no entry made this row"
    return "the row is not what the entries say"
