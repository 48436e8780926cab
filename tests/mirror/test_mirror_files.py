"""Files of mirrors: fetched once, handed on while they come, whole only if they are what upstream's page says."""

import hashlib

import pytest
import requests
from attrs import evolve

from changelog.events.upstream import MirrorFileFetched, MirrorHashChanged
from tests.mirror.asking import LARGE, large, listed, partial
from tests.mirror.site import ANY, Site, fresh, until
from tests.upstream import faults, files
from tests.upstream.reply import Gate
from tests.upstream.server import Upstream, upstream

MAX_FILE = 8 << 20
ARGS = ("--max-request-body-size", str(MAX_FILE))


@pytest.mark.parametrize("size", [10_000, LARGE], ids=["small", "large"])
def test_a_file_is_fetched_once_and_is_upstreams(site: Site, up: Upstream, size: int) -> None:
    dist = large(fresh("cold"), size)
    _, path = listed(site, dist)
    cold = site.nobody.get(path, ANY)
    assert (cold.status_code, cold.content) == (200, dist.content)
    site.wait_for_fetched(dist.filename)
    for _ in range(4):
        warm = site.nobody.get(path, ANY)
        assert warm.content == dist.content
    for answer in (cold, warm):
        assert answer.headers["ETag"] == f'"{dist.sha256}"'
        assert answer.headers["Content-Length"] == str(size)
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Last-Modified"] == "Wed, 04 Mar 2026 05:06:07 GMT"
    assert len(up.files(dist.filename)) == 1


def test_head_of_a_file_that_is_not_here_fetches_nothing(site: Site, up: Upstream) -> None:
    dist = large(fresh("head"))
    _, path = listed(site, dist)
    answer = site.nobody.head(path, ANY)
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(LARGE))
    assert answer.headers["ETag"] == f'"{dist.sha256}"'
    known = site.nobody.get(path, ANY, If_None_Match=f'"{dist.sha256}"')
    assert (known.status_code, known.content) == (304, b"")
    assert up.files(dist.filename) == []


@pytest.mark.parametrize("size", [10_000, LARGE], ids=["small", "large"])
def test_ranges_and_conditions_of_a_fetched_file(site: Site, size: int) -> None:
    dist = large(fresh("range"), size)
    _, path = listed(site, dist)
    for _ in range(2):  # not here yet, and here
        part = site.nobody.get(path, ANY, Range="bytes=100-199")
        assert (part.status_code, part.content) == (206, dist.content[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{size}"
        tail = site.nobody.get(path, ANY, Range="bytes=-5")
        assert (tail.status_code, tail.content) == (206, dist.content[-5:])
        assert site.nobody.get(path, ANY, Range=f"bytes={size}-").status_code == 416
        assert site.nobody.get(path, ANY, If_None_Match=f'"{dist.sha256}"').status_code == 304
        assert site.nobody.get(path, ANY, If_Modified_Since="Wed, 04 Mar 2026 05:06:07 GMT").status_code == 304
        site.wait_for_fetched(dist.filename)


def test_a_file_under_way_is_handed_on_and_fetched_once(site: Site, up: Upstream) -> None:
    dist, gate = large(fresh("growing")), Gate()
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.stalls(2 << 20, gate))
    with (
        partial(site, path) as one,
        partial(site, path) as other,
        partial(site, path, "Range: bytes=10-99\r\n") as part,
    ):
        for asked in (one, other):
            assert asked.read_to(2 << 20) == dist.content[: 2 << 20]
            assert f"Content-Length: {LARGE}".encode() in asked.head
        assert part.read_to(89) == dist.content[10:99]
        assert part.head.startswith(b"HTTP/1.1 206")
        assert all(asked.is_quiet() for asked in (one, other, part))  # nobody knows yet whether it is that file
        gate.open()
        assert part.read_to(90) == dist.content[10:100]
        for asked in (one, other):
            assert asked.read_to(LARGE) == dist.content
    assert len(up.files(dist.filename)) == 1


def test_the_last_byte_waits_until_all_is_checked(site: Site, up: Upstream) -> None:
    dist, gate = large(fresh("last")), Gate()
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.stalls(LARGE - 1, gate))
    with partial(site, path) as asked:
        assert asked.read_to(LARGE - 1) == dist.content[:-1]
        assert asked.is_quiet()
        gate.open()
        assert asked.read_to(LARGE) == dist.content


def test_nobody_gets_the_whole_of_wrong_bytes(site: Site, up: Upstream) -> None:
    dist = large(fresh("wrong"))
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.changed_bytes())
    serial = site.serial()
    for headers, size in (("", LARGE), ("Range: bytes=0-9\r\n", 10), (f"Range: bytes={LARGE - 5}-\r\n", 5)):
        with partial(site, path, headers) as asked:
            assert len(asked.read_to(size)) < size or asked.head.startswith(b"HTTP/1.1 502")
    assert site.serial() == serial
    up.heal()
    assert site.nobody.get(path, ANY).content == dist.content


def test_what_breaks_off_is_gone_on_with(site: Site, up: Upstream) -> None:
    dist = large(fresh("resumed"))
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.truncated(), times=1)
    assert site.nobody.get(path, ANY).content == dist.content
    first, second = up.files(dist.filename)
    assert second.headers["range"].startswith("bytes=")
    assert first.sent + second.sent >= LARGE


def test_an_upstream_without_ranges_sends_it_all_again(site: Site) -> None:
    dist = large(fresh("norange"))
    with upstream(dist, ranges=False) as other:
        index = site.mirror(other)
        other.fail("file", faults.truncated(), times=1)
        assert site.nobody.get(site.path(index, dist.owner, dist.filename), ANY).content == dist.content


def test_a_part_of_other_bytes_is_not_put_to_a_file_without_digest(site: Site) -> None:
    dist = large(fresh("mixed"))
    with upstream(dist, hashes=()) as other:
        index = site.mirror(other)
        path = site.path(index, dist.owner, dist.filename)
        other.fail("file", faults.truncated(1 << 20), times=1)
        other.fail("file", faults.changed_bytes(), times=1)
        with partial(site, path) as asked:
            assert len(asked.read_to(LARGE)) < LARGE
        until(lambda: site.nobody.get(path, ANY).content == dist.content)


def test_a_file_that_upstream_lost_is_a_404(site: Site, up: Upstream) -> None:
    dist = large(fresh("lost"))
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.status(404))
    answer = site.nobody.get(path, ANY)
    assert answer.status_code == 404
    assert "no longer has" in answer.text
    assert len(up.files(dist.filename)) == 2  # once more, where the page says it is now


@pytest.mark.parametrize("code", [500, 503, 401, 451])
def test_a_file_that_can_not_be_had_now_is_a_502(site: Site, up: Upstream, code: int) -> None:
    dist = large(fresh("failing"))
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}", faults.status(code))
    answer = site.nobody.get(path, ANY)
    assert answer.status_code == 502
    assert str(code) in answer.text


@pytest.mark.parametrize("sizes", [True, False])
def test_a_file_without_digest_has_one_after_the_first_time(site: Site, *, sizes: bool) -> None:
    name = fresh("bare")
    dist = files.wheel(name)
    with upstream(dist, hashes=(), sizes=sizes, metadata=False) as other:
        index = site.mirror(other)
        path = site.path(index, name, dist.filename)
        assert "/+e/" in path
        assert ("size" in site.files(index, name)[dist.filename]) is sizes
        first = site.nobody.get(path, ANY)
        assert first.content == dist.content
        assert "immutable" not in first.headers["Cache-Control"]
        site.wait_for_fetched(dist.filename)
        file = site.files(index, name)[dist.filename]
        assert (file["hashes"], file["size"]) == ({"sha256": dist.sha256}, len(dist.content))
        again = site.nobody.get(path, ANY)
        assert again.headers["ETag"] == f'"{dist.sha256}"'
        assert site.nobody.result(path)["hash_spec"] == f"sha256={dist.sha256}"
        assert len(other.files()) == 1


def test_other_bytes_of_a_file_without_digest_are_an_alarm(site: Site) -> None:
    name = fresh("swapped")
    dist = large(name)
    with upstream(dist, hashes=()) as other:
        index = site.mirror(other, volatile=True)
        path = site.path(index, name, dist.filename)
        assert site.nobody.get(path, ANY).content == dist.content
        site.wait_for_fetched(dist.filename)
        assert site.owner.delete(path).status_code == 200
        other.fail("file", faults.changed_bytes())
        with partial(site, path) as asked:
            assert len(asked.read_to(LARGE)) < LARGE
        (alarm,) = [event for event in site.events(MirrorHashChanged) if event.filename == dist.filename]
        assert alarm.known.hex() == dist.sha256
        assert [found["claimed"] for found in site.nobody.result(f"{index}/+alarms")] == [alarm.claimed.hex()]
        body = {"project": name, "filename": dist.filename, "sha256": alarm.claimed.hex()}
        assert site.owner.ask("POST", f"{index}/+alarms", json=body).status_code == 200
        assert hashlib.sha256(site.nobody.get(path, ANY).content).hexdigest() == alarm.claimed.hex()


def test_a_file_of_unknown_length_is_whole_when_it_ends(site: Site) -> None:
    dist = large(fresh("unsized"))
    with upstream(dist, sizes=False, hashes=("sha256",)) as other:
        other.fail("file", faults.Fault(lambda reply: evolve(reply, stream=lambda: iter([reply.body]))))
        index = site.mirror(other)
        path = site.path(index, dist.owner, dist.filename)
        assert site.nobody.head(path, ANY).headers["Content-Length"] == str(LARGE)
        assert site.nobody.get(path, ANY, Range="bytes=0-9").content == dist.content[:10]
        assert site.nobody.get(path, ANY).content == dist.content


def test_clients_may_be_sent_to_upstream(site: Site, up: Upstream) -> None:
    dist = large(fresh("external"))
    up.put(dist)
    index = site.index(type="mirror", mirror_url=up.simple, mirror_use_external_urls=True)
    path = site.path(index, dist.owner, dist.filename)
    answer = site.nobody.get(path, ANY)
    assert answer.status_code == 302
    assert requests.get(answer.headers["Location"], timeout=30).content == dist.content
    assert site.nobody.result(path)["url"] == answer.headers["Location"]
    assert site.nobody.result(path)["hash_spec"] == f"sha256={dist.sha256}"


def test_nobody_is_sent_where_only_the_mirror_may_go(site: Site) -> None:
    dist = large(fresh("locked"))
    with upstream(dist, auth=("user", "pass-word")) as other:
        url = other.simple.replace("//", "//user:pass-word@")
        index = site.index(type="mirror", mirror_url=url, mirror_use_external_urls=True)
        path = site.path(index, dist.owner, dist.filename)
        answer = site.nobody.get(path, ANY)
        assert (answer.status_code, answer.content) == (200, dist.content)
        assert "url" not in site.nobody.result(path)


def test_a_signed_url_that_ran_out_is_asked_for_again(site: Site) -> None:
    dist = large(fresh("signed"))
    with upstream(dist, signed=True) as other:
        index = site.mirror(other, mirror_cache_expiry=1800)
        path = site.path(index, dist.owner, dist.filename)
        other.expire_signatures()
        assert site.nobody.get(path, ANY).content == dist.content
        assert [asked.status for asked in other.files()] == [403, 200]
        assert len(other.pages()) == 2
        assert b"signature" not in b"".join(site.entries())


@pytest.mark.parametrize(
    "filename", ["", "{0}-extra-2.0.tar.gz", "{0}_extra-2.0-py3-none-any.whl", "{0}-1.0.post1.zip"]
)
def test_a_file_whose_page_nobody_asked_for_is_found(site: Site, up: Upstream, filename: str) -> None:
    name = fresh("locked")
    project = f"{name}-extra" if "extra" in filename else name
    dist = evolve(large(name, 10_000, filename.format(name) or f"{name}-1.0.tar.gz"), project=project)
    up.put(dist)
    path = f"{site.mirror(mirror_cache_expiry=1800)}/+f/{dist.sha256[:3]}/{dist.sha256[3:16]}/{dist.filename}"
    assert site.nobody.get(path, ANY).content == dist.content
    assert len(up.pages(project)) == 1
    wrong = path.replace(dist.sha256[:3], "000")
    assert site.nobody.get(wrong, ANY).status_code in {404, 410}


def test_a_file_beyond_all_bounds_is_given_up(site: Site) -> None:
    dist = large(fresh("endless"), 10_000)
    with upstream(dist, sizes=False) as other:
        other.fail("file", faults.endless_file())
        index = site.mirror(other)
        answer = site.nobody.get(site.path(index, dist.owner, dist.filename), ANY)
        assert answer.status_code == 502
        assert str(MAX_FILE) in answer.text
        assert not [event for event in site.events(MirrorFileFetched) if event.filename == dist.filename]
        assert len(other.files()) == 1
        assert list((site.node.serverdir / "spool" / "upstream").iterdir()) == []
