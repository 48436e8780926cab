"""A run of the replica rows: both primaries have the same uploads, and get new replicas, server after server."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

from attrs import Factory, frozen

from ops.bench import disk, prepare, replica_rows, writing
from ops.bench.figures import Figures
from ops.bench.peers import Ledgerpi
from ops.bench.replica_corpus import FULL, QUICK, Copied, Plan, copied, loaded, series
from ops.bench.replica_peers import DevpiPrimary, Primary, Replica, new_token, running_primaries
from ops.bench.replica_rows import Following
from ops.bench.rounds import Say, rotated
from ops.bench.slow_link import slow_link

_UPLOADS_AT_ONCE = 500
_DELAY_S = 0.1  # one way, of a link on which an answer takes 200 ms
_FEWER_FAR = 10  # times fewer uploads are waited for over that link, but not fewer than
_LEAST = 10


@frozen
class Wish:
    """What is to be run."""

    plan: Plan
    rounds: int
    pattern: str = "*"  # of the rows' names, as in a shell

    def has(self, row: str) -> bool:
        """Return whether *row* is wanted."""
        return fnmatch(row, self.pattern)


FULL_WISH = Wish(FULL, rounds=3)
QUICK_WISH = Wish(QUICK, rounds=1)


@frozen
class _Field:
    """The primaries of a run, what they were given, and what was measured."""

    wish: Wish
    cores: Sequence[int]
    folder: Path
    ours: Ledgerpi
    devpi: DevpiPrimary
    say: Say
    files: dict[str, list[Copied]] = Factory(dict)  # that were uploaded, by server
    figures: Figures = Factory(Figures)
    _numbers: Iterator[int] = Factory(count)

    @property
    def primaries(self) -> list[Primary]:
        """Both."""
        return [self.devpi, self.ours]

    @contextmanager
    def caught_up(self, row: str, following: Following) -> Iterator[Replica]:
        """Measure *row* of a new replica, yield it, and remove it."""
        self.say(f"{row}: {following.primary.name}")
        folder = self.folder / f"replica-{next(self._numbers)}"
        try:
            with replica_rows.caught_up(row, following, folder, self.figures) as replica:
                yield replica
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def run(wish: Wish, cache: Path, say: Say) -> Figures:
    """Run every row that was wished for and return the figures."""
    say("installing what is missing")
    prepare.programs()
    programs = prepare.devpi_environment(cache)
    with _field(wish, cache, programs, say) as field:
        _load(field)
        for turn in range(wish.rounds):
            _metadata(field, turn)
            _files(field, turn)
            field.figures.add("disk", "all", fdatasync_per_s=disk.fdatasync_rate(field.folder))
        _far(field)
        _followed(field)
        return field.figures


@contextmanager
def _field(wish: Wish, cache: Path, programs: Path, say: Say) -> Iterator[_Field]:
    """Yield both primaries, running, in a folder of their own; end them and remove it after."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="replicas-", dir=cache)))
        cores = sorted(os.sched_getaffinity(0))
        ours, devpi = stack.enter_context(running_primaries(folder, programs, cores))
        yield _Field(wish, cores, folder, ours, devpi, say)


def _load(field: _Field) -> None:
    """Upload the same to both."""
    releases = list(loaded(field.wish.plan))
    for primary in field.primaries:
        field.say(f"{len(releases)} uploads: {primary.name}")
        done = list(writing.in_batches(primary, releases, _UPLOADS_AT_ONCE))
        per_s = len(releases) / sum(batch.seconds for batch in done)
        field.figures.add("load", primary.name, per_s=per_s)
        field.files[primary.name] = list(map(copied, releases))


def _metadata(field: _Field, turn: int) -> None:
    """Copy the log alone."""
    if field.wish.has("catch-up-metadata"):
        for primary in rotated(field.primaries, turn):
            with field.caught_up("catch-up-metadata", Following(primary, field.cores)):
                pass


def _files(field: _Field, turn: int) -> None:
    """Copy everything, then wait for uploads; the memory is taken after."""
    if not any(map(field.wish.has, ("catch-up-files", "lag", "memory"))):
        return
    for primary in rotated(field.primaries, turn):
        with field.caught_up(
            "catch-up-files", Following(primary, field.cores, files=field.files[primary.name])
        ) as replica:
            if field.wish.has("lag"):
                _lag("lag", primary, replica, field, turn)
            if field.wish.has("memory"):
                replica_rows.memory(replica, field.figures)


def _far(field: _Field) -> None:
    """Copy everything over a long way, once, and wait for uploads there."""
    if not any(map(field.wish.has, ("link-catch-up-files", "link-lag"))):
        return
    for primary in field.primaries:
        with slow_link(primary.port, _DELAY_S) as url:
            following = Following(primary, field.cores, url, field.files[primary.name])
            with field.caught_up("link-catch-up-files", following) as replica:
                _lag("link-lag", primary, replica, field, field.wish.rounds)


def _lag(row: str, primary: Primary, replica: Replica, field: _Field, turn: int) -> None:
    field.say(f"{row}: {primary.name}")
    plan = field.wish.plan
    number = plan.awaited if primary is field.ours else plan.awaited_devpi
    releases = list(series(f"{row}-{turn}", max(number // _FEWER_FAR, _LEAST) if row == "link-lag" else number))
    replica_rows.lag(row, primary, replica, releases, field.figures)
    field.files[primary.name].extend(map(copied, releases))


def _followed(field: _Field) -> None:
    """Upload to our primary alone, and while many streams follow it."""
    ours, plan = field.ours, field.wish.plan
    rows = [row for row in ("followed-by-none", f"followed-by-{plan.followers}") if field.wish.has(row)]
    if not rows:
        return
    tokens = field.folder / "tokens"
    tokens.write_text("".join(new_token(ours, f"follower-{number}") for number in range(plan.followers)))
    for turn in range(field.wish.rounds):
        for row in rotated(rows, turn):
            field.say(row)
            releases = series(f"{row}-{turn}", plan.followed)
            replica_rows.followed(row, ours, releases, None if row.endswith("none") else tokens, field.figures)
