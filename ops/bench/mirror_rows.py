"""The mirror rows: what is asked of a server, and what is added to the figures."""

import time
from collections.abc import Sequence
from http import HTTPStatus

from ops.bench import corpus, cost, load, mirror_clock, mirror_corpus, reading
from ops.bench.figures import Figures, Key
from ops.bench.mirror_clock import Timed
from ops.bench.mirror_corpus import GROWING, Round
from ops.bench.mirror_nginx import Upstream
from ops.bench.mirror_peers import STAGE, IndexMirror
from ops.bench.peers import Peer
from ops.bench.processes import BenchError
from ops.bench.rows import Read
from ops.bench.site import Site
from ops.bench.targets import JSON, File, Page, Target

WARM_TURNS = 3  # that each warm page and file is asked for
LOADED = 50  # pages or files that wrk asks for in turn


def first_page(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for one page right after the start."""
    _each(peer, "first-page", mirror_corpus.pages([names.first]), figures)


def cold_pages(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for many small pages, each for the first time."""
    _each(peer, "cold-page", mirror_corpus.pages(names.small), figures)


def cold_files(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for a small file of each of those projects."""
    _each(peer, "cold-file", mirror_corpus.first_files(names.small), figures)


def warm_pages(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for the same pages again."""
    _each(peer, "warm-page", mirror_corpus.pages(names.small) * WARM_TURNS, figures)


def warm_files(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for the same files again."""
    _each(peer, "warm-file", mirror_corpus.first_files(names.small) * WARM_TURNS, figures)


def many_cold(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for pages of many files, each for the first time."""
    _each(peer, "files-3000-cold", mirror_corpus.pages(names.many), figures)


def many_warm(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for the same pages again."""
    _each(peer, "files-3000-warm", mirror_corpus.pages(names.many) * WARM_TURNS, figures)


def large_cold(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for the large file, whose page is known; note also when its first byte comes."""
    peer.path(File(names.large_release))  # which asks for the page where it has to
    _ask_pages(peer, [names.large])
    (timed,) = _each(peer, "large-cold", [File(names.large_release)], figures)
    figures.add("large-cold", peer.name, first_ms=timed.first_s * 1e3)


def compare_first_bytes(mirrors: Sequence[Peer], upstream: Peer, figures: Figures) -> None:
    """Add how long after upstream's own the first byte of this round's large file came."""
    direct = figures.rounds[Key("large-cold", upstream.name, "first_ms")][-1]
    for mirror in mirrors:
        first = figures.rounds[Key("large-cold", mirror.name, "first_ms")][-1]
        figures.add("large-cold", mirror.name, after_direct_ms=first - direct)


def large_warm(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for the large file again."""
    timed = _each(peer, "large-warm", [File(names.large_release)] * WARM_TURNS, figures)
    figures.add("large-warm", peer.name, first_ms=min(answer.first_s for answer in timed) * 1e3)


def under_load(peer: Peer, names: Round, site: Site, figures: Figures) -> None:
    """Load the server with warm pages, then with warm files."""
    projects = names.small[:LOADED]
    _loaded(peer, "warm-pages", list(mirror_corpus.pages(projects)), site, figures)
    _loaded(peer, "warm-files", list(mirror_corpus.first_files(projects)), site, figures)


def stage_under_load(ours: Peer, site: Site, figures: Figures) -> None:
    """Load ledgerpi with as many pages and files of its stage."""
    files = stage_releases()[:: mirror_corpus.SMALL_FILES]
    pages = [Page(STAGE, release.project, JSON) for release in files]
    _loaded(ours, "stage-pages", list(pages), site, figures)
    _loaded(ours, "stage-files", [File(release) for release in files], site, figures)


def stage_releases() -> list[corpus.Release]:
    """Return what the stage has: projects like those of the mirror."""
    projects = (corpus.small(number) for number in range(LOADED))
    return [release for project in projects for release in corpus.of_project(STAGE, project, mirror_corpus.SMALL_FILES)]


def prepare_stale(peer: Peer, names: Round) -> None:
    """Ask for the pages that will be old when upstream is dead."""
    _ask_pages(peer, names.stale)


def stale_pages(peer: Peer, names: Round, figures: Figures) -> None:
    """Ask for old pages once more; upstream is dead. Times are of those answers that are pages."""
    requests = [_request(peer, page) for page in mirror_corpus.pages(names.stale)]
    before = cost.cpu_s(peer.pid)
    timed = mirror_clock.one_after_the_other(peer.port, requests)
    cpu_s = cost.cpu_s(peer.pid) - before
    pages = [answer for answer in timed if answer.status == HTTPStatus.OK]
    if pages:
        _add("stale-page", peer, pages, cpu_s / len(timed), figures)
    else:
        figures.note("stale-page", peer.name, f"answers {timed[0].status} without its upstream")
    figures.add("stale-page", peer.name, without_page=len(timed) - len(pages))


def growth(peer: IndexMirror, upstream: Upstream, plan: mirror_corpus.Plan, figures: Figures) -> None:
    """Refresh a page again and again, each time with one more file; add how much the database grew."""
    _ask_pages(peer, [GROWING])
    database, entries = peer.database_bytes(), peer.changelog_bytes()
    spent_s = 0.0
    for number in range(1, plan.refreshes + 1):
        upstream.list_files(GROWING, plan.many_files + number)
        began = time.perf_counter()
        peer.refresh(GROWING)
        spent_s += time.perf_counter() - began
    _check_grown(peer, plan)
    figures.add(
        "growth",
        peer.name,
        database_kb=(peer.database_bytes() - database) / 1e3,
        history_kb=(peer.changelog_bytes() - entries) / 1e3,
        refresh_ms=spent_s / plan.refreshes * 1e3,
    )


def _check_grown(peer: Peer, plan: mirror_corpus.Plan) -> None:
    last = mirror_corpus.invented(GROWING, plan.many_files + plan.refreshes)[-1]
    (page,) = mirror_corpus.pages([GROWING])
    if last.release.filename.encode() not in load.ask(peer.port, _request(peer, page)).body:
        raise BenchError(f"growth at {peer.name}: the newest file is not on the page")


def _ask_pages(peer: Peer, projects: Sequence[str]) -> None:
    _timed(peer, "pages", [_request(peer, page) for page in mirror_corpus.pages(projects)])


def _each(peer: Peer, row: str, targets: Sequence[Target], figures: Figures) -> list[Timed]:
    """Ask for the targets, add latencies in ms and the server's CPU time in us, and return all times."""
    requests = [_request(peer, target) for target in targets]  # an index is asked for its page to know a file's path
    before = cost.cpu_s(peer.pid)
    timed = _timed(peer, row, requests)
    cpu_s = cost.cpu_s(peer.pid) - before
    _add(row, peer, timed, cpu_s / len(timed), figures)
    return timed


def _add(row: str, peer: Peer, timed: Sequence[Timed], cpu_s: float, figures: Figures) -> None:
    whole = sorted(answer.whole_s for answer in timed)
    p50_ms, p99_ms = load.percentile(whole, 50), load.percentile(whole, 99)
    figures.add(row, peer.name, p50_ms=p50_ms, p99_ms=p99_ms, cpu_us=cpu_s * 1e6)


def _timed(peer: Peer, row: str, requests: Sequence[bytes]) -> list[Timed]:
    timed = mirror_clock.one_after_the_other(peer.port, requests)
    wrong = [answer.status for answer in timed if answer.status != HTTPStatus.OK or not answer.size]
    if wrong:
        raise BenchError(f"{row} at {peer.name}: {len(wrong)} answers of {len(timed)} like {wrong[0]}")
    return timed


def _request(peer: Peer, target: Target) -> bytes:
    """Return the request for a page or a file, as pip sends it."""
    headers = {"User-Agent": "pip/26.0", "Accept": target.form if isinstance(target, Page) else "*/*"}
    return load.request("GET", peer.path(target), headers)


def _loaded(peer: Peer, row: str, targets: list[Target], site: Site, figures: Figures) -> None:
    reading.measure(peer, Read(row, lambda _plan: targets), site, figures)
