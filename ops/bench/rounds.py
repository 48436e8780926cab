"""A run: load every server with the same corpus, then rounds of all rows, server after server."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeVar

from attrs import Factory, frozen

from ops.bench import corpus, cost, disk, prepare, reading, writing, wrk
from ops.bench.figures import Figures
from ops.bench.nginx import Nginx
from ops.bench.peers import Devpi, Index, Ledgerpi, Peer, ledgerpi
from ops.bench.rows import INHERITING, READS, WRITES, uploads_index
from ops.bench.site import Site

_MB = 1e6
_BATCH = 1000
_WARMING = ("small-json", "files-3000-json")  # read before the memory is taken
T = TypeVar("T")
Say = Callable[[str], None]  # is told what goes on


@frozen
class Wish:
    """What is to be run, and for how long; the seconds as in :class:`Site`."""

    plan: corpus.Plan
    rounds: int
    window_s: float
    upload_limit_s: float
    pattern: str = "*"  # of the rows' names, as in a shell


@frozen
class _Field:
    """The servers of a run and what was measured of them."""

    wish: Wish
    site: Site
    cores: Sequence[int]
    nginx: Nginx
    indexes: Sequence[Index]  # the last one's answers are what nginx serves
    say: Say
    figures: Figures = Factory(Figures)

    @property
    def peers(self) -> list[Peer]:
        """All servers, nginx first."""
        return [self.nginx, *self.indexes]

    def start(self, peers: Sequence[Peer], cores: Sequence[int], turn: int) -> None:
        """Start *peers* one after the other; one worker each where they share one core."""
        workers = 1 if len(cores) == 1 else None
        for peer in rotated(peers, turn):
            self.figures.add("start", peer.name, seconds=peer.start(cores, workers=workers))


def run(wish: Wish, cache: Path, say: Say) -> Figures:
    """Run every row that was wished for and return the figures."""
    say("installing what is missing, loading devpi-server unless it is kept from before")
    prepare.programs()
    devpi = (prepare.devpi_environment(cache), prepare.devpi_loaded(wish.plan, cache))
    with _field(wish, cache, devpi, say) as field:
        ours = field.indexes[-1]
        if isinstance(ours, Ledgerpi):
            say("loading ledgerpi by uploads")
            _load(ours, field)
        for turn in range(wish.rounds):
            _read_rows(field, turn)
            _write_rows(field, turn)
        return field.figures


@contextmanager
def _field(wish: Wish, cache: Path, devpi: tuple[Path, Path], say: Say) -> Iterator[_Field]:
    """Yield the servers in a folder of their own; end them and remove it after."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=cache)))
        cores = sorted(os.sched_getaffinity(0))
        generator = wrk.Generator(cores[-1], folder)
        site = Site(wish.plan, generator, wish.window_s, wish.upload_limit_s)
        ours = ledgerpi(folder)
        indexes: list[Index] = [Devpi(folder, *devpi), *([ours] if ours else [])]
        field = _Field(wish, site, cores, Nginx(folder), indexes, say)
        for peer in field.peers:
            stack.callback(peer.stop)
        yield field


def _load(ours: Ledgerpi, field: _Field) -> None:
    """Load the corpus by uploads; the disk it takes then is what a user's would take."""
    everything = list(corpus.releases(field.wish.plan))
    first = [release for release in everything if release.index != corpus.GROWN]
    content = sum(len(corpus.wheel(release)) for release in first)
    ours.start(field.cores)
    done = list(writing.in_batches(ours, first, _BATCH))
    uploads = sum(batch.requests for batch in done)
    field.figures.add("load", ours.name, per_s=uploads / sum(batch.seconds for batch in done))
    taken, history = disk.allocated(ours.serverdir), ours.changelog_bytes() / uploads
    field.figures.add("disk", ours.name, over_content=taken / content, history_bytes=history)
    ours.make_index(corpus.GROWN)
    for _ in writing.in_batches(ours, [release for release in everything if release.index == corpus.GROWN], _BATCH):
        pass
    ours.stop()
    says = f"{taken / _MB:.1f} MB for {content / _MB:.1f} MB; devpi-server was not loaded by uploads"
    field.figures.note("disk", ours.name, says)


def _read_rows(field: _Field, turn: int) -> None:
    """Servers on the first core, one worker each; the load generator on the last core."""
    rows = [row for row in READS if fnmatch(row.name, field.wish.pattern)]
    if not rows:
        return
    field.start(field.peers, field.cores[:1], turn)
    if turn == 0:
        _copy_to_nginx(field)
    with on_core(field.cores[-1]):
        for row in rows:
            field.say(f"round {turn + 1}: {row.name}")
            for peer in rotated(field.peers, turn):
                reading.measure(peer, row, field.site, field.figures)
    _stop(field.peers)


def _write_rows(field: _Field, turn: int) -> None:
    """Servers with their default number of workers, everything on all cores."""
    rows = [row for row in WRITES if fnmatch(row.name, field.wish.pattern)]
    if not rows:
        return
    field.start(field.indexes, field.cores, turn)
    for index in field.indexes:
        index.make_index(uploads_index(turn))
    for row in rows:
        field.say(f"round {turn + 1}: {row.name}")
        for index in rotated(field.indexes, turn):
            writing.measure(index, row, turn, field.site, field.figures)
    for index in field.indexes:
        _memory(index, field)
    _stop(field.indexes)


def _memory(index: Index, field: _Field) -> None:
    """Add the memory after the uploads and some reads, which all workers had a part of."""
    for row in READS:
        if row.name in _WARMING:
            reading.measure(index, row, field.site, Figures())
    memory = cost.memory(index.pid)
    field.figures.add(
        "memory",
        index.name,
        pss_mb=memory.pss / _MB,
        private_mb=memory.private / _MB,
        processes=len(cost.tree(index.pid)),
    )


def _copy_to_nginx(field: _Field) -> None:
    for index in field.indexes:
        index.make_index(INHERITING, bases=[corpus.DEV])
    for target in {target for row in READS for target in row.targets(field.wish.plan)}:
        field.nginx.copy(field.indexes[-1], target)


def _stop(peers: Sequence[Peer]) -> None:
    for peer in peers:
        peer.stop()


def rotated(peers: Sequence[T], turn: int) -> list[T]:
    """Return the servers in another order each round, so that none always follows the same."""
    by = turn % len(peers)
    return [*peers[by:], *peers[:by]]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Keep this process, which is the load generator of slow rows, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
