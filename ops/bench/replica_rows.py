"""The rows of replicas: how fast one has everything, how long after an upload it has that, and what it costs."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

from attrs import frozen

from ops.bench import corpus, cost, followers, load, writing
from ops.bench.figures import Figures
from ops.bench.mirror_clock import Clock
from ops.bench.peers import Ledgerpi
from ops.bench.processes import HOST, BenchError
from ops.bench.replica_corpus import Copied, copied
from ops.bench.replica_peers import FILES, METADATA, Primary, Replica, replica_of, status_serial
from ops.bench.targets import JSON, Page

_LOOK_S = 0.005  # between looks at what a replica has
_WITHIN_S = 1_800.0
_SEEN_WITHIN_S = 60.0
_PAUSE_S = 0.01  # before the next upload, so that both are at rest
_MB = 1e6


@frozen
class Following:
    """How a new replica is made: of whom, on which cores, how it reaches it, and which files it is to have."""

    primary: Primary
    cores: Sequence[int]
    url: str = ""  # of a link to the primary, "" = directly
    files: Sequence[Copied] = ()  # all of them; none: it copies metadata alone

    @property
    def copies(self) -> str:
        """METADATA or FILES."""
        return FILES if self.files else METADATA


@contextmanager
def caught_up(row: str, following: Following, folder: Path, figures: Figures) -> Iterator[Replica]:
    """Measure how fast a new replica in *folder* copies everything, yield it when it serves, and end it."""
    primary = following.primary
    before, entries = cost.cpu_s(primary.pid), status_serial(primary)
    replica = replica_of(primary, folder, following.copies, following.url)
    try:
        spawned = time.perf_counter()
        replica.spawn(following.cores)
        _wait(replica, lambda: replica.level() is not None)
        began = time.perf_counter()
        _wait(replica, lambda: (replica.level() or 0) >= entries)
        remaining = list(following.files)
        _wait(replica, lambda: not _still_missing(replica, remaining))
        ended = time.perf_counter()
        figures.add(
            row,
            primary.name,
            entries_per_s=entries / (ended - began),
            whole_s=ended - spawned,
            cpu_us=cost.cpu_s(replica.pid) / entries * 1e6,
            primary_cpu_us=(cost.cpu_s(primary.pid) - before) / entries * 1e6,
        )
        replica.wait_until_answers()
        yield replica
    finally:
        replica.stop()


def lag(row: str, primary: Primary, replica: Replica, releases: Sequence[corpus.Release], figures: Figures) -> None:
    """Upload one after the other, and ask the replica without pause until it has the page, then the file."""
    authorization = primary.token()
    uploads, pages, files = [], [], []
    asking, looking = Clock(primary.port), Clock(replica.port)
    for release, upload in zip(releases, writing.requests_for(releases, authorization), strict=True):
        done = asking.ask(upload)
        answered = time.perf_counter()
        if done.status != HTTPStatus.OK:
            raise BenchError(f"{row}: {primary.name} answered {done.status}")
        uploads.append(done.whole_s)
        pages.append(_seen_after(looking, _page(release), release.filename.encode(), answered))
        files.append(_seen_after(looking, _file(release), b"PK", answered))
        time.sleep(_PAUSE_S)
    for clock in (asking, looking):
        clock.close()
    named = {"page": sorted(pages), "file": sorted(files), "upload": sorted(uploads)}
    found = {f"{what}_p{p}_ms": load.percentile(s, p) for what, s in named.items() for p in (50, 99)}
    del found["upload_p99_ms"]
    figures.add(row, primary.name, **found)


def followed(
    row: str, ours: Ledgerpi, releases: Iterable[corpus.Release], tokens: Path | None, figures: Figures
) -> None:
    """Upload while streams follow, one for each of *tokens*; add what an upload costs the primary."""
    with ExitStack() as stack:
        url = f"http://{HOST}:{ours.port}"
        streams = stack.enter_context(followers.following(url, status_serial(ours), tokens)) if tokens else None
        before, wheels = cost.cpu_s(ours.pid), list(releases)
        (done,) = writing.in_batches(ours, wheels, len(wheels))
        ended = time.perf_counter()
        if streams:
            streams.reach(status_serial(ours))
        behind_s = time.perf_counter() - ended
        cpu_us = (cost.cpu_s(ours.pid) - before) / len(wheels) * 1e6
        figures.add(row, ours.name, per_s=done.rate, cpu_us=cpu_us, p99_ms=done.p99_ms, behind_ms=behind_s * 1e3)


def memory(replica: Replica, figures: Figures) -> None:
    """Add the memory of all processes of a replica that has copied and served."""
    found = cost.memory(replica.pid)
    processes = len(cost.tree(replica.pid))
    figures.add("memory", replica.name, pss_mb=found.pss / _MB, private_mb=found.private / _MB, processes=processes)


def _page(release: corpus.Release) -> bytes:
    path = Page(release.index, release.project, JSON).path
    return load.request("GET", path, {"User-Agent": "pip/26.0", "Accept": JSON})


def _file(release: corpus.Release) -> bytes:
    return load.request("GET", copied(release).path, {"User-Agent": "pip/26.0", "Accept": "*/*"})


def _seen_after(clock: Clock, request: bytes, wanted: bytes, since: float) -> float:
    """Ask until an answer has *wanted* in its body and return the seconds *since* then."""
    while True:
        answer = clock.ask(request, keep=True)
        now = time.perf_counter()
        if answer.status == HTTPStatus.OK and wanted in answer.body:
            return now - since
        if now - since > _SEEN_WITHIN_S:
            raise BenchError(f"the replica at port {clock.port} still answers {answer.status} to {request[:80]!r}")


def _still_missing(replica: Replica, remaining: list[Copied]) -> bool:
    """Take off the end of *remaining* what is there, and return whether something is left."""
    while remaining and replica.has_file(remaining[-1].path, remaining[-1].sha256):
        remaining.pop()
    return bool(remaining)


def _wait(replica: Replica, is_so: Callable[[], bool]) -> None:
    """Return when it is so.

    Raises:
        BenchError: it is not in time, or the replica ended.
    """
    deadline = time.perf_counter() + _WITHIN_S
    while not is_so():
        replica.server.check()
        if time.perf_counter() > deadline:
            raise BenchError(f"{replica.name} has {replica.level()} entries after {_WITHIN_S:.0f} s, or lacks files")
        time.sleep(_LOOK_S)
