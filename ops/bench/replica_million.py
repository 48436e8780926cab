"""The first copy of a long log, at ledgerpi alone: no peer takes a million uploads in bearable time."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ops.bench import corpus, cost, disk, long_log, prepare
from ops.bench.bars import Bar
from ops.bench.figures import Figures
from ops.bench.peers import Ledgerpi, Peer, ledgerpi
from ops.bench.processes import BenchError
from ops.bench.replica_corpus import series
from ops.bench.replica_peers import METADATA, replica_of, status_serial
from ops.bench.rounds import Say
from server.layout import Layout

FULL, QUICK = 1_000_000, 10_000  # entries
_LOOK_S = 0.2  # between looks at the memory
_MB = 1e6


def bars() -> Iterator[Bar]:
    """Yield none: what a long log costs is told only."""
    yield from ()


def run(cache: Path, entries: int, say: Say) -> Figures:
    """Make a log of so many entries, then copy it into a new replica.

    Raises:
        BenchError: ledgerpi is not installed in this environment, or failed.
    """
    prepare.programs()
    figures = Figures()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="long-", dir=cache)))
        ours = ledgerpi(folder)
        if ours is None:
            raise BenchError("ledgerpi is not installed in this environment")
        say(f"making {entries} entries")
        began = time.perf_counter()
        long_log.append(Layout(ours.serverdir), corpus.DEV, series("long", entries))
        seconds = time.perf_counter() - began
        figures.add("long-log", ours.name, minutes=seconds / 60, mb=disk.allocated(ours.serverdir) / _MB)
        stack.callback(ours.stop)
        cores = sorted(os.sched_getaffinity(0))
        ours.start(cores)
        say("the first copy")
        _copy(ours, folder / "replica", cores, figures)
    return figures


class _Watch:
    """Looks at the memory of a server, besides page cache, while the block runs."""

    def __init__(self, peer: Peer) -> None:
        self.largest = 0  # bytes
        self._peer = peer
        self._ended = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.largest = max(self.largest, cost.memory(self._peer.pid).private)


def _copy(ours: Ledgerpi, folder: Path, cores: Sequence[int], figures: Figures) -> None:
    """Start a replica from nothing and look at its memory until it serves."""
    replica, before, entries = replica_of(ours, folder, METADATA), cost.cpu_s(ours.pid), status_serial(ours)
    try:
        with _Watch(replica) as watch:
            seconds = replica.start(cores)
        if (replica.level() or 0) < entries:  # it may have more: it joins as a member
            raise BenchError(f"the replica has {replica.level()} entries of {entries}")
        figures.add(
            "first-copy",
            ours.name,
            minutes=seconds / 60,
            entries_per_s=entries / seconds,
            cpu_us=cost.cpu_s(replica.pid) / entries * 1e6,
            primary_cpu_us=(cost.cpu_s(ours.pid) - before) / entries * 1e6,
            private_mb=watch.largest / _MB,
            mb=disk.allocated(replica.serverdir) / _MB,
        )
    finally:
        replica.stop()
