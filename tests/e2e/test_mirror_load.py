"""Five hundred clients: upstream is asked once for each page and file, and when it dies nobody gets anything wrong."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from changelog.names import index_name
from changelog.reader import Reader
from changelog.views import indexes
from server.layout import Layout
from server.line import Line
from tests.corpora import Project
from tests.crowd import Got, crowd
from tests.e2e.conftest import PASSWORD
from tests.mirrors import MIRROR, SIMPLE_JSON, STAGE, check_files, check_spool, file_url, mirroring, page, simple
from tests.processes import Node
from tests.upstream.faults import changed_bytes, drips, slow, stalls
from tests.upstream.files import UpstreamDist, built, wheel
from tests.upstream.reply import Gate
from tests.upstream.server import Upstream, upstream

PROJECTS = 50
CLIENTS = 500
EACH = 10  # projects that a client asks for
FEWER, FEW = 200, 5  # the same while the upstream is dead
WORKERS = 3
SIZES = (1_000, 300_000)  # bytes: sent from memory, sent by the kernel
HANG_S = 30.0
BACK_S = 40.0  # until an upstream that came back is asked again
ERRORS = {502, 503}  # that say whose fault it is

Dists = dict[str, UpstreamDist]  # by project

chance = random.Random(7)  # noqa: S311 - it chooses projects


@pytest.fixture(scope="module")
def index() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def mirror(index: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with mirroring(tmp_path_factory.mktemp("load"), index.simple, workers=WORKERS) as running:
        yield running


@pytest.fixture
def dists(index: Upstream, request: pytest.FixtureRequest) -> Dists:
    """Wheels of projects that only this test has; what was asked before is forgotten."""
    name = str(request.function.__name__).rpartition("_")[2]
    projects = [Project(f"{name}-{at:02}", "1.0", payload=SIZES[at % 2]) for at in range(PROJECTS)]
    made = {project.name: built(project) for project in projects}
    index.put(*made.values())
    index.reset()
    return made


def page_urls(node: Node, dists: Dists, clients: int = CLIENTS, each: int = EACH) -> list[list[str]]:
    """Return what each client asks for; one half through the stage that inherits the mirror."""
    indexes = [simple(node, index) for index in (MIRROR, STAGE)]
    names = list(dists)
    return [[f"{indexes[client % 2]}{name}/" for name in chance.sample(names, each)] for client in range(clients)]


def file_urls(node: Node, dists: Dists, clients: int = CLIENTS, each: int = EACH) -> list[list[str]]:
    urls = [file_url(node, dist) for dist in dists.values()]
    return [chance.sample(urls, each) for _ in range(clients)]


def check_pages(got: list[Got], dists: Dists) -> None:
    """Every whole page is the right one."""
    for one in got:
        dist = dists[one.url.split("/")[-2]]
        if one.status == 200 and one.is_whole:
            (file,) = json.loads(one.body)["files"]
            assert (file["filename"], file["hashes"]) == (dist.filename, {"sha256": dist.sha256})
        check_failure(one)


def check_bytes(got: list[Got], dists: Dists) -> None:
    """Every whole file is the right one."""
    contents = {dist.filename: dist.content for dist in dists.values()}
    for one in got:
        if one.status == 200 and one.is_whole:
            assert one.body == contents[one.url.rpartition("/")[2]], f"{one.url} has other bytes"
        check_failure(one)


def check_failure(one: Got) -> None:
    assert one.took_s < HANG_S, f"{one.url} took {one.took_s:.0f} s"
    assert one.is_cut or one.status in {200, *ERRORS}, f"{one.url}: {one.status} {one.body[:300]!r}"


def statuses(got: list[Got]) -> Counter[int]:
    """Count answers; those that were cut as 0."""
    return Counter(0 if one.is_cut else one.status for one in got)


async def test_each_page_and_each_file_is_asked_for_once(mirror: Node, index: Upstream, dists: Dists) -> None:
    index.fail("page", slow(0.1))
    got = await crowd(page_urls(mirror, dists), SIMPLE_JSON)
    index.heal()
    check_pages(got, dists)
    assert statuses(got) == {200: CLIENTS * EACH}
    assert Counter(asked.name for asked in index.pages()) == dict.fromkeys(dists, 1)
    assert index.files() == []
    got = await crowd(file_urls(mirror, dists))
    check_bytes(got, dists)
    assert statuses(got) == {200: CLIENTS * EACH}
    assert Counter(asked.name for asked in index.files()) == {dist.filename: 1 for dist in dists.values()}
    assert len(index.pages()) == PROJECTS


async def test_a_worker_that_looked_before_others_were_answered_has_nothing_asked_again(
    mirror: Node, index: Upstream
) -> None:
    """A worker that is slow between its look and its question can not be made; its late question can."""
    late = wheel("late")
    index.put(late)
    index.reset()
    (listed,) = page(mirror, "late")
    assert (await crowd([[str(listed["url"])]]))[0].body == late.content
    check_spool(mirror)
    worker = Line(Layout(mirror.serverdir).upstream_socket, "process that asks upstreams")
    known = force = damaged = False
    outcome = await worker.ask("page", incarnation(mirror), "late", known, force)
    frames = [frame async for frame in worker.stream("file", incarnation(mirror), "late", late.filename, damaged)]
    worker.close()
    assert outcome == ("ok", "")
    assert [bytes(frame[3]).hex() for frame in frames] == [late.sha256]
    assert (len(index.pages()), len(index.files())) == (1, 1)


async def test_no_answer_is_whole_before_the_file_is_checked(mirror: Node, index: Upstream) -> None:
    """The wrong bit is in the middle: what ends before it is right, and not served whole all the same."""
    wrong = built(Project("wrong", "1.0", payload=max(SIZES)))
    index.put(wrong)
    index.fail("file", changed_bytes(), drips(20_000, 0.01))
    (listed,) = page(mirror, "wrong")
    asked = ("", "bytes=0-999", "bytes=1000-1000", "bytes=-1000", "bytes=0-")
    answers = [await crowd([[str(listed["url"])]], range_=one) for one in asked]
    index.heal()
    assert [got.is_cut for (got,) in answers] == [True] * len(asked)
    (got,) = await crowd([[str(listed["url"])]], range_="bytes=1000-1999")
    assert (got.status, got.body) == (206, wrong.content[1_000:2_000])


@pytest.mark.parametrize("json", [True, False], ids=["json", "html"])
def test_a_file_that_another_mirror_has_is_not_fetched_again(json: bool, mirror: Node, index: Upstream) -> None:  # noqa: FBT001 - a parameter
    """Its page tells all the same what is in it, where upstream does not."""
    shared, other = wheel(f"shared-{json}".lower()), f"root/other-{json}".lower()
    index.put(shared)
    index.change(json=json, metadata=False)
    settings = {"type": "mirror", "mirror_url": index.simple}
    assert requests.put(f"{mirror.url}/{other}", json=settings, auth=("root", PASSWORD), timeout=HANG_S).ok
    index.reset()
    for name in (MIRROR, other):
        page(mirror, shared.owner, name)
        answer = requests.get(file_url(mirror, shared, name), timeout=HANG_S)
        assert (answer.status_code, answer.content) == (200, shared.content)
        check_spool(mirror)
    index.change(json=True, metadata=True)
    assert len(index.files()) == 1
    for name in (MIRROR, other):
        file = _once_complete(mirror, shared.owner, name)
        assert file["size"] == len(shared.content)
        assert requests.get(f"{file['url']}.metadata", timeout=HANG_S).content == shared.metadata


def _once_complete(node: Node, project: str, index: str) -> dict[str, object]:
    """Return the file of a page as soon as its core metadata are told: they are written down behind the answer."""
    deadline = time.monotonic() + HANG_S
    while True:
        (file,) = page(node, project, index)
        if "core-metadata" in file:
            return file
        assert time.monotonic() < deadline, f"never told: {file}"
        time.sleep(0.05)


async def test_an_upstream_that_dies_amid_pages(mirror: Node, index: Upstream, dists: Dists) -> None:
    index.fail("page", slow(0.3))
    asking = asyncio.ensure_future(crowd(page_urls(mirror, dists, FEWER, FEW), SIMPLE_JSON))
    await asyncio.to_thread(index.wait_for, "page", 3)
    await asyncio.sleep(0.31)
    index.die()
    got = await asking
    check_pages(got, dists)
    assert statuses(got)[502] > FEWER, "the upstream died too late to prove anything"
    index.heal()
    index.revive()
    await _ask_until_all_is_there(page_urls(mirror, dists, FEWER, FEW), dists, SIMPLE_JSON)


async def test_an_upstream_that_dies_amid_files(mirror: Node, index: Upstream, dists: Dists) -> None:
    for name in dists:
        page(mirror, name)
    index.fail("file", stalls(min(SIZES), Gate()))
    asking = asyncio.ensure_future(crowd(file_urls(mirror, dists, FEWER, FEW)))
    await asyncio.to_thread(index.wait_for, "file", PROJECTS // 2)
    await asyncio.sleep(0.3)
    index.die()
    got = await asking
    check_bytes(got, dists)
    assert statuses(got)[0] > FEWER / 4, "no download was under way that was handed on"
    assert statuses(got)[502] > FEWER / 4, "the error was told to nobody"
    check_spool(mirror)
    check_files(mirror)
    index.heal()
    index.revive()
    await _ask_until_all_is_there(file_urls(mirror, dists, FEWER, FEW), dists)


def incarnation(node: Node) -> int:
    """Return the number of the mirror, which the processes of a node call it by."""
    reader = Reader(Layout(node.serverdir).changelog)
    with reader.snapshot() as store:
        found = indexes.find(store, index_name(MIRROR))
    reader.close()
    assert found is not None
    return found.incarnation


async def _ask_until_all_is_there(clients: list[list[str]], dists: Dists, accept: str = "*/*") -> None:
    """Ask again as clients do, until an upstream that came back is trusted again."""
    deadline = time.monotonic() + BACK_S
    while True:
        got = await crowd(clients, accept)
        (check_pages if accept == SIMPLE_JSON else check_bytes)(got, dists)
        if statuses(got).keys() == {200}:
            return
        assert time.monotonic() < deadline, f"still not answered: {statuses(got)}"
        await asyncio.sleep(1)
