"""Reading rows: the requests of a row at one server, their check, and the measurement."""

import gzip
from functools import lru_cache
from http import HTTPStatus

from attrs import frozen

from ops.bench import corpus, cost, load
from ops.bench.figures import Figures
from ops.bench.peers import Peer
from ops.bench.processes import BenchError
from ops.bench.rows import Read
from ops.bench.site import Site
from ops.bench.targets import Page, Target

_COUNTED_LIMIT_S = 60.0


@frozen
class _Asked:
    """The requests of a row at one server, and the status that every answer has."""

    requests: list[bytes]
    status: int
    body_bytes: int  # of the last answer's body, as sent


def measure(peer: Peer, row: Read, site: Site, figures: Figures) -> None:
    """Check one answer of each target, then load the server and add what a request cost."""
    asked = _requests(peer, row, site.plan, figures)
    before = cost.cpu_s(peer.pid)
    if row.counted and peer.renders_anew:
        turn = (asked.requests * row.counted)[: row.counted]
        done = load.run(peer.port, turn, row.connections, _COUNTED_LIMIT_S, asked.status)
    else:
        done = site.generator.run(peer.port, asked.requests, row.connections, site.window_s)
    cpu_s = cost.cpu_s(peer.pid) - before
    if done.failed:
        raise BenchError(f"{row.name} at {peer.name}: {done.failed} requests failed")
    figures.add(row.name, peer.name, per_s=done.rate, cpu_us=cpu_s / done.requests * 1e6, p99_ms=done.p99_ms)
    if row.name == "large-file":
        gigabytes = done.bytes_read / 1e9
        figures.add(
            row.name,
            peer.name,
            mb_per_s=gigabytes * 1000 / done.seconds,
            cpu_s_per_gb=cpu_s / gigabytes,
        )
    else:
        figures.add(row.name, peer.name, body_bytes=asked.body_bytes)


def _requests(peer: Peer, row: Read, plan: corpus.Plan, figures: Figures) -> _Asked:
    """Ask every target once, which also warms the server, and check the answers."""
    requests, statuses, size = [], set(), 0
    for target in row.targets(plan):
        headers = _headers(row, target)
        answer = _ask(peer, target, headers)
        if row.conditional and "etag" in answer.headers:
            headers["If-None-Match"] = answer.headers["etag"]
            answer = _ask(peer, target, headers)
        _check(peer, row, target, answer, figures)
        requests.append(load.request("GET", peer.path(target), headers))
        statuses.add(answer.status)
        size = len(answer.body)
    (status,) = statuses
    return _Asked(requests, status, size)


def _ask(peer: Peer, target: Target, headers: dict[str, str]) -> load.Answer:
    return load.ask(peer.port, load.request("GET", peer.path(target), headers))


def _headers(row: Read, target: Target) -> dict[str, str]:
    headers = {"User-Agent": "pip/26.0"}  # devpi answers installers without its human extras
    if isinstance(target, Page):
        headers["Accept"] = target.form
    if row.gzip:
        headers["Accept-Encoding"] = "gzip"
    return headers


def _check(peer: Peer, row: Read, target: Target, answer: load.Answer, figures: Figures) -> None:
    """See that the answer is what the row is about.

    Raises:
        BenchError: it is not; only devpi-server may lack validators and gzip, which is noted.
    """
    where = f"{row.name} at {peer.name}, {peer.path(target)}"
    if row.conditional and answer.status == HTTPStatus.NOT_MODIFIED:
        return
    if answer.status != HTTPStatus.OK or not answer.body:
        raise BenchError(f"{where}: {answer.status}")
    zipped = answer.headers.get("content-encoding") == "gzip"
    lacks = row.conditional or (row.gzip and not zipped)
    if lacks and peer.name != "devpi":
        raise BenchError(f"{where}: no {'304' if row.conditional else 'gzip'}")
    if lacks:
        figures.note(row.name, peer.name, "has none of this: the whole plain answer")
    _check_body(where, target, gzip.decompress(answer.body) if zipped else answer.body)


def _check_body(where: str, target: Target, body: bytes) -> None:
    if isinstance(target, Page):
        wanted = (target.project or "small-000").replace("-", "_" if target.project else "-").encode()
        found = wanted in body
    elif target.metadata:
        found = body == corpus.metadata(target.release).encode()
    else:
        found = body == _wheel(target.release)
    if not found:
        raise BenchError(f"{where}: not what was uploaded: {body[:200]!r}")


@lru_cache(maxsize=64)
def _wheel(release: corpus.Release) -> bytes:
    """Return the wheel; the large one takes seconds to make."""
    return corpus.wheel(release)
