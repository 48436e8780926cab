"""Mirrors on a replica: its primary asks upstreams, and what nobody has fetched yet comes through it."""

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.crowd import crowd
from tests.e2e.clients import Clients
from tests.e2e.installers import NEWEST
from tests.http.client import wheel
from tests.mirror.asking import LARGE, large, partial
from tests.mirror.site import ANY, JSON, STALE, UNAVAILABLE, Site, at_once, fresh, until
from tests.replica.nodes_for_mirrors import Cluster, cluster
from tests.upstream import faults, files
from tests.upstream.files import ROOT_PROJECT, chained_projects, chained_versions
from tests.upstream.server import Upstream, upstream

PATIENCE_S = 1.5  # of a client, for news of a page that is known
PROMPT_S = 1.0
SOON_S = 10.0  # much less than an idle connection is kept
COUNT = 8  # projects that pip installs
OPTIONS = ("--request-timeout", str(PATIENCE_S))


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("pair"), up) as made:
        yield made


@pytest.fixture(scope="module")
def here(pair: Cluster) -> Site:
    """The replica."""
    return pair.follow("replica", *OPTIONS)


@pytest.fixture
def dead() -> Iterator[Upstream]:
    """Another upstream, which may die."""
    with upstream() as made:
        yield made


def entries(site: Site) -> list[bytes]:
    return site.entries()


def test_a_cold_page_is_asked_for_by_the_primary(pair: Cluster, here: Site, up: Upstream) -> None:
    name, index = fresh("cold"), here.mirror()
    up.put(files.wheel(name), files.sdist(name))
    answer = here.page(index, name)
    assert answer.status_code == 200
    assert STALE not in answer.headers
    assert answer.json() == pair.site.page(index, name).json()
    assert len(answer.json()["files"]) == 2
    assert entries(here) == entries(pair.site)


def test_a_warm_page_asks_nobody(pair: Cluster, here: Site, up: Upstream) -> None:
    name, index = fresh("warm"), here.mirror(mirror_cache_expiry=1800)
    up.put(files.wheel(name))
    assert here.page(index, name).status_code == 200  # by the worker that has this connection
    with pair.paused():
        began = time.monotonic()
        answer = here.page(index, name)
        assert time.monotonic() - began < PROMPT_S
    assert answer.status_code == 200
    assert STALE not in answer.headers
    assert len(up.pages(name)) == 1


def test_news_of_upstream_come_when_a_page_is_no_longer_fresh(here: Site, up: Upstream) -> None:
    name, index = fresh("news"), here.mirror()
    up.put(files.wheel(name))
    assert len(here.files(index, name)) == 1
    up.put(files.sdist(name))
    assert len(here.files(index, name)) == 2


def test_an_option_of_a_mirror_counts_at_once(here: Site, up: Upstream) -> None:
    name, index = fresh("option"), here.mirror(mirror_cache_expiry=1800)
    up.put(files.wheel(name))
    assert len(here.files(index, name)) == 1
    up.put(files.sdist(name))
    assert len(here.files(index, name)) == 1
    assert here.owner.patch(index, ["mirror_cache_expiry=0"]).status_code == 200
    assert len(here.files(index, name)) == 2


def test_a_refresh_through_a_replica_is_seen_there(here: Site, up: Upstream) -> None:
    name, index = fresh("refresh"), here.mirror(mirror_cache_expiry=1800)
    assert here.page(index, name).status_code == 404
    up.put(files.wheel(name))
    assert here.page(index, name).status_code == 404
    assert here.refresh(index, name).status_code == 302
    assert len(here.files(index, name)) == 1


def test_a_stage_on_a_replica_has_the_projects_of_its_mirror(here: Site, up: Upstream) -> None:
    name = fresh("based")
    up.put(files.wheel(name))
    stage = here.stage(here.mirror())
    assert here.owner.upload(stage, wheel(fresh("own"))).status_code == 200
    assert len(here.files(stage, name)) == 1


def test_a_page_of_a_dead_upstream_is_stale_here_too(pair: Cluster, here: Site, dead: Upstream) -> None:
    name, index = fresh("stale"), here.mirror(dead)
    dead.put(files.wheel(name))
    assert here.page(index, name).status_code == 200
    dead.die()
    answer = here.page(index, name)
    assert answer.status_code == 200
    assert len(answer.json()["files"]) == 1
    assert answer.headers[STALE] == pair.site.page(index, name).headers[STALE]
    assert answer.headers[STALE].startswith(f"{index}; ")


def test_a_missing_project_is_asked_for_once(here: Site, up: Upstream) -> None:
    name, index = fresh("missing"), here.mirror(mirror_cache_expiry=1800)
    assert [here.page(index, name).status_code for _ in range(3)] == [404] * 3
    assert len(up.pages(name)) == 1


def test_what_upstream_can_not_say_is_no_not_found(pair: Cluster, here: Site, up: Upstream) -> None:
    name, index = fresh("failing"), here.mirror()
    up.fail(f"/simple/{name}/", faults.status(500))
    answer = here.page(index, name)
    assert answer.status_code == 502
    assert answer.text == pair.site.page(index, name).text
    assert "upstream answers 500" in answer.reason
    stage = here.stage(index, mirror_whitelist="*")
    assert here.owner.upload(stage, wheel(name)).status_code == 200
    assert here.page(stage, name).headers[UNAVAILABLE].startswith(f"{index}; upstream answers 500")


def test_twenty_clients_are_one_question(here: Site, up: Upstream) -> None:
    name, index = fresh("crowd"), here.mirror(mirror_cache_expiry=1800)
    up.put(files.wheel(name))
    up.fail(f"/simple/{name}/", faults.slow(0.5))
    answers = at_once(here, *[f"{index}/+simple/{name}/"] * 20)
    assert [answer.status_code for answer in answers] == [200] * 20
    assert {len(answer.json()["files"]) for answer in answers} == {1}
    assert len(up.pages(name)) == 1


def test_a_hung_primary_holds_nobody_up_who_has_a_page(pair: Cluster, here: Site, up: Upstream) -> None:
    name, index = fresh("hung"), here.mirror()
    up.put(files.wheel(name))
    assert here.page(index, name).status_code == 200
    with pair.paused():
        began = time.monotonic()
        answer = here.page(index, name)
        took_s = time.monotonic() - began
        assert answer.headers[STALE] == f"{index}; the primary has not answered yet"
        assert answer.status_code == 200
        assert PATIENCE_S / 2 < took_s < PATIENCE_S + PROMPT_S
        began = time.monotonic()
        assert STALE in here.page(index, name).headers
        assert time.monotonic() - began < PROMPT_S  # it waits for the same question
    until(lambda: STALE not in here.page(index, name).headers)


def test_a_file_that_nobody_fetched_comes_through(pair: Cluster, here: Site, up: Upstream) -> None:
    dist = large(fresh("whole"))
    up.put(dist)
    index = here.mirror()
    path = here.path(index, dist.owner, dist.filename)
    head = here.nobody.head(path, ANY)
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, LARGE)
    assert up.files(dist.filename) == []
    answer = here.nobody.get(path, ANY)
    assert answer.content == dist.content
    assert answer.headers["ETag"] == f'"{dist.sha256}"'
    assert here.nobody.get(path, ANY, If_None_Match=answer.headers["ETag"]).status_code == 304
    pair.site.wait_for_fetched(dist.filename)
    until(lambda: here.serial() == pair.site.serial())
    assert here.nobody.get(path, ANY).content == dist.content
    assert len(up.files(dist.filename)) == 1


def test_a_part_of_a_file_comes_through(here: Site, up: Upstream) -> None:
    dist = large(fresh("part"))
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    answer = here.nobody.get(path, ANY, Range="bytes=1000-1999")
    assert (answer.status_code, answer.content) == (206, dist.content[1000:2000])
    assert answer.headers["Content-Range"] == f"bytes 1000-1999/{LARGE}"
    assert here.nobody.get(path, ANY, Range=f"bytes={LARGE}-").status_code == 416
    assert len(up.files(dist.filename)) == 1


def test_a_file_is_handed_on_while_it_arrives(here: Site, up: Upstream) -> None:
    dist = large(fresh("slowly"))
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    up.fail(f"/{dist.path}", faults.stalls(LARGE // 2, 1.0))
    with partial(here, path) as asked:
        assert asked.read_to(LARGE // 4) == dist.content[: len(asked.body)]
        assert len(asked.body) < LARGE
        assert asked.read_to(LARGE) == dist.content


async def test_wrong_bytes_never_look_whole(here: Site, up: Upstream) -> None:
    dist = large(fresh("wrong"))
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    up.fail(f"/{dist.path}", faults.changed_bytes())
    url = f"{here.node.url}/{path}"
    got = [*await crowd([[url]]), *await crowd([[url]], range_="bytes=0-99")]
    assert [one.is_cut or one.status == 502 for one in got] == [True, True]
    assert max(one.took_s for one in got) < SOON_S  # they are told, and do not wait for the rest


def test_a_file_without_a_digest_comes_through(here: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("plain"), hashes={})
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    assert "/+e/" in path
    assert here.nobody.get(path, ANY).content == dist.content


def test_core_metadata_come_through(here: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("meta"))
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    assert here.nobody.get(f"{path}.metadata", ANY).content == dist.metadata
    assert up.files(dist.filename) == []


def test_a_file_that_is_not_there_is_not_found(here: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("there"))
    up.put(dist)
    path = here.path(here.mirror(), dist.owner, dist.filename)
    assert here.nobody.get(path.replace("-1.0-", "-2.0-"), ANY).status_code == 404


def test_clients_are_sent_to_upstream_where_an_index_says_so(here: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("external"))
    up.put(dist)
    index = here.mirror(mirror_url=up.simple, mirror_use_external_urls=True)
    answer = here.nobody.get(here.path(index, dist.owner, dist.filename), ANY)
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).path == f"/{dist.path}"


def test_the_list_of_projects_is_the_primarys(pair: Cluster, here: Site, dead: Upstream) -> None:
    dead.put(files.wheel("listed-one"), files.wheel("listed-two"))
    index = here.mirror(dead)
    path = f"{index}/+simple/"
    answer = here.nobody.get(path, JSON)
    assert answer.json()["projects"] == pair.site.nobody.get(path, JSON).json()["projects"]
    assert len(answer.json()["projects"]) == 2
    dead.put(files.wheel("listed-three"))
    assert len(here.nobody.get(path, JSON).json()["projects"]) == 3
    dead.die()
    answer = here.nobody.get(path, JSON)
    assert len(answer.json()["projects"]) == 3
    assert answer.headers[STALE].startswith(f"{index}; ")


def test_a_list_that_was_never_seen_is_502(here: Site, dead: Upstream) -> None:
    dead.die()
    assert here.nobody.get(f"{here.mirror(dead)}/+simple/", JSON).status_code == 502


def test_a_replica_explains_and_tells_alarms(here: Site, up: Upstream) -> None:
    name, index = fresh("alarm"), here.mirror()
    first, second = files.wheel(name), files.wheel(name, note="other")
    up.put(first)
    assert len(here.files(index, name)) == 1
    up.put(second)
    assert here.refresh(index, name).status_code == 302
    (alarm,) = here.nobody.result(f"{index}/+alarms")
    assert (alarm["known"], alarm["claimed"]) == (first.sha256, second.sha256)
    found = here.nobody.result(f"{index}/+explain/{name}")
    assert found["sources"][0]["upstream"]["state"] == "fresh"
    assert len(found["alarms"]) == 1


def test_a_replica_of_a_replica_has_mirrors_too(pair: Cluster, here: Site, up: Upstream) -> None:
    last = pair.follow_through(here.node, "second", *OPTIONS)
    dist = large(fresh("chain"))
    up.put(dist)
    index = last.mirror()
    assert last.nobody.get(last.path(index, dist.owner, dist.filename), ANY).content == dist.content
    assert len(up.files(dist.filename)) == 1


def test_pip_installs_from_a_replica(here: Site, up: Upstream, tmp_path: Path) -> None:
    up.put(*chained_projects(COUNT))
    simple = f"{here.node.url}/root/pypi/+simple/"
    assert NEWEST[0].install(Clients(tmp_path), simple, tmp_path / "target", ROOT_PROJECT) == chained_versions(COUNT)


def test_no_process_of_a_replica_asks_upstreams(here: Site) -> None:
    assert "upstream" not in here.node.pids()


def test_a_dead_primary_leaves_what_is_known(pair: Cluster, here: Site, up: Upstream) -> None:
    """The last one: the primary stays dead."""
    dist, never, cut = files.wheel(fresh("left")), files.wheel(fresh("never")), large(fresh("cut"))
    up.put(dist, never, cut)
    index, warm = here.mirror(), here.mirror(mirror_cache_expiry=1800)
    for name in (index, warm):
        assert len(here.files(name, dist.owner)) == 1
    path, slow = (here.path(index, file.owner, file.filename) for file in (never, cut))
    assert here.nobody.get(f"{index}/+simple/", JSON).status_code == 200
    up.fail(f"/{cut.path}", faults.stalls(LARGE // 2, 30.0))
    with partial(here, slow) as asked:
        asked.read_to(LARGE // 4)
        pair.primary.kill()
        began = time.monotonic()
        assert len(asked.read_to(LARGE)) < LARGE == asked.length
        assert time.monotonic() - began < SOON_S
    until(lambda: here.nobody.result("+status")["following"] == "unreachable")
    answer = here.page(index, dist.owner)
    assert (answer.status_code, len(answer.json()["files"])) == (200, 1)
    assert answer.headers[STALE] == f"{index}; the primary is unreachable"
    assert STALE not in here.page(warm, dist.owner).headers
    unknown = here.page(index, fresh("unknown"))
    assert unknown.status_code == 502
    assert "the primary can not be asked" in unknown.text
    listed = here.nobody.get(f"{index}/+simple/", JSON)
    assert dist.owner in {project["name"] for project in listed.json()["projects"]}
    assert STALE in listed.headers
    assert here.nobody.get(path, ANY).status_code == 502
