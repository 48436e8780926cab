"""A project of 100,000 files and an index of 100,000 projects, at ledgerpi alone.

The peers can not be loaded with these in bearable time; the bars are ours alone.
"""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path

from attrs import frozen

from ops.bench import corpus, cost, disk, load, prepare, writing, wrk
from ops.bench.bars import Bar
from ops.bench.figures import Figures, Key
from ops.bench.peers import Ledgerpi, ledgerpi
from ops.bench.processes import BenchError
from ops.bench.rounds import Say
from ops.bench.targets import HTML, JSON, Page

_SLICES = 10  # of the load, so that a growing cost per upload shows
_ALONE = 200  # uploads one after the other
_WINDOW_S = 3.0
_AT_ONCE = 8  # uploads, while lists are asked for
_CROWD = "root/crowd"  # the index of many projects
_MB = 1e6


@frozen
class Plan:
    """How many files the one project has, and how many projects the one index."""

    files: int
    projects: int


FULL = Plan(100_000, 100_000)
QUICK = Plan(2_000, 2_000)


def bars() -> Iterator[Bar]:
    """Yield the bars of these rows."""
    for row in ("memory-after-load", "memory-after-reads"):
        largest = Key(row, "ledgerpi", "largest_mb")
        yield Bar(f"{row}: of a process besides page cache, MB", largest, 150)


def run(cache: Path, plan: Plan, say: Say) -> Figures:
    """Load, read, list, upload meanwhile, and restart; return the figures.

    Raises:
        BenchError: ledgerpi is not installed in this environment, or failed.
    """
    prepare.programs()
    figures = Figures()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="big-", dir=cache)))
        ours = ledgerpi(folder)
        if ours is None:
            raise BenchError("ledgerpi is not installed in this environment")
        stack.callback(ours.stop)
        cores = sorted(os.sched_getaffinity(0))
        figures.add("start-empty", ours.name, seconds=ours.start(cores))
        ours.make_index(_CROWD)
        for row, releases, total in _loads(plan):
            say(f"{row}: {total} uploads")
            _load(ours, row, releases, total, figures)
        _memory(ours, "memory-after-load", figures)
        _reads(ours, plan, figures, say)
        _list_while_uploading(ours, plan, figures, say)
        _memory(ours, "memory-after-reads", figures)
        say("restart")
        ours.stop()
        figures.add("disk", ours.name, mb=disk.allocated(ours.serverdir) / _MB)
        figures.add("restart", ours.name, seconds=ours.start(cores))
        _first_answers(ours, "after-restart", figures)
    return figures


def _loads(plan: Plan) -> Iterator[tuple[str, Iterator[corpus.Release], int]]:
    yield "files", corpus.of_project(corpus.DEV, "many", plan.files), plan.files
    yield "projects", islice(_crowd(0), plan.projects), plan.projects


def _crowd(first: int) -> Iterator[corpus.Release]:
    """Yield, without end, the only release of one project each."""
    for number in count(first):
        yield corpus.Release(_CROWD, f"crowd-{number:06}", "1.0.0")


def _load(ours: Ledgerpi, row: str, releases: Iterator[corpus.Release], total: int, figures: Figures) -> None:
    each = total // _SLICES
    cpu_s, loaded = cost.cpu_s(ours.pid), 0
    for done in writing.in_batches(ours, releases, each):
        now_s = cost.cpu_s(ours.pid)
        loaded += done.requests
        figures.add(
            f"{row}-to-{loaded}",
            ours.name,
            per_s=done.rate,
            cpu_us=(now_s - cpu_s) / done.requests * 1e6,
            p99_ms=done.p99_ms,
            fdatasync_per_s=disk.fdatasync_rate(ours.folder),
        )
        cpu_s = cost.cpu_s(ours.pid)


def _memory(ours: Ledgerpi, row: str, figures: Figures) -> None:
    """Add the memory of all, and of the process that has most of its own."""
    memories = [cost.process_memory(pid) for pid in cost.tree(ours.pid)]
    figures.add(
        row,
        ours.name,
        pss_mb=sum(memory.pss for memory in memories) / _MB,
        private_mb=sum(memory.private for memory in memories) / _MB,
        largest_mb=max(memory.private for memory in memories) / _MB,
        processes=len(memories),
    )


def _pages() -> Iterator[tuple[str, bytes]]:
    """Yield a name and a request of each large answer."""
    for what, index, project in (("page", corpus.DEV, "many"), ("list", _CROWD, "")):
        for form, accept in (("html", HTML), ("json", JSON)):
            path = Page(index, project, accept).path
            yield f"{what}-{form}", load.request("GET", path, {"Accept": accept})
            zipped = {"Accept": accept, "Accept-Encoding": "gzip"}
            yield f"{what}-{form}-gzip", load.request("GET", path, zipped)


def _first_answers(ours: Ledgerpi, when: str, figures: Figures) -> None:
    for name, one in _pages():
        done = load.run(ours.port, [one], 1, _WINDOW_S)
        figures.add(f"{name}-{when}", ours.name, first_ms=done.p99_ms, mb=done.bytes_read / _MB)


def _reads(ours: Ledgerpi, plan: Plan, figures: Figures, say: Say) -> None:
    say("pages and lists, first and again")
    _first_answers(ours, "first", figures)
    for name, one in _pages():
        _window(ours, name, one, figures)
    say("uploads into the large project")
    more = (corpus.Release(corpus.DEV, "many", corpus.version(plan.files + number)) for number in range(_ALONE))
    for done in writing.in_batches(ours, more, _ALONE, connections=1):
        _add_load("upload-into-files", ours, done, figures)
    _first_answers(ours, "after-upload", figures)


def _window(ours: Ledgerpi, row: str, one: bytes, figures: Figures, connections: int = 4) -> None:
    before = cost.cpu_s(ours.pid)
    generator = wrk.Generator(max(os.sched_getaffinity(0)), ours.folder)
    done = generator.run(ours.port, [one], connections, _WINDOW_S)
    figures.add(row, ours.name, cpu_us=(cost.cpu_s(ours.pid) - before) / done.requests * 1e6)
    _add_load(row, ours, done, figures)


def _add_load(row: str, ours: Ledgerpi, done: load.Load, figures: Figures) -> None:
    if done.failed:
        raise BenchError(f"{row}: {done.failed} requests failed")
    figures.add(row, ours.name, per_s=done.rate, p50_ms=done.p50_ms, p99_ms=done.p99_ms)


def _list_while_uploading(ours: Ledgerpi, plan: Plan, figures: Figures, say: Say) -> None:
    """Ask for the project list and a small page while new projects come without pause.

    The wheels are made meanwhile, by this process; wrk, another one, asks.
    """
    say("project list while uploads run")
    small = load.request("GET", Page(_CROWD, "crowd-000000", JSON).path, {"Accept": JSON})
    rows = [*(row for row in _pages() if row[0].startswith("list")), ("small-page", small)]
    more = writing.requests_for(_crowd(plan.projects), ours.token())
    limit_s = (_WINDOW_S + 1) * len(rows)
    with ThreadPoolExecutor(1) as thread:
        uploading = thread.submit(load.run, ours.port, more, _AT_ONCE, limit_s)
        for name, one in rows:
            _window(ours, f"{name}-in-uploads", one, figures, connections=1)
        _add_load("upload-in-lists", ours, uploading.result(), figures)
