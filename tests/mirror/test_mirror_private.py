"""Mirrors and the guard against dependency confusion where not everybody may read all bases."""

from collections.abc import Iterator

import pytest

from tests.http.client import Client, wheel
from tests.mirror.asking import large
from tests.mirror.site import ANY, HTML, JSON, Site, fresh
from tests.mirrors import file_path
from tests.upstream import files
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream

EVIL = "99.0"


@pytest.fixture(scope="module")
def reader(site: Site) -> Iterator[Client]:
    """A user who may read what is private here."""
    client = Client(site.node.url, "reader", "secret")
    assert site.nobody.put("reader", {"password": "secret"}).status_code == 201
    yield client
    client.close()


def asked_for(up: Upstream, name: str) -> bool:
    return any(name in one.path for one in up.asked)


def versions(client: Client, index: str, name: str) -> list[str]:
    """Return what a client can install; nothing if there is no page."""
    answer = client.get(f"{index}/+simple/{name}/", JSON)
    assert answer.status_code in {200, 404}
    found = answer.json()["files"] if answer.status_code == 200 else []
    return sorted(file["filename"].split("-")[1] for file in found)


def below_private(site: Site, name: str, mirror: str, **options: object) -> str:
    """Return a public index of a private base that has a project, and of a mirror of which upstream has a newer one."""
    site.up.put(files.wheel(name, EVIL, note="evil"))
    base = site.stage(acl_read=["reader"])
    assert site.owner.upload(base, wheel(name)).status_code == 200
    return site.stage(base, mirror, **options)


def test_what_a_private_base_has_is_no_mirrors_for_those_who_may_not_read_it(
    site: Site, up: Upstream, reader: Client
) -> None:
    name, mirror = fresh("secret"), site.mirror()
    index = below_private(site, name, mirror)
    for _ in range(2):
        assert versions(site.nobody, index, name) == []
        assert versions(reader, index, name) == ["1.0"]
    site.page(index, name, HTML)
    site.refresh(index, name)
    for path in (name, f"{name}/1.0", f"{name}/{EVIL}", f"+explain/{name}"):
        site.nobody.get(f"{index}/{path}")
    assert not asked_for(up, name)


def test_nor_where_the_mirror_is_known_already(site: Site) -> None:
    name, mirror = fresh("known"), site.mirror(mirror_cache_expiry=1800)
    index = below_private(site, name, mirror)
    assert versions(site.nobody, mirror, name) == [EVIL]
    assert versions(site.nobody, index, name) == []
    assert site.nobody.get(f"{index}/{name}").status_code == 404


def test_the_same_holds_two_bases_down(site: Site, up: Upstream) -> None:
    name, mirror = fresh("deep"), site.mirror()
    index = site.stage(below_private(site, name, mirror))
    assert versions(site.nobody, index, name) == []
    assert not asked_for(up, name)


def test_making_a_base_private_lets_no_mirror_through(site: Site, up: Upstream, reader: Client) -> None:
    name, mirror = fresh("later"), site.mirror()
    index = below_private(site, name, mirror)
    base = site.owner.result(index)["bases"][0]
    assert site.owner.patch(base, {"acl_read": [":ANONYMOUS:"]}).status_code == 200
    assert versions(site.nobody, index, name) == ["1.0"]
    assert site.owner.patch(base, {"acl_read": []}).status_code == 200
    assert versions(site.nobody, index, name) == []
    assert versions(reader, index, name) == []
    assert versions(site.owner, index, name) == ["1.0"]
    assert not asked_for(up, name)


@pytest.mark.parametrize("inheritance", ["intersection", "union"])
def test_whitelists_count_whoever_reads(site: Site, reader: Client, inheritance: str) -> None:
    name = fresh("listed")
    given = {"mirror_whitelist": [name], "mirror_whitelist_inheritance": inheritance}
    index = below_private(site, name, site.mirror(), **given)
    is_let = inheritance == "union"
    assert versions(site.nobody, index, name) == ([EVIL] if is_let else [])
    assert versions(reader, index, name) == (["1.0", EVIL] if is_let else ["1.0"])


def test_the_explanation_names_no_base_that_is_private(site: Site, reader: Client) -> None:
    name, mirror = fresh("why"), site.mirror()
    index = below_private(site, name, mirror)
    base = site.owner.result(index)["bases"][0]
    found = site.nobody.get(f"{index}/+explain/{name}")
    assert base not in found.text
    why = {source["index"]: source["why"] for source in found.json()["result"]["sources"]}
    assert why[mirror].startswith("a base that you may not read has the project")
    assert base in reader.get(f"{index}/+explain/{name}").text


def test_a_private_mirror_is_asked_for_its_readers_only(site: Site, up: Upstream, reader: Client) -> None:
    name = fresh("paid")
    up.put(files.wheel(name, "1.0"))
    mirror = site.mirror(acl_read=["reader"])
    index = site.stage(mirror)
    assert versions(site.nobody, index, name) == []
    assert site.refresh(index, name).status_code == 302
    assert site.page(mirror, name).status_code == 401
    assert site.refresh(mirror, name).status_code == 401
    assert not asked_for(up, name)
    assert versions(reader, index, name) == ["1.0"]
    assert versions(site.nobody, index, name) == []
    assert site.page(mirror, name).status_code == 401


def test_files_of_a_private_mirror_are_private_fetched_or_not(site: Site, up: Upstream, reader: Client) -> None:
    name = fresh("files")
    up.put(files.wheel(name, "1.0"))
    mirror = site.mirror(acl_read=["reader"])
    (file,) = reader.get(f"{mirror}/+simple/{name}/", JSON).json()["files"]
    path = f"{mirror}/{file['url'].removeprefix('../../')}"
    for _ in range(3):
        for suffix in ("", ".metadata"):
            assert site.nobody.get(path + suffix, ANY).status_code == 401
            answer = reader.get(path + suffix, ANY)
            assert answer.status_code == 200
            assert "public" not in answer.headers["Cache-Control"]


def test_the_status_page_and_degraded_pages_name_no_private_mirror(site: Site, reader: Client) -> None:
    name = fresh("broken")
    mirror = site.mirror(acl_read=["reader"], mirror_url="http://127.0.0.1:9/simple/")
    index = site.stage(mirror, "root/pypi")
    site.up.put(files.wheel(name))
    answer = reader.get(f"{index}/+simple/{name}/", JSON)
    assert mirror in answer.headers["X-Ledgerpi-Unavailable"]
    assert mirror in reader.result("+status")["mirrors"]
    assert mirror not in site.nobody.get("+status").text
    answer = site.page(index, name)
    assert answer.status_code == 200
    assert mirror not in str(answer.headers)


def test_a_token_for_one_project_has_no_file_of_another_asked_for(site: Site, up: Upstream) -> None:
    wheel, others = files.wheel(fresh("own")), files.wheel(fresh("foreign"))
    up.put(wheel, others)
    mirror = site.mirror(acl_read=["owner"])
    reader, deleter = (token(site, verbs=[verb], projects=[wheel.owner]) for verb in ("read", "delete"))
    assert reader.get(path_of(wheel, mirror), ANY).content == wheel.content
    for suffix in ("", ".metadata"):
        assert reader.get(path_of(others, mirror) + suffix, ANY).status_code == 404
    assert deleter.delete(path_of(others, mirror)).status_code == 403
    assert asked_for(up, wheel.owner)
    assert not asked_for(up, others.owner)


def test_a_token_for_one_project_sees_its_alarms_only(site: Site, up: Upstream) -> None:
    mirror, names = site.mirror(acl_read=["owner"]), [fresh("own"), fresh("foreign")]
    for name in names:
        dist = large(name)
        up.put(dist)
        versions(site.owner, mirror, name)
        assert site.owner.get(path_of(dist, mirror), ANY).content == dist.content
        site.wait_for_fetched(dist.filename)
        up.put(dist.with_content(large(fresh("swapped")).content))
        versions(site.owner, mirror, name)
    told = site.owner.result(f"{mirror}/+alarms")
    assert {alarm["project"] for alarm in told} == set(names)
    reader = token(site, verbs=["read"], projects=names[:1])
    assert [alarm["project"] for alarm in reader.result(f"{mirror}/+alarms")] == names[:1]


def token(site: Site, **limits: object) -> Client:
    """Return who comes with a token of the owner."""
    answer = site.owner.ask("POST", "owner/+tokens", json=limits)
    assert answer.status_code == 200, answer.text
    return Client(site.node.url, "__token__", answer.json()["result"]["token"])


def path_of(dist: UpstreamDist, mirror: str) -> str:
    return file_path(dist, mirror).lstrip("/")
