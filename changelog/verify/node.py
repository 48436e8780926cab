"""The check of a whole node, in order: log, views, tables by hash, files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import lmdb
from attrs import frozen

from changelog import rebuild
from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.errors import LedgerpiError
from changelog.fold import VIEW_TABLES, VIEWS_VERSION
from changelog.packing import packb
from changelog.verify import blobs as named_blobs
from changelog.verify import head, private, surplus, views
from changelog.verify.entries import EntryCheck
from changelog.verify.orphans import OrphanCheck
from changelog.verify.report import LOG_KINDS, Kind, Progress, Report
from changelog.verify.source import Snapshots, begin

FOLD_ERRORS = (LedgerpiError, LookupError, ValueError, OverflowError)  # at impossible entries


class Paths(Protocol):
    """Where a node keeps its things; ``server.layout.Layout`` is one."""

    @property
    def changelog(self) -> Path:
        """The folder of the LMDB environment."""

    @property
    def blobs(self) -> Path:
        """The folder of blobs."""

    @property
    def spool(self) -> Path:
        """The folder of uploads under way."""


@frozen
class _Check:
    """One check under way."""

    paths: Paths
    snapshots: Snapshots
    report: Report
    progress: Progress
    blobs: bool
    settled_s: float
    repaired: Env | None  # open to write, None = nothing is repaired


def verify_node(  # noqa: PLR0913 - independent choices, all but the first by name
    paths: Paths,
    *,
    snapshots: Snapshots | None = None,
    progress: Progress | None = None,
    repair: bool = False,
    blobs: bool = True,
    settled_s: float = 0.0,
    map_size: int = DEFAULT_MAP_SIZE,
) -> Report:
    """Check the node at *paths* and return what was found; the node may be running.

    A process that has the environment open already hands its *snapshots* (``env.read``,
    ``reader.snapshot``). *repair* removes orphans and folds damaged views anew, if log, tree and
    head are sound; the caller holds the node's lock and gives no *snapshots*. Without *blobs*, no
    file is looked at. Files younger than *settled_s* seconds are no orphans yet: an entry may be
    about to name them.

    Raises:
        Damaged: the changelog can not even be opened.
        ValueError: *repair* with *snapshots*.
    """
    report, shown = Report(), progress or _silent
    if snapshots is not None:
        if repair:
            raise ValueError("a repair opens the environment itself")
        return _checked(_Check(paths, snapshots, report, shown, blobs, settled_s, None))
    env = Env(paths.changelog, VIEW_TABLES, readonly=not repair, map_size=map_size)
    try:
        repaired = env if repair else None
        return _checked(_Check(paths, env.read, report, shown, blobs, settled_s, repaired))
    finally:
        env.close()


def _checked(check: _Check) -> Report:
    try:
        _check_log(check)
        private.check_hashes(check.snapshots, check.report)
        _check_sums(check)
    except lmdb.Error as error:
        check.report.add(Kind.STORAGE, check.paths.changelog, f"LMDB can not read it: {error}")
    return check.report


def _check_log(check: _Check) -> None:
    with check.snapshots() as store:
        begun = begin(store)
        surplus.check(store, begun.size, check.report)
    walked = EntryCheck(begun, check.report)
    walked.walk(check.snapshots, check.progress)
    head.check(begun, walked, check.snapshots, check.report)


def _check_sums(check: _Check) -> None:
    """Check what the log adds up to; without a sound log there is nothing to compare with."""
    report = check.report
    if report.found(*LOG_KINDS):
        report.notes.append("the log is damaged: views, records and files were not compared with it")
        return
    with _copy(check.snapshots) as copy:
        try:
            copy.follow(check.progress)
        except FOLD_ERRORS as error:
            report.add(Kind.ENTRY, "fold", f"the entries can not be folded: {error}")
            return
        _check_views(check, copy)
        private.check_held(copy, report)
        if check.blobs:
            _check_files(check, copy)


def _check_views(check: _Check, copy: views.Copy) -> None:
    with check.snapshots() as store:
        version = store.get("meta", rebuild.VERSION)
    if version not in (None, packb(VIEWS_VERSION)):
        check.report.notes.append("views were not compared: another version made them")
        return
    views.compare(copy, check.report, check.progress)
    if check.repaired is not None and check.report.found(Kind.VIEW):
        rebuild.start(check.repaired)
        for folded, size in rebuild.run(check.repaired):
            check.progress("rebuilding", folded, size)
        check.report.repaired[Kind.VIEW] += check.report.forget(Kind.VIEW)
        views.compare(copy, check.report, check.progress)


def _check_files(check: _Check, copy: views.Copy) -> None:
    stored = Blobs(check.paths.blobs)
    named_blobs.check(copy, stored, check.report, check.progress)
    remove = check.repaired is not None
    orphans = OrphanCheck(copy, check.snapshots, check.report, check.settled_s, remove)
    orphans.check_blobs(stored)
    orphans.check_spool(check.paths.spool)


@contextmanager
def _copy(snapshots: Snapshots) -> Iterator[views.Copy]:
    with tempfile.TemporaryDirectory(prefix="ledgerpi-verify-") as folder:
        copy = views.Copy(Path(folder), snapshots)
        try:
            yield copy
        finally:
            copy.close()


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Say nothing."""
