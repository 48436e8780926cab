"""Upstreams that lie or attack: a clear error or the page as it was, nothing poisoned, and nobody else held up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest
from attrs import evolve

from changelog.events.upstream import MirrorFileFetched, MirrorHashAccepted, MirrorHashChanged
from tests.http.client import Client
from tests.mirror.asking import LARGE, large, listed, partial
from tests.mirror.site import ANY, HTML, JSON, STALE, Site, forget_memory_peak, fresh, memory_peak
from tests.upstream import faults, files
from tests.upstream.faults import Fault
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream, upstream

MIB = 1 << 20
UPSTREAM_PEAK = 250 * MIB
WORKER_PEAK = 100 * MIB
ARGS = ("--max-request-body-size", str(16 * MIB))
ANSWER_S = 3.0  # a busy machine is no failure


@contextmanager
def others_answered(site: Site, fresh_one: str, impatient: str, project: str) -> Iterator[None]:
    """Check that a page is answered soon all the while, whatever else goes on, fresh or asked for."""
    took_s: list[float] = []
    over = Event()

    def ask() -> None:
        client = Client(site.node.url)
        while not over.is_set():
            for name in (fresh_one, impatient):
                began = time.monotonic()
                assert client.get(f"{name}/+simple/{project}/", JSON).status_code == 200
                took_s.append(time.monotonic() - began)
                time.sleep(0.02)
        client.close()

    thread = Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert took_s
    assert max(took_s) < ANSWER_S


@pytest.fixture(scope="module")
def known(site: Site) -> tuple[str, str, str]:
    """A mirror where a project's page is fresh, one that asks for it each time, and the project."""
    dist = files.wheel("always-there")
    site.up.put(dist)
    indexes = site.mirror(mirror_cache_expiry=1800), site.mirror()
    assert [len(site.files(index, dist.owner)) for index in indexes] == [1, 1]
    return *indexes, dist.owner


@pytest.fixture(scope="module", autouse=True)
def stranger(site: Site) -> Iterator[Client]:
    """Another user."""
    assert site.nobody.put("stranger", {"password": "secret"}).status_code == 201
    client = Client(site.node.url, "stranger", "secret")
    assert client.put("stranger/index", {}).status_code == 200
    yield client
    client.close()


@pytest.fixture(scope="module", autouse=True)
def _within_bounds(site: Site, stranger: Client) -> Iterator[None]:
    """Check that no process takes more memory than it may, once all passwords were hashed and checked."""
    del stranger
    pids = site.node.pids()
    for pid in pids.values():
        forget_memory_peak(pid)
    yield
    assert site.node.pids() == pids
    peaks = {name: memory_peak(pid) for name, pid in pids.items()}
    assert peaks["upstream"] < UPSTREAM_PEAK, peaks
    assert all(peak < WORKER_PEAK for name, peak in peaks.items() if name.startswith("worker")), peaks


PAGES: dict[str, tuple[Fault, str]] = {  # and what is said of it
    "endless": (faults.endless_page(), "over 67108864 bytes"),
    "a million links": (faults.many_links(), "more than|over 67108864 bytes"),
    "gzip bomb": (faults.gzip_bomb(), "over 67108864 bytes"),
    "redirect loop": (faults.redirect_loop(), "redirects"),
    "redirect to a private address": (faults.redirect("http://127.0.0.2/simple/"), "not allowed"),
    "redirect to metadata of the machine": (faults.redirect("http://169.254.169.254/latest/"), "not allowed"),
    "redirect to an address in disguise": (faults.redirect("http://0x7f.0.0.2/simple/"), "plain address"),
    "redirect to a file": (faults.redirect("file:///etc/passwd"), "not an http"),
    "HTML as JSON": (faults.html_as_json(), "not JSON"),
    "half a page": (faults.invalid_json(), "not JSON"),
    "nested": (Fault(lambda reply: reply.saying(b'{"files":' + b"[" * 100_000)), "not JSON|nested"),
    "long number": (Fault(lambda reply: reply.saying(b'{"files":[' + b"1" * MIB + b"]}")), "digits"),
    "no UTF-8": (Fault(lambda reply: reply.saying(b'{"files":["\xff"]}')), "not JSON"),
    "another project's": (Fault(lambda reply: reply.saying(b'{"name":"other","files":[]}')), "other"),
    "of version 2": (Fault(lambda reply: reply.saying(b'{"meta":{"api-version":"2.0"},"files":[]}')), "2.0"),
    "of another type": (Fault(lambda reply: reply.saying(b"<a>", **{"Content-Type": "image/png"})), "image/png"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_none_changes_nothing(site: Site, known: tuple[str, str, str], name: str) -> None:
    fault, said = PAGES[name]
    project, index = fresh("evil"), site.mirror()
    site.up.put(files.wheel(project))
    before = site.page(index, project)
    serial = site.serial()
    site.up.describe(project, name=project.upper())
    site.up.fail(f"/simple/{project}/", fault)
    with others_answered(site, *known):
        site.refresh(index, project)
        stale = site.page(index, project)
    assert stale.content == before.content
    assert stale.headers[STALE].startswith(f"{index}; ")
    assert any(word in stale.headers[STALE] for word in said.split("|")), stale.headers[STALE]
    unseen = fresh("evil")
    site.up.put(files.wheel(unseen))
    site.up.fail(f"/simple/{unseen}/", fault)
    answer = site.page(index, unseen)
    if name != "another project's":
        assert answer.status_code == 502
        assert any(word in answer.text for word in said.split("|"))
    assert site.serial() == serial
    site.up.heal()


def test_an_endless_page_in_html_is_no_page_either(site: Site, known: tuple[str, str, str]) -> None:
    with upstream(files.wheel("endless"), json=False) as other:
        index = site.mirror(other)
        other.fail("page", faults.endless_page())
        with others_answered(site, *known):
            answer = site.page(index, "endless", HTML)
        assert answer.status_code == 502


def test_a_list_of_a_million_projects_is_bounded(site: Site, known: tuple[str, str, str]) -> None:
    with upstream() as other:
        index = site.mirror(other)
        other.fail("list", faults.endless_page())
        with others_answered(site, *known):
            answer = site.nobody.get(f"{index}/+simple/", JSON)
        assert answer.status_code == 502


def test_a_changed_hash_is_an_alarm_once_and_refused_until_it_is_accepted(site: Site, stranger: Client) -> None:
    old = large(fresh("swapped"))
    new = old.with_content(large(fresh("other")).content)
    index, path = listed(site, old, mirror_cache_expiry=0)
    assert site.nobody.get(path, ANY).content == old.content
    site.wait_for_fetched(old.filename)
    site.up.put(new)
    serial = site.serial()
    for _ in range(3):
        (file,) = site.files(index, old.owner).values()
        assert file["hashes"]["sha256"] == old.sha256
    assert site.nobody.get(path, ANY).content == old.content
    new_path = f"{index}/+f/{new.sha256[:3]}/{new.sha256[3:16]}/{new.filename}"
    assert site.nobody.get(new_path, ANY).status_code in {404, 410}
    assert site.up.files(new.filename)[-1].path.split("/")[2] == old.sha256[:16]  # the new bytes were not even fetched
    assert site.serial() == serial + 1
    (alarm,) = [event for event in site.events(MirrorHashChanged) if event.filename == old.filename]
    assert (alarm.known.hex(), alarm.claimed.hex()) == (old.sha256, new.sha256)
    (told,) = site.nobody.result(f"{index}/+alarms")
    assert (told["known"], told["claimed"], told["accepted"]) == (old.sha256, new.sha256, False)
    assert site.nobody.result(f"{index}/+explain/{old.owner}")["alarms"][0]["claimed"] == new.sha256
    assert "(refused)" in site.ledgerpi("alarms", index)

    body = {"project": old.owner, "filename": old.filename, "sha256": new.sha256}
    assert site.nobody.ask("POST", f"{index}/+alarms", json=body).status_code == 401
    assert stranger.ask("POST", f"{index}/+alarms", json=body).status_code == 403
    for wrong, status in (
        ({"sha256": "00" * 32}, 409),
        ({"filename": "other-1.0.tar.gz"}, 404),
        ({"sha256": "x"}, 400),
        ({"filename": "../x"}, 400),
        ({"more": "x"}, 400),
    ):
        assert site.owner.ask("POST", f"{index}/+alarms", json=body | wrong).status_code == status
    assert len(site.events(MirrorHashAccepted, serial)) == 0
    assert site.owner.ask("POST", f"{index}/+alarms", json=body).status_code == 200
    assert site.nobody.get(new_path, ANY).content == new.content
    assert site.nobody.get(path, ANY).status_code in {404, 410}
    site.wait_for_fetched(new.filename, 2)
    assert len([event for event in site.events(MirrorHashAccepted) if event.filename == old.filename]) == 1


def test_an_operator_can_accept_on_the_command_line(site: Site) -> None:
    old, new = files.wheel(fresh("swapped")), files.wheel(fresh("x"))
    new = evolve(old, content=new.content)
    index, path = listed(site, old, mirror_cache_expiry=0)
    site.up.put(new)
    site.files(index, old.owner)
    site.files(index, old.owner)
    printed = site.ledgerpi("alarms", index, "--accept", old.owner, old.filename, new.sha256)
    assert new.sha256 in printed
    assert "(accepted)" in site.ledgerpi("alarms", index)
    (file,) = site.files(index, old.owner).values()  # though upstream's page is what it was
    assert file["hashes"]["sha256"] == new.sha256
    assert site.nobody.get(site.path(index, old.owner, old.filename), ANY).content == new.content
    assert site.nobody.get(path, ANY).status_code in {404, 410}
    site.up.put(old)
    site.files(index, old.owner)
    assert [told["accepted"] for told in site.nobody.result(f"{index}/+alarms")] == [False]


def test_a_hash_that_vanishes_still_counts(site: Site) -> None:
    dist = large(fresh("vanishing"))
    with upstream(dist) as other:
        index = site.mirror(other)
        path = site.path(index, dist.owner, dist.filename)
        other.change(hashes=())
        assert site.path(index, dist.owner, dist.filename) == path
        other.fail("file", faults.changed_bytes())
        with partial(site, path) as asked:
            assert len(asked.read_to(LARGE)) < LARGE
        other.heal()
        assert site.nobody.get(path, ANY).content == dist.content


FILES: dict[str, Fault] = {
    "changed": faults.changed_bytes(),
    "longer": faults.longer(),
    "shorter": faults.shorter(),
    "empty": faults.empty(),
    "endless": faults.endless_file(),
    "truncated": faults.truncated(1_000),
    "redirected for ever": faults.redirect_loop(),
    "redirected inside": faults.redirect("http://127.0.0.2/x"),
    "a login page": faults.login_page(),
    "packed": Fault(lambda reply: reply.but(Content_Encoding="gzip").saying(b"\x1f\x8b" + reply.body)),
}


@pytest.mark.parametrize("sizes", [True, False], ids=["sized", "unsized"])
@pytest.mark.parametrize("name", FILES)
def test_wrong_bytes_are_never_whole_and_never_kept(
    site: Site, known: tuple[str, str, str], name: str, *, sizes: bool
) -> None:
    dist = large(fresh("bytes"), MIB)
    with upstream(dist, sizes=sizes) as other:
        index = site.mirror(other)
        path = site.path(index, dist.owner, dist.filename)
        other.fail("file", FILES[name])
        serial = site.serial()
        with others_answered(site, *known):
            for headers, size in (("", MIB), ("Range: bytes=100-199\r\n", 100)):
                with partial(site, path, headers) as asked:
                    body = asked.read_to(size + 1)
                assert len(body) < asked.length or not asked.head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206"))
        assert site.serial() == serial
        assert not (site.node.serverdir / "blobs" / dist.sha256[:2] / dist.sha256).exists()
        other.heal()
        index = site.mirror(other)  # which has not failed yet
        assert site.nobody.get(site.path(index, dist.owner, dist.filename), ANY).content == dist.content


@pytest.mark.parametrize(
    "fault", [faults.wrong_size(), faults.wrong_size(-1), faults.wrong_sha256()], ids=["larger", "smaller", "hash"]
)
def test_a_page_that_lies_about_a_file_has_no_file(site: Site, fault: Fault) -> None:
    dist = large(fresh("lied"), MIB)
    site.up.fail(f"/simple/{dist.owner}/", fault)
    _, path = listed(site, dist)
    with partial(site, path) as asked:
        assert len(asked.read_to(MIB)) < MIB or asked.head.startswith(b"HTTP/1.1 502")
    assert not [event for event in site.events(MirrorFileFetched) if event.filename == dist.filename]
    site.up.heal()


def test_a_list_of_a_blob_that_another_stage_has_needs_its_whole_digest(site: Site) -> None:
    """A page that names the digest of other bytes gets these bytes only if size and digest are theirs."""
    mine = large(fresh("mine"), MIB)
    index, path = listed(site, mine)
    assert site.nobody.get(path, ANY).content == mine.content
    site.wait_for_fetched(mine.filename)
    theirs = UpstreamDist("theirs-1.0.tar.gz", b"short", hashes={"sha256": mine.sha256})
    _, other = listed(site, theirs)
    assert site.nobody.get(other, ANY).status_code == 502
    del index


def test_names_that_none_may_have_are_left_out(site: Site) -> None:
    dist = files.wheel(fresh("names"))
    site.up.fail(f"/simple/{dist.owner}/", faults.hostile_names())
    index, path = listed(site, dist)
    assert list(site.files(index, dist.owner)) == [dist.filename]
    assert site.nobody.get(path, ANY).content == dist.content
    html = site.page(index, dist.owner, HTML).text
    assert "<script>" not in html
    assert "evil" not in html
    assert not list(site.node.serverdir.parent.rglob("*evil*"))
    site.up.heal()


def test_urls_that_none_may_ask_for_are_left_out_or_fail(site: Site) -> None:
    dist = files.wheel(fresh("urls"))
    site.up.fail(f"/simple/{dist.owner}/", faults.hostile_urls())
    index, _ = listed(site, dist)
    page = site.files(index, dist.owner)
    assert dist.filename in page
    assert len(page) <= 1 + len(faults.HOSTILE_URLS)
    for filename in set(page) - {dist.filename}:
        answer = site.nobody.get(site.path(index, dist.owner, filename), ANY)
        assert answer.status_code in {404, 502}, filename
        assert "password" not in answer.text
    assert site.nobody.get(site.path(index, dist.owner, dist.filename), ANY).content == dist.content
    html = site.page(index, dist.owner, HTML).text
    assert "javascript" not in html
    assert "passwd" not in html
    site.up.heal()


@pytest.mark.parametrize("name", ["-", "%2e%2e", "a b", "é", "a" * 129, "a/b", "\x00"])
def test_no_name_leads_elsewhere_upstream(site: Site, known: tuple[str, str, str], name: str) -> None:
    count = len(site.up.asked)
    answer = site.nobody.get(f"{known[0]}/+simple/{name}/", JSON)
    assert answer.status_code in {302, 400, 404}
    assert len(site.up.asked) == count


def test_a_name_that_does_not_normalise_is_asked_for_normalised(site: Site, up: Upstream) -> None:
    index = site.mirror()
    answer = site.page(index, "Some.Odd__Name")
    assert answer.status_code == 302
    assert site.page(index, "some-odd-name").status_code == 404
    assert up.asked[-1].path == "/simple/some-odd-name/"


def test_claims_about_a_whole_page_are_bounded(site: Site) -> None:
    name = fresh("flood")
    dists = [evolve(files.wheel(name), filename=f"{name}-{n}.0-py3-none-any.whl") for n in range(150)]
    with upstream(*dists) as other:
        index = site.mirror(other)
        assert len(site.files(index, name)) == 150
        serial = site.serial()
        other.fail("page", faults.wrong_sha256())
        for _ in range(2):
            site.refresh(index, name)
            digests = {file["hashes"]["sha256"] for file in site.files(index, name).values()}
            assert digests == {dists[0].sha256}
        assert serial + 100 <= site.serial() <= serial + 150
