"""Uploading rows: new wheels in twine's form, one after the other or several at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf

from ops.bench import corpus, cost, disk, load, twine_form
from ops.bench.figures import Figures
from ops.bench.peers import Index
from ops.bench.processes import BenchError
from ops.bench.rows import Write
from ops.bench.site import Site

_AT_MOST_DEVPI = 1000


def measure(peer: Index, row: Write, turn: int, site: Site, figures: Figures) -> None:
    """Upload until the time is over and add rate, latency, cost and growth of the history."""
    authorization = peer.password() if row.password else peer.token()
    # No more than devpi-server can take in the time.
    at_most = _AT_MOST_DEVPI if peer.name == "devpi" else None
    requests = list(requests_for(islice(row.where(site.plan, turn), at_most), authorization))
    history, cpu = peer.changelog_bytes(), cost.cpu_s(peer.pid)
    done = load.run(peer.port, requests, row.connections, site.upload_limit_s)
    cpu_s = cost.cpu_s(peer.pid) - cpu
    if done.failed:
        raise BenchError(f"{row.name} at {peer.name}: {done.failed} uploads failed")
    figures.add(
        row.name,
        peer.name,
        per_s=done.rate,
        cpu_us=cpu_s / done.requests * 1e6,
        p50_ms=done.p50_ms,
        p99_ms=done.p99_ms,
        history_bytes=(peer.changelog_bytes() - history) / done.requests,
    )
    fdatasync_per_s = disk.fdatasync_rate(peer.folder)
    figures.add(row.name, peer.name, fdatasync_per_s=fdatasync_per_s, share=done.rate / fdatasync_per_s)


def in_batches(peer: Index, releases: Iterable[corpus.Release], size: int, connections: int = 8) -> Iterator[load.Load]:
    """Upload *releases* by token and yield what each batch took, its wheels made before.

    Raises:
        BenchError: one was refused.
    """
    remaining = iter(releases)
    authorization = peer.token()
    while batch := list(islice(remaining, size)):
        requests = list(requests_for(batch, authorization))
        done = load.run(peer.port, requests, connections, inf)
        if done.failed:
            raise BenchError(f"{peer.name} refused {done.failed} uploads")
        yield done


def requests_for(releases: Iterable[corpus.Release], authorization: str) -> Iterator[bytes]:
    """Yield the requests that upload *releases*."""
    headers = {"Authorization": authorization, "Content-Type": twine_form.CONTENT_TYPE}
    headers |= {"Accept": "*/*", "User-Agent": "twine/6.2.0"}
    for release in releases:
        upload = twine_form.upload(release)
        yield load.request("POST", f"/{upload.index}/", headers, upload.body)
