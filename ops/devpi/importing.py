"""A dump becomes history: read, taken by several processes, made durable, and only then written down."""

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from attrs import define, frozen

from changelog import holdings, log
from changelog.blobs import Blobs, sync_file, sync_folder
from changelog.codec import decode
from changelog.env import Env
from changelog.errors import Conflict, InvalidForm, LedgerpiError
from changelog.names import IndexName
from changelog.verify import Progress
from changelog.views import digests, indexes
from changelog.views.indexes import MIRROR, STAGE, Index
from changelog.writer import Proposal, Writer
from ops.devpi import accounts, dump, readers, taking
from ops.devpi.cached import Mirror
from ops.devpi.disk import sync_all
from ops.devpi.dump import Dump, DumpedIndex
from ops.devpi.parked import Parked, Release
from ops.devpi.report import Report
from ops.devpi.stages import Stage, Unit
from ops.devpi.taking import Place, TakenRelease
from server.commands import IMPORT
from server.create import PYPI
from server.layout import Layout
from server.spool import full_disk_named

FILES_AT_ONCE = 200  # that a process takes
RELEASES_AT_ONCE = 256  # likewise
ENTRIES_AT_ONCE = 2_000  # about as many are committed with one wait for the disk
EVENTS_AT_ONCE = 500  # of one command
STAGES_SHOWN = "files taken"
OURS = (":init", IMPORT)
_WHICH = "import-devpi"  # the file that says which dump is imported


@frozen
class Options:
    """How to import."""

    spool: Path  # an empty folder beside the blobs
    hard_links: bool
    skip_types: frozenset[str]
    processes: int


@define
class Target:
    """A node, of which nobody else has the lock."""

    layout: Layout
    env: Env
    writer: Writer


def run(folder: Path, target: Target, options: Options, report: Report, progress: Progress) -> None:
    """Import the dump in *folder*, or go on with it.

    Raises:
        InvalidForm: it is no dump.
        Conflict: the node is in use already, or another dump was imported.
        StorageFull: no space.
    """
    folder = folder.resolve()
    _check_target(target, folder)
    with ExitStack() as stack:
        pool = stack.enter_context(readers.begun(options.processes))
        parked = Parked(options.spool / "parts")
        stack.callback(parked.close)
        progress("index of the dump read", 0, 1)
        found = dump.read(folder, parked, report)
        progress("index of the dump read", 1, 1)
        _check_types(found, options)
        _write_accounts(found, target, options, report)
        place = Place(str(folder), str(target.layout.blobs), str(options.spool), options.hard_links)
        ahead = 2 * options.processes + ENTRIES_AT_ONCE // FILES_AT_ONCE
        taken = _taken(place, _jobs(found, parked, target), pool, ahead)
        total = sum(index.files for index in found.indexes.values() if _index(target, index) is not None)
        done, unused = 0, set[bytes]()
        for group in _durable(target.layout.blobs, _grouped(taken)):
            _commit(target, group, report)
            done += sum(len(release.files) + len(release.refused) for _, release in group)
            unused.update(digest for filled, _ in group if isinstance(filled, Stage) for digest in filled.unused)
            progress(STAGES_SHOWN, min(done, total), total)
        _remove(target, unused)
        progress(STAGES_SHOWN, total, total)


def _check_target(target: Target, folder: Path) -> None:
    """Raise Conflict unless the node has only what ``init`` made, or what was imported of this dump."""
    try:
        with (folder / dump.DATAINDEX).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidForm(f"{folder / dump.DATAINDEX} can not be read: {error.strerror}") from error
    with target.env.read() as store:
        for serial, raw in log.entries(store):
            _, stamp = decode(raw, serial)
            if stamp.actor not in OURS:
                by = stamp.actor or "anonymous"
                raise Conflict(f"the node is in use: entry {serial} is by {by}; ledgerpi init makes a new one")
    which = target.layout.serverdir / _WHICH
    if which.exists() and which.read_text().strip() != digest:
        raise Conflict(f"another dump, or another state of it, was imported into {target.layout.serverdir}")
    which.write_text(digest + "\n")
    sync_file(which)
    sync_folder(which.parent)


def _check_types(found: Dump, options: Options) -> None:
    for index in found.indexes.values():
        kind = index.config.get("type")
        if kind not in (STAGE, MIRROR, *options.skip_types):
            raise InvalidForm(
                f"the index {index.name} is of the unknown type {kind!r}; --skip-import-type leaves such ones out"
            )


def _write_accounts(found: Dump, target: Target, options: Options, report: Report) -> None:
    wishes = [accounts.user(name, config, report) for name, config in found.users.items()]
    report.counts["users"] += _carry_out(target, wishes, report)
    wanted = []
    for index in found.indexes.values():
        if index.config.get("type") in options.skip_types:
            report.left_out(f"index {index.name}", f"its type {index.config.get('type')} is skipped")
        else:
            _note_bases(found, index, report)
            wanted.append(accounts.index(index.name, index.config, report))
    report.counts["indexes"] += _carry_out(target, wanted, report)
    if PYPI not in found.indexes and _index(target, DumpedIndex(0, PYPI)) is not None:
        report.noted(f"index {PYPI}", "the dump has none; it stays as ledgerpi init made it")


def _note_bases(found: Dump, index: DumpedIndex, report: Report) -> None:
    bases = index.config.get("bases")
    for base in bases if isinstance(bases, list) and index.config.get("type") == STAGE else ():
        if base == index.name:
            report.noted(f"index {index.name}", "it is its own base: kept, and asked once")
        elif base not in found.indexes and base != PYPI:
            report.noted(f"index {index.name}", f"the base {base} is not in the dump: kept, and not asked")


def _carry_out(target: Target, wishes: Iterable[accounts.Wish | None], report: Report) -> int:
    """Commit *wishes*, which do not depend on each other, and return how many were new."""
    proposals = list[Proposal]()
    with target.env.read() as store:
        for wish in wishes:
            if wish is None:
                continue
            try:
                events = wish.decide(store)
            except LedgerpiError as error:
                report.left_out(wish.what, str(error))
                continue
            named = {holdings.commitment(event) for event in events}
            used = tuple(record for record in wish.records if record.commitment in named)
            if events:
                proposals.append(Proposal(lambda _, events=events: events, IMPORT, used))  # type: ignore[misc]
    for start in range(0, len(proposals), ENTRIES_AT_ONCE):
        for outcome in target.writer.commit(proposals[start : start + ENTRIES_AT_ONCE]):
            if isinstance(outcome, LedgerpiError):
                report.left_out("a user or an index", str(outcome))
    return len(proposals)


def _index(target: Target, index: DumpedIndex) -> Index | None:
    with target.env.read() as store:
        row = indexes.find(store, IndexName(index.name.removeprefix("/")))
    return row if row is not None and row.type == index.config.get("type", row.type) else None


Filled = Stage | Mirror


def _jobs(found: Dump, parked: Parked, target: Target) -> Iterator[tuple[Filled, list[Release]]]:
    """Yield what a process is to take, with the index that it goes to."""
    for index in found.indexes.values():
        row = _index(target, index)
        if row is None:
            continue
        name = IndexName(index.name.removeprefix("/"))
        now = time.time_ns() // 1_000
        filled: Filled = Mirror(row.incarnation, name) if row.type == MIRROR else Stage(row.incarnation, name, now)
        job, files = list[Release](), 0
        for release in parked.releases(index.number):
            job.append(release)
            files += len(release.files) + len(release.docs) + len(release.results)
            if files >= FILES_AT_ONCE or len(job) >= RELEASES_AT_ONCE:
                yield filled, job
                job, files = [], 0
        if job:
            yield filled, job


def _taken(
    place: Place, jobs: Iterator[tuple[Filled, list[Release]]], pool: Executor, ahead: int
) -> Iterator[tuple[Filled, TakenRelease]]:
    """Yield releases in order; no more than *ahead* jobs are under way: enough for the time of a commit."""
    waiting: deque[tuple[Filled, Future[list[TakenRelease]]]] = deque()
    for filled, job in jobs:
        waiting.append((filled, pool.submit(taking.take, place, job)))
        if len(waiting) >= ahead:
            yield from _result(*waiting.popleft())
    while waiting:
        yield from _result(*waiting.popleft())


def _result(filled: Filled, future: "Future[list[TakenRelease]]") -> Iterator[tuple[Filled, TakenRelease]]:
    with full_disk_named():
        releases = future.result()
    for release in releases:
        yield filled, release


Group = list[tuple[Filled, TakenRelease]]


def _grouped(taken: Iterator[tuple[Filled, TakenRelease]]) -> Iterator[Group]:
    group, entries = Group(), 0
    for filled, release in taken:
        group.append((filled, release))
        entries += 1 + len(release.files) + len(release.docs) + len(release.results)
        if entries >= ENTRIES_AT_ONCE:
            yield group
            group, entries = Group(), 0
    if group:
        yield group


def _durable(blobs: Path, groups: Iterator[Group]) -> Iterator[Group]:
    """Yield *groups* whose files are on the disk; the wait for those of one is the commit of the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="sync") as thread:
        before: tuple[Group, Future[None]] | None = None
        for group in groups:
            synced = thread.submit(sync_all, blobs)
            if before is not None:
                yield _synced(*before)
            before = (group, synced)
        if before is not None:
            yield _synced(*before)


def _synced(group: Group, synced: "Future[None]") -> Group:
    with full_disk_named():
        synced.result()
    return group


def _commit(target: Target, group: Group, report: Report) -> None:
    proposals, names = list[Proposal](), list[str]()
    with target.env.read() as store:
        for filled, taken in group:
            for refusal in taken.refused:
                report.left_out(refusal.relpath, refusal.reason)
            name = f"{filled.name} {taken.release.project} {taken.release.version}"
            report.counts["releases"] += 1
            for unit in _packed(filled.units(store, taken, report)):
                proposals.append(Proposal(lambda _, events=unit[0]: events, IMPORT, (), unit[1]))  # type: ignore[misc]
                names.append(name)
    for name, outcome in zip(names, target.writer.commit(proposals), strict=True):
        if isinstance(outcome, LedgerpiError):
            report.left_out(name, str(outcome))


def _remove(target: Target, unused: set[bytes]) -> None:
    """Remove blobs that were taken and then left out, unless an entry names them for another reason."""
    with target.env.read() as store:
        free = [digest for digest in unused if not digests.is_named(store, digest)]
    for digest in free:
        Blobs(target.layout.blobs).remove(digest)


def _packed(units: Iterator[Unit]) -> Iterator[Unit]:
    """Yield the units of a release as commands: one, unless it is a very large one."""
    packed: Unit = ([], ())
    for events, contents in units:
        packed = ([*packed[0], *events], packed[1] + contents)
        if len(packed[0]) >= EVENTS_AT_ONCE:
            yield packed
            packed = ([], ())
    if packed[0]:
        yield packed
