"""Pages of mirrors: everything that upstream says is kept, asked for again cheaply, and written down as it changes."""

import gzip
import json
from typing import Any

import pytest
from attrs import evolve

from changelog.events.upstream import MirrorPageChanged
from tests.mirror.site import ANY, HTML, JSON, STALE, Site, at_once, fresh, until
from tests.upstream import faults, files
from tests.upstream.faults import Fault
from tests.upstream.files import UpstreamDist
from tests.upstream.pages import ABSOLUTE, LOCALHOST, OTHER_PORT, RELATIVE, ROOTED
from tests.upstream.reply import Reply
from tests.upstream.server import Upstream, upstream

KEYS = {"filename", "hashes", "size", "upload-time", "requires-python", "yanked", "provenance"}
UPLOADED_AT = "2026-03-04T05:06:07.890123Z"


@pytest.fixture(scope="module")
def index(site: Site) -> str:
    """A mirror that asks for each page each time."""
    return site.mirror()


def listed(up: Upstream, *dists: UpstreamDist) -> str:
    """Have upstream list files of a project of their own, and return its name."""
    up.put(*dists)
    return dists[0].owner


def test_every_field_of_a_file_is_kept(site: Site, index: str, up: Upstream) -> None:
    name = fresh("fields")
    dists = [
        files.wheel(name, "1.0", requires_python=">=3.8, !=3.9.0"),
        files.wheel(name, "2.0", yanked="broken & <b>bad</b>"),
        files.wheel(name, "3.0", yanked=True),
        files.sdist(name, "1.0", upload_time="2020-02-29T23:59:59.000001Z"),
        files.sdist(name, "2.0", extra={"provenance": "https://index.example/integrity/2.0"}),
        files.sdist(name, "3.0", upload_time=""),
    ]
    said = {dist.filename: dist for dist in dists}
    listed(up, *dists)
    page = site.files(index, name)
    assert list(page) == list(said)
    for filename, file in page.items():
        dist = said[filename]
        assert file["size"] == len(dist.content)
        assert file["hashes"]["sha256"] == dist.sha256
        assert file.get("upload-time", "") == dist.upload_time
        assert file.get("requires-python", "") == dist.requires_python
        assert file["yanked"] == dist.yanked
        assert file.get("provenance") == dist.extra.get("provenance")
        assert file["url"].endswith(f"+f/{dist.sha256[:3]}/{dist.sha256[3:16]}/{filename}")


def test_the_page_says_versions_and_what_it_is(site: Site, index: str, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("versions"), "1.0"))
    up.put(files.wheel(name, "1.1"))
    body = site.page(index, name).json()
    assert body["name"] == name
    assert sorted(body["versions"]) == ["1.0", "1.1"]
    assert body["meta"]["api-version"] == "1.4"
    assert body.get("project-status", {"status": "active"})["status"] == "active"


def test_core_metadata_are_announced_as_upstream_does(site: Site, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("core")), files.sdist(fresh("core")))
    wheel = f"{name}-1.0-py3-none-any.whl"
    with_digest = site.files(site.mirror(), name)[wheel]["core-metadata"]
    assert set(with_digest) == {"sha256"}
    up.change(metadata_hash=False)
    assert site.files(site.mirror(), name)[wheel]["core-metadata"] is True
    up.change(metadata=False)
    assert not site.files(site.mirror(), name)[wheel].get("core-metadata", False)
    up.change(metadata=True, metadata_hash=True)


@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_a_status_is_kept_with_its_reason(site: Site, index: str, up: Upstream, status: str) -> None:
    name = listed(up, files.wheel(fresh("status")))
    up.describe(name, status=status, reason="use <other>")
    body = site.page(index, name).json()
    assert body["project-status"] == {"status": status, "reason": "use <other>"}
    assert len(body["files"]) == 1


def test_a_quarantined_project_offers_no_files(site: Site, index: str, up: Upstream) -> None:
    dist = files.wheel(fresh("quarantined"))
    name = listed(up, dist)
    path = site.path(index, name, dist.filename)
    assert site.nobody.get(path, ANY).status_code == 200
    up.describe(name, status="quarantined")
    body = site.page(index, name).json()
    assert (body["files"], body["project-status"]["status"]) == ([], "quarantined")
    assert site.nobody.get(path, ANY).status_code == 403
    up.describe(name, status="active")
    assert len(site.files(index, name)) == 1
    assert site.nobody.get(path, ANY).content == dist.content


def test_other_digests_are_kept(site: Site, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("hashes")))
    up.change(hashes=("sha256", "md5"))
    (file,) = site.files(site.mirror(), name).values()
    assert set(file["hashes"]) == {"sha256", "md5"}
    up.change(hashes=("sha256",))


@pytest.mark.parametrize("hashes", [(), ("md5",)])
def test_a_file_without_sha256_has_a_url_of_its_own(site: Site, up: Upstream, hashes: tuple[str, ...]) -> None:
    dist = files.wheel(fresh("bare"))
    name = listed(up, dist)
    up.change(hashes=hashes)
    index = site.mirror()
    (file,) = site.files(index, name).values()
    assert "/+e/" in file["url"]
    assert set(file["hashes"]) == set(hashes)
    assert site.nobody.get(site.path(index, name, dist.filename), ANY).content == dist.content
    site.wait_for_fetched(dist.filename)
    (file,) = site.files(index, name).values()
    assert "/+e/" in file["url"]
    assert file["hashes"]["sha256"] == dist.sha256
    up.change(hashes=("sha256",))


SHAPES: list[dict[str, Any]] = [
    {"urls": ABSOLUTE},
    {"urls": RELATIVE},
    {"urls": ROOTED},
    {"origin": OTHER_PORT},
    {"origin": LOCALHOST},
    {"signed": True},
    {"base_href": True},
    {"api": "1.0"},
    {"gzip": False},
]


@pytest.mark.parametrize("json_too", [True, False], ids=["json", "html"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_upstream_gives_the_same_page_and_files(site: Site, shape: dict[str, Any], *, json_too: bool) -> None:
    name = fresh("shape")
    dists = (files.wheel(name, yanked="why not", requires_python=">=3.8"), files.sdist(name))
    with upstream(*dists, json=json_too, **shape) as other:
        index = site.mirror(other)
        page = site.files(index, name)
        assert list(page) == [dist.filename for dist in dists]
        wheel = page[dists[0].filename]
        assert (wheel["yanked"], wheel["requires-python"]) == ("why not", ">=3.8")
        for dist in dists:
            path = site.path(index, name, dist.filename)
            assert dist.sha256[:3] in path
            assert site.nobody.get(path, ANY).content == dist.content
        assert other.most_at_once() <= 2


def test_the_public_indexs_other_host_is_asked_for_files(site: Site) -> None:
    dist = files.wheel(fresh("elsewhere"))
    with upstream(dist, origin=LOCALHOST) as other:
        index = site.mirror(other)
        assert site.nobody.get(site.path(index, dist.owner, dist.filename), ANY).content == dist.content
        assert other.files()[0].headers["host"].startswith("localhost:")
        site.wait_for_fetched(dist.filename)


def test_an_unchanged_page_is_revalidated_and_writes_nothing(site: Site, index: str, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("same")))
    tag = site.page(index, name).headers["ETag"]
    serial = site.serial()
    for _ in range(3):
        assert site.page(index, name).headers["ETag"] == tag
    asked = up.pages(name)
    assert [one.status for one in asked] == [200, 304, 304, 304]
    assert all("if-none-match" in one.headers for one in asked[1:])
    assert site.serial() == serial


def test_last_modified_revalidates_too(site: Site) -> None:
    dist = files.wheel(fresh("dated"))
    with upstream(dist, etags=False, last_modified=True) as other:
        index = site.mirror(other)
        site.files(index, dist.owner)
        serial = site.serial()
        site.files(index, dist.owner)
        assert [one.status for one in other.pages()] == [200, 304]
        assert "if-modified-since" in other.pages()[1].headers
        assert site.serial() == serial


def test_an_upstream_without_validators_writes_nothing_either(site: Site) -> None:
    dist = files.wheel(fresh("plain"))
    with upstream(dist, etags=False, signed=True) as other:
        index = site.mirror(other)
        site.files(index, dist.owner)
        serial = site.serial()
        site.files(index, dist.owner)
        assert [one.status for one in other.pages()] == [200, 200]
        assert site.serial() == serial


def test_an_answer_of_not_modified_that_nobody_asked_for_means_nothing(site: Site, up: Upstream) -> None:
    name, index = fresh("unasked"), site.mirror()
    assert site.page(index, name).status_code == 404
    listed(up, files.wheel(name))
    up.fail(f"/simple/{name}/", Fault(lambda reply: Reply(reply.target, 304)))
    assert site.page(index, name).status_code == 502
    up.heal(f"/simple/{name}/")
    site.refresh(index, name)
    assert len(site.files(index, name)) == 1


def test_a_fresh_page_needs_no_upstream(site: Site, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("warm")))
    index = site.mirror(mirror_cache_expiry=1800)
    first = site.page(index, name)
    assert first.status_code == 200
    count = len(up.pages(name))
    for _ in range(6):
        again = site.page(index, name)
        assert again.content == first.content
    assert site.page(index, name, If_None_Match=first.headers["ETag"]).status_code == 304
    headers = {"Accept": JSON, "Accept-Encoding": "gzip"}
    packed = site.nobody.ask("GET", f"{index}/+simple/{name}/", headers=headers, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.raw.read()) == first.content
    plain = site.page(index, name, Accept_Encoding="identity")
    head = site.nobody.head(f"{index}/+simple/{name}/", JSON, Accept_Encoding="identity")
    assert head.headers["ETag"] == plain.headers["ETag"] != first.headers["ETag"]
    assert int(head.headers["Content-Length"]) == len(first.content)
    assert len(up.pages(name)) == count == 1


def test_a_page_that_is_too_old_is_asked_for_again(site: Site, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("old")))
    index = site.mirror(mirror_cache_expiry=1)
    site.files(index, name)
    up.put(files.sdist(name))
    until(lambda: len(site.files(index, name)) == 2)
    assert 2 <= len(up.pages(name)) <= 4


def test_many_at_once_are_one_question(site: Site, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("many")))
    index = site.mirror(mirror_cache_expiry=60)
    up.fail(f"/simple/{name}/", faults.slow(0.3))
    answers = at_once(site, *[f"{index}/+simple/{name}/"] * 8)
    assert {answer.status_code for answer in answers} == {200}
    assert len(up.pages(name)) == 1


def test_one_new_file_is_one_small_entry(site: Site) -> None:
    name = fresh("large")
    dists = [evolve(files.wheel(name, "1.0"), filename=f"{name}-{n}.0-py3-none-any.whl") for n in range(3_000)]
    with upstream(*dists) as other:
        index = site.mirror(other)
        before = site.serial()
        assert len(site.files(index, name)) == 3_000
        first = site.entries(before)
        assert 6 <= len(first) <= 20
        other.put(files.wheel(name, "5000.0"))
        before = site.serial()
        assert len(site.files(index, name)) == 3_001
        (entry,) = site.entries(before)
        assert len(entry) < 1_000


def test_removals_and_yanks_are_small_entries_too(site: Site, index: str, up: Upstream) -> None:
    name = fresh("changing")
    wheel, sdist = files.wheel(name), files.sdist(name)
    listed(up, wheel, sdist)
    assert len(site.files(index, name)) == 2
    before = site.serial()
    up.put(evolve(wheel, yanked="broken"))
    assert site.files(index, name)[wheel.filename]["yanked"] == "broken"
    up.put(wheel)
    assert site.files(index, name)[wheel.filename]["yanked"] is False
    up.remove(sdist.filename)
    assert list(site.files(index, name)) == [wheel.filename]
    changes = site.events(MirrorPageChanged, before)
    assert [([name for name, *_ in change.files], list(change.removed)) for change in changes] == [
        ([wheel.filename], []),
        ([wheel.filename], []),
        ([], [sdist.filename]),
    ]
    assert all(len(entry) < 500 for entry in site.entries(before))


def test_a_removed_file_is_gone_once_it_was_fetched(site: Site, index: str, up: Upstream) -> None:
    name = fresh("removed")
    wheel, sdist = files.wheel(name), files.sdist(name)
    listed(up, wheel, sdist)
    fetched, unknown = site.path(index, name, wheel.filename), site.path(index, name, sdist.filename)
    site.nobody.get(fetched, ANY)
    site.wait_for_fetched(wheel.filename)
    up.remove(wheel.filename, sdist.filename)
    site.files(index, name)
    assert site.nobody.get(fetched, ANY).status_code == 410
    assert site.nobody.get(unknown, ANY).status_code == 404


def test_an_upstream_that_goes_back_is_stale(site: Site) -> None:
    dist = files.wheel(fresh("serial"))
    with upstream(dist, serial=100) as other:
        index, trusting = site.mirror(other), site.mirror(other, mirror_ignore_serial_header=True)
        for name in (index, trusting):
            assert STALE not in site.page(name, dist.owner).headers
        other.change(serial=99)
        other.put(files.sdist(dist.owner))
        answer = site.page(index, dist.owner)
        assert len(answer.json()["files"]) == 1
        assert "99" in answer.headers[STALE]
        assert len(site.files(trusting, dist.owner)) == 2
        other.change(serial=101)
        site.refresh(index, dist.owner)
        assert len(site.files(index, dist.owner)) == 2


def test_an_upstream_that_went_back_is_still_asked_for_other_projects(site: Site) -> None:
    dists = [files.wheel(fresh("replica")) for _ in range(7)]
    with upstream(*dists, serial=100) as other:
        index = site.mirror(other)
        for dist in dists[:6]:
            site.files(index, dist.owner)
        other.change(serial=99)
        for dist in dists[:6]:
            assert STALE in site.page(index, dist.owner).headers
        assert STALE not in site.page(index, dists[6].owner).headers


def test_two_mirrors_keep_one_blob(site: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("twice"))
    name = listed(up, dist)
    one, other = site.mirror(), site.mirror()
    for index in (one, other):
        assert site.nobody.get(site.path(index, name, dist.filename), ANY).content == dist.content
        site.wait_for_fetched(dist.filename)
    assert len(up.files(dist.filename)) == 1
    assert len(list((site.node.serverdir / "blobs").rglob(dist.sha256))) == 1


def test_html_says_all_that_html_can(site: Site, index: str, up: Upstream) -> None:
    name = listed(up, files.wheel(fresh("html"), yanked='a "reason"', requires_python=">=3.8"))
    answer = site.page(index, name, HTML)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert 'data-yanked="a &quot;reason&quot;"' in answer.text
    assert 'data-requires-python="&gt;=3.8"' in answer.text
    assert "data-core-metadata" in answer.text


def test_a_stage_shows_its_mirrors_files_where_they_are(site: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("base"))
    listed(up, dist)
    index = site.mirror()
    stage = site.stage(index)
    assert site.path(stage, dist.owner, dist.filename) == site.path(index, dist.owner, dist.filename)
    assert site.nobody.result(f"{stage}/{dist.owner}")["1.0"]["+links"][0]["href"].endswith(dist.filename)


def test_the_list_of_all_projects_is_asked_for_only_when_it_is_wanted(site: Site) -> None:
    with upstream(files.wheel("listed-one"), files.wheel("listed-two")) as other:
        index = site.mirror(other, mirror_cache_expiry=60)
        site.files(index, "listed-one")
        assert other.lists() == []
        names = [project["name"] for project in site.nobody.get(f"{index}/+simple/", JSON).json()["projects"]]
        assert names == ["listed-one", "listed-two"]
        assert site.nobody.result(index)["projects"] == names
        assert len(other.lists()) == 1
        silent = site.mirror(other, mirror_no_project_list=True)
        assert site.nobody.get(f"{silent}/+simple/", JSON).json()["projects"] == []
        site.files(silent, "listed-two")
        assert len(site.nobody.get(f"{silent}/+simple/", JSON).json()["projects"]) == 1
        assert len(other.lists()) == 1


def test_a_page_of_another_project_is_not_taken(site: Site, index: str, up: Upstream) -> None:
    one, other = listed(up, files.wheel(fresh("right"))), listed(up, files.wheel(fresh("wrong")))
    up.fail(f"/simple/{one}/", faults.redirect(f"{up.simple}{other}/"))
    answer = site.nobody.get(f"{index}/+simple/{one}/", "application/json, */*;q=0.1")
    assert answer.status_code == 502
    assert other in json.dumps(answer.text)
