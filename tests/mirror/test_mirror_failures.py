"""Upstreams that are slow, dead or broken: what was fetched is served, what is not known is no "not found"."""

import time
from collections.abc import Iterator

import pytest

from tests.http.client import wheel
from tests.mirror.site import ANY, HTML, JSON, STALE, UNAVAILABLE, Site, at_once, fresh, until
from tests.upstream import faults, files
from tests.upstream.faults import Fault
from tests.upstream.server import Upstream, upstream

REQUEST_S = 0.5
ARGS = (
    *("--request-timeout", str(REQUEST_S)),
    *("--upstream-connect-timeout", "1"),
    *("--upstream-first-byte-timeout", "1"),
    *("--upstream-timeout", "3"),
)
PROMPT_S = REQUEST_S + 1.0  # a busy machine is no failure
FAULTS: dict[str, tuple[Fault, str]] = {  # and what is said of it
    "slow": (faults.slow(2.5), "not answered"),
    "silent": (faults.silent(), "not answered"),
    "dripping": (faults.drips(1, 0.2), "not answered"),
    "hanging up": (faults.hangs_up(), "ended early"),
    "500": (faults.status(500), "500"),
    "503": (faults.status(503), "503"),
    "403": (faults.status(403), "403"),
    "429": (faults.status(429, retry_after="7"), "429"),
    "truncated": (faults.truncated(), "ended early"),
    "half of it": (faults.invalid_json(), "not JSON"),
    "no JSON": (faults.html_as_json(), "not JSON"),
    "a login page": (faults.login_page(), "not a simple page"),
    "empty": (faults.empty(), "not JSON"),
    "redirected for ever": (faults.redirect_loop(), "redirects"),
}
QUICK = sorted(set(FAULTS) - {"slow", "silent", "dripping"})


@pytest.fixture
def dead() -> Iterator[Upstream]:
    """An upstream of this test's own, which dies."""
    with upstream() as made:
        yield made


def timed(site: Site, index: str, name: str) -> tuple[float, str]:
    """Return how long a page took, and its header about staleness."""
    began = time.monotonic()
    answer = site.page(index, name)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["files"]) == 1
    return time.monotonic() - began, answer.headers.get(STALE, "")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_that_is_known_is_shown_as_it_was(site: Site, up: Upstream, fault: str) -> None:
    name, index = fresh("known"), site.mirror()
    up.put(files.wheel(name))
    assert timed(site, index, name)[1] == ""
    serial = site.serial()
    up.describe(name, name=name.upper())  # another page, which says the same
    up.fail(f"/simple/{name}/", FAULTS[fault][0])
    took_s, stale = timed(site, index, name)
    assert took_s < PROMPT_S
    assert stale.startswith(f"{index}; ")
    assert FAULTS[fault][1] in stale
    until(lambda: site.health(index)["state"] == "failed")
    assert site.health(index)["reason"]
    assert site.serial() == serial
    up.heal(f"/simple/{name}/")
    until(lambda: site.refresh(index, name).status_code == 302 and not timed(site, index, name)[1])
    assert site.health(index)["state"] == "ok"


def test_a_project_that_upstream_no_longer_has_stays(site: Site, up: Upstream) -> None:
    name, index = fresh("removed"), site.mirror()
    up.put(files.wheel(name))
    timed(site, index, name)
    up.remove(name)
    assert "no longer has" in timed(site, index, name)[1]
    assert site.health(index)["state"] == "ok"


@pytest.mark.parametrize("fault", QUICK)
def test_what_was_never_seen_is_no_not_found(site: Site, up: Upstream, fault: str) -> None:
    name, index = fresh("unseen"), site.mirror()
    up.put(files.wheel(name))
    up.fail(f"/simple/{name}/", FAULTS[fault][0])
    for accept in (JSON, HTML):
        answer = site.page(index, name, accept)
        assert answer.status_code == 502
        assert FAULTS[fault][1] in answer.text
        assert index in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    count = len(up.pages(name))
    for path in (f"{index}/{name}", f"{index}/{name}/1.0", f"{index}/+f/012/3456789012345/{name}-1.0.tar.gz"):
        answer = site.nobody.get(path)
        assert answer.status_code == 502, path
        assert index in answer.json()["message"]
    assert len(up.pages(name)) == count <= 6  # then it is remembered for a while


def test_a_silent_upstream_is_given_up(site: Site, up: Upstream) -> None:
    name, index = fresh("mute"), site.mirror()
    up.fail(f"/simple/{name}/", faults.silent())
    began = time.monotonic()
    assert site.page(index, name).status_code == 502
    assert time.monotonic() - began < 10


def test_a_slow_page_is_waited_for_once_and_then_there(site: Site, up: Upstream) -> None:
    name, index = fresh("late"), site.mirror(mirror_cache_expiry=1)
    up.put(files.wheel(name))
    timed(site, index, name)
    up.put(files.sdist(name))
    up.fail(f"/simple/{name}/", faults.slow(0.8))
    time.sleep(1.0)
    answer = site.page(index, name)
    assert "not answered" in answer.headers[STALE]
    assert len(answer.json()["files"]) == 1
    until(lambda: len(site.files(index, name)) == 2)


def test_a_stage_goes_on_without_a_mirror_that_fails(site: Site, dead: Upstream) -> None:
    name = fresh("both")
    dead.put(files.sdist(name))
    index = site.mirror(dead)
    stage = site.stage(index, mirror_whitelist="*")
    assert site.owner.upload(stage, wheel(name)).status_code == 200
    dead.die()
    for accept in (JSON, HTML):
        answer = site.page(stage, name, accept)
        assert answer.status_code == 200
        assert wheel(name).filename in answer.text
        assert answer.headers[UNAVAILABLE].startswith(f"{index}; ")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
    absent = site.page(stage, fresh("absent"))
    assert absent.status_code == 502
    assert index in absent.text
    dead.revive()
    until(lambda: site.refresh(stage, name).status_code == 302 and UNAVAILABLE not in site.page(stage, name).headers)
    assert len(site.files(stage, name)) == 2
    assert "ETag" in site.page(stage, name).headers


def test_a_project_that_the_stage_had_once_is_no_not_found_either(site: Site, up: Upstream) -> None:
    name, index = fresh("had"), site.mirror()
    stage = site.stage(index)
    assert site.owner.upload(stage, wheel(name)).status_code == 200
    assert site.owner.delete(f"{stage}/{name}").status_code == 200
    up.fail(f"/simple/{name}/", faults.status(500))
    assert site.page(stage, name).status_code == 502
    assert site.refresh(stage, name).status_code == 502


def test_one_mirror_of_two_may_fail(site: Site, up: Upstream, dead: Upstream) -> None:
    name = fresh("either")
    up.put(files.wheel(name))
    failing = site.mirror(dead)
    stage = site.stage(failing, site.mirror())
    dead.die()
    answer = site.page(stage, name)
    assert len(answer.json()["files"]) == 1
    assert answer.headers[UNAVAILABLE].startswith(f"{failing}; ")


def test_a_stale_mirror_behind_a_stage_is_named(site: Site, up: Upstream) -> None:
    name, index = fresh("stalebase"), site.mirror()
    up.put(files.wheel(name))
    stage = site.stage(index)
    timed(site, stage, name)
    up.fail(f"/simple/{name}/", faults.status(500))
    assert timed(site, stage, name)[1].startswith(f"{index}; ")


def test_a_404_is_remembered_for_a_while(site: Site, up: Upstream) -> None:
    name, index = fresh("nowhere"), site.mirror(mirror_cache_expiry=1800)
    for _ in range(5):
        assert site.page(index, name).status_code == 404
    assert len(up.pages(name)) == 1
    up.put(files.wheel(name))
    site.refresh(index, name)
    assert len(site.files(index, name)) == 1


def test_the_time_that_upstream_asks_for_is_kept(site: Site, up: Upstream) -> None:
    name, index = fresh("patient"), site.mirror()
    up.put(files.wheel(name))
    timed(site, index, name)
    up.fail(f"/simple/{name}/", faults.status(429, retry_after="30"))
    assert "429" in timed(site, index, name)[1]
    count = len(up.pages(name))
    time.sleep(1.0)
    for _ in range(3):
        assert "429" in timed(site, index, name)[1]
    assert len(up.pages(name)) == count


def test_an_upstream_that_fails_again_and_again_is_left_alone(site: Site, dead: Upstream) -> None:
    index = site.mirror(dead)
    dead.fail("page", faults.status(500))
    for _ in range(3):
        assert site.page(index, fresh("gone")).status_code == 502
    count = len(dead.pages())
    assert 5 <= count < 9
    answer = site.page(index, fresh("gone"))
    assert answer.status_code == 502
    assert "not asked" in answer.text
    assert len(dead.pages()) == count
    dead.heal()
    name = fresh("back")
    dead.put(files.wheel(name))
    until(lambda: site.refresh(index, name).status_code == 302)
    assert len(site.files(index, name)) == 1


def test_files_of_a_dead_upstream_are_there_if_they_were_fetched(site: Site, dead: Upstream) -> None:
    name = fresh("files")
    one, other = files.wheel(name), files.sdist(name)
    dead.put(one, other)
    index = site.mirror(dead)
    fetched, missing = (site.path(index, name, dist.filename) for dist in (one, other))
    assert site.nobody.get(fetched, ANY).content == one.content
    site.wait_for_fetched(one.filename)
    dead.die()
    assert site.nobody.get(fetched, ANY).content == one.content
    answer = site.nobody.get(missing, ANY)
    assert answer.status_code == 502
    assert "no connection" in answer.text
    unknown = site.nobody.get(f"{index}/+f/012/3456789012345/{name}-2.0.tar.gz")
    assert unknown.status_code == 502  # nobody knows whether upstream has it
    dead.revive()
    until(lambda: site.nobody.get(missing, ANY).content == other.content)


def test_the_list_of_projects_is_shown_as_it_was(site: Site, dead: Upstream) -> None:
    dead.put(files.wheel("listed-one"), files.wheel("listed-two"))
    index = site.mirror(dead)
    assert site.nobody.get(f"{site.mirror(dead)}/+simple/", JSON).status_code == 200
    before = site.nobody.get(f"{index}/+simple/", JSON)
    assert len(before.json()["projects"]) == 2
    dead.fail("list", faults.status(500))
    for _ in range(3):
        answer = site.nobody.get(f"{index}/+simple/", JSON)
        assert answer.json()["projects"] == before.json()["projects"]
        assert "500" in answer.headers[STALE]
        assert UNAVAILABLE not in answer.headers
    assert len(site.nobody.result(index)["projects"]) == 2
    dead.heal()
    dead.fail("list", faults.login_page())
    until(lambda: "not a simple page" in site.nobody.get(f"{index}/+simple/", JSON).headers[STALE])
    assert len(site.nobody.get(f"{index}/+simple/", JSON).json()["projects"]) == 2


def test_a_list_that_was_never_seen_is_502(site: Site, dead: Upstream) -> None:
    dead.die()
    index = site.mirror(dead)
    answer = site.nobody.get(f"{index}/+simple/", JSON)
    assert answer.status_code == 502
    stage = site.stage(index)
    answer = site.nobody.get(f"{stage}/+simple/", JSON)
    assert answer.status_code == 200
    assert answer.headers[UNAVAILABLE].startswith(f"{index}; ")


def test_a_silent_upstream_holds_nobody_else_up(site: Site, up: Upstream) -> None:
    name, other, index = fresh("hung"), fresh("quick"), site.mirror()
    up.put(files.wheel(other))
    up.fail(f"/simple/{name}/", faults.silent())
    seen = len(up.pages(name))
    began = time.monotonic()
    paths = [f"{index}/+simple/{name}/"] * 4 + [f"{index}/+simple/{other}/"] * 4
    answers = at_once(site, *paths)
    took_s = [answer.elapsed.total_seconds() for answer in answers]
    assert [answer.status_code for answer in answers] == [502] * 4 + [200] * 4
    assert max(took_s[4:]) < 1.0
    assert time.monotonic() - began < 10
    assert len(up.pages(name)) - seen == 3
