"""A run of the mirror rows: every mirror has the same upstream, and is asked for the same, server after server."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from attrs import Factory, evolve, frozen

from ops.bench import corpus, disk, mirror_corpus, mirror_rows, prepare, writing, wrk
from ops.bench.figures import Figures
from ops.bench.mirror_corpus import FULL, QUICK, Plan, Round
from ops.bench.mirror_nginx import NginxCache, Upstream
from ops.bench.mirror_peers import EXPIRY_S, STAGE, DevpiMirror, LedgerpiMirror, Mirror, Proxpi
from ops.bench.peers import Peer
from ops.bench.rounds import Say, on_core, rotated
from ops.bench.site import Site

Measure = Callable[[Peer, Round, Figures], None]

_ROWS: dict[str, Measure] = {
    "first-page": mirror_rows.first_page,
    "cold-page": mirror_rows.cold_pages,
    "cold-file": mirror_rows.cold_files,
    "warm-page": mirror_rows.warm_pages,
    "warm-file": mirror_rows.warm_files,
    "files-3000-cold": mirror_rows.many_cold,
    "files-3000-warm": mirror_rows.many_warm,
    "large-cold": mirror_rows.large_cold,
    "large-warm": mirror_rows.large_warm,
}
_WARMING_S = 1.0  # of load before a row under load is measured
_SHORT_S = 1  # that pages are fresh in the row of old ones
_UPLOADS_AT_ONCE = 250


@frozen
class Wish:
    """What is to be run; *window_s* as in :class:`Site`."""

    plan: Plan
    rounds: int
    window_s: float
    pattern: str = "*"  # of the rows' names, as in a shell

    def has(self, row: str) -> bool:
        """Return whether *row* is wanted."""
        return fnmatch(row, self.pattern)


FULL_WISH = Wish(FULL, rounds=3, window_s=2.0)
QUICK_WISH = Wish(QUICK, rounds=1, window_s=1.0)


@frozen
class _Field:
    """The servers of a run and what was measured of them."""

    wish: Wish
    site: Site
    cores: Sequence[int]
    upstream: Upstream
    ours: LedgerpiMirror
    devpi: DevpiMirror
    others: Sequence[Mirror]
    say: Say
    figures: Figures = Factory(Figures)

    @property
    def mirrors(self) -> list[Mirror]:
        """All that ask upstream."""
        return [self.devpi, *self.others, self.ours]

    @property
    def peers(self) -> list[Peer]:
        """All servers, upstream itself first."""
        return [self.upstream, *self.mirrors]

    def start(self, turn: int, on_cores: Sequence[int]) -> None:
        """Start upstream on the core of the client, which waits while it works, and the mirrors on those given."""
        self.upstream.start(self.cores[-1:])
        workers = 1 if len(on_cores) == 1 else None
        for mirror in rotated(self.mirrors, turn):
            self.figures.add("start", mirror.name, seconds=mirror.start(on_cores, workers=workers))

    def stop(self) -> None:
        """End all servers."""
        for peer in self.peers:
            peer.stop()


def run(wish: Wish, cache: Path, say: Say) -> Figures:
    """Run every row that was wished for and return the figures."""
    say("installing what is missing")
    prepare.programs()
    programs = (prepare.devpi_environment(cache), prepare.proxpi_environment(cache))
    with _field(wish, cache, programs, say) as field:
        say("making upstream's pages and files")
        field.upstream.fill(wish.plan, wish.rounds)
        _load(field)
        for turn in range(wish.rounds):
            with on_core(field.cores[-1]):
                _latencies(field, turn)
                _under_load(field, turn)
            field.figures.add("disk", "all", fdatasync_per_s=disk.fdatasync_rate(field.ours.folder))
        if wish.has("growth"):
            _growth(field)
        return field.figures


@contextmanager
def _field(wish: Wish, cache: Path, programs: tuple[Path, Path], say: Say) -> Iterator[_Field]:
    """Yield the servers in a folder of their own; end them and remove it after."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mirror-", dir=cache)))
        cores = sorted(os.sched_getaffinity(0))
        site = Site(corpus.QUICK, wrk.Generator(cores[-1], folder), wish.window_s, upload_limit_s=0)
        devpi, proxpi = programs
        upstream = Upstream(folder)
        field = _Field(
            wish,
            site,
            cores,
            upstream,
            LedgerpiMirror(folder, upstream.url),
            DevpiMirror(folder, devpi),
            [Proxpi(folder, proxpi, upstream.url), NginxCache(folder, upstream)],
            say,
        )
        stack.callback(field.stop)
        yield field


def _load(field: _Field) -> None:
    """Make devpi-server's mirror, and fill our stage."""
    field.say("making a mirror at devpi-server, and a stage at ledgerpi")
    field.devpi.start(field.cores)
    field.devpi.make_mirror(field.upstream.url)
    field.ours.start(field.cores)
    field.ours.make_index(STAGE)
    for _ in writing.in_batches(field.ours, mirror_rows.stage_releases(), _UPLOADS_AT_ONCE):
        pass
    field.stop()


def _latencies(field: _Field, turn: int) -> None:
    """Mirrors with their default number of workers on all cores."""
    names = Round(field.wish.plan, turn)
    field.start(turn, field.cores)
    for row, measure in _ROWS.items():
        if field.wish.has(row):
            field.say(f"round {turn + 1}: {row}")
            for peer in rotated(field.peers, turn):
                measure(peer, names, field.figures)
            if row == "large-cold":
                mirror_rows.compare_first_bytes(field.mirrors, field.upstream, field.figures)
    _stale(field, turn)
    field.stop()


def _under_load(field: _Field, turn: int) -> None:
    """Mirrors on the first core, one worker each; the load generator on the last core."""
    if not field.wish.has("warm-pages"):
        return
    field.start(turn, field.cores[:1])
    field.say(f"round {turn + 1}: warm-pages, warm-files")
    names = Round(field.wish.plan, turn)
    for peer in rotated(field.peers, turn):
        rows = [partial(mirror_rows.under_load, peer, names)]
        if peer is field.ours:
            rows.append(partial(mirror_rows.stage_under_load, peer))
        for measure in rows:
            measure(evolve(field.site, window_s=_WARMING_S), Figures())  # what a server does once is none's cost
        for measure in rotated(rows, turn):
            measure(field.site, field.figures)
    field.stop()


def _stale(field: _Field, turn: int) -> None:
    """Let pages get old, end upstream, and ask for them again."""
    if not field.wish.has("stale-page"):
        return
    field.say(f"round {turn + 1}: stale-page")
    names = Round(field.wish.plan, turn)
    for mirror in field.mirrors:
        mirror.set_expiry(_SHORT_S, field.cores)
        mirror_rows.prepare_stale(mirror, names)
    field.upstream.stop()
    time.sleep(2 * _SHORT_S)
    for mirror in rotated(field.mirrors, turn):
        mirror_rows.stale_pages(mirror, names, field.figures)
    for mirror in field.mirrors:
        mirror.set_expiry(EXPIRY_S, field.cores)


def _growth(field: _Field) -> None:
    """Measure the growth of the two databases: once, since nothing of it is left to chance."""
    field.start(0, field.cores)
    with on_core(field.cores[-1]):
        for mirror in (field.devpi, field.ours):
            field.say(f"growth: {mirror.name}")
            field.upstream.list_files(mirror_corpus.GROWING, field.wish.plan.many_files)
            mirror_rows.growth(mirror, field.upstream, field.wish.plan, field.figures)
    field.stop()
