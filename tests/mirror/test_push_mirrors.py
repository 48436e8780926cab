"""Releases of mirrors, pushed to a stage."""

import requests

from tests.http import client
from tests.mirror.asking import large
from tests.mirror.site import ANY, Site, fresh
from tests.upstream import faults, files
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream


def push(site: Site, mirror: str, target: str, name: str, version: str = "1.0") -> requests.Response:
    body = {"name": name, "version": version, "targetindex": target}
    return site.owner.ask("PUSH", mirror, json=body)


def test_a_mirrors_release_is_fetched_and_keeps_what_upstream_says(site: Site, up: Upstream) -> None:
    name = fresh("pushed")
    wheel = files.wheel(name, yanked="broken")
    sdist = files.of(client.sdist(name), requires_python=">=3.8")
    up.put(wheel, sdist)
    mirror, target = site.mirror(), site.stage()
    before = site.serial()
    answer = push(site, mirror, target, name)
    assert answer.status_code == 200, answer.text
    assert [row[:2] for row in answer.json()["result"]] == [
        [200, "register"],
        [200, "store_releasefile"],
        [200, "store_releasefile"],
    ]
    assert site.serial() > before
    there, here = site.files(mirror, name), site.files(target, name)
    same = ("upload-time", "requires-python", "yanked", "size")
    for dist in (wheel, sdist):
        said = {key: here[dist.filename].get(key) for key in same}
        assert said == {key: there[dist.filename].get(key) for key in same}
        assert here[dist.filename]["hashes"] == {"sha256": dist.sha256}
        assert site.nobody.get(site.path(target, name, dist.filename), ANY).content == dist.content
    document = site.nobody.get(site.path(target, name, wheel.filename) + ".metadata", ANY)
    assert document.content == wheel.metadata
    assert site.nobody.result(f"{target}/{name}/1.0")["summary"] == "what it is"


def test_other_versions_are_not_fetched(site: Site, up: Upstream) -> None:
    name = fresh("versions")
    wanted, other = files.of(client.wheel(name)), files.of(client.wheel(name, "2.0"))
    up.put(wanted, other)
    target = site.stage()
    assert push(site, site.mirror(), target, name).status_code == 200
    assert list(site.files(target, name)) == [wanted.filename]
    assert up.files(other.filename) == []


def test_what_is_cached_is_not_fetched_again(site: Site, up: Upstream) -> None:
    dist = files.of(client.wheel(fresh("cached")))
    up.put(dist)
    name, mirror = dist.owner, site.mirror()
    site.nobody.get(site.path(mirror, name, dist.filename), ANY)
    site.wait_for_fetched(dist.filename)
    assert push(site, mirror, site.stage(), name).status_code == 200
    assert len(up.files(dist.filename)) == 1


def test_what_was_evicted_is_fetched_again(site: Site, up: Upstream) -> None:
    dist = large(fresh("evicted"))
    up.put(dist)
    mirror, target = site.mirror(), site.stage()
    path = site.path(mirror, dist.owner, dist.filename)
    site.nobody.get(path, ANY)
    site.wait_for_fetched(dist.filename)  # so that the log has nothing to say of the second time
    assert site.owner.delete(path).status_code == 200
    answer = push(site, mirror, target, dist.owner)
    assert answer.status_code == 200, answer.text
    assert site.nobody.get(site.path(target, dist.owner, dist.filename), ANY).content == dist.content


def test_a_large_file_is_there_whole(site: Site, up: Upstream) -> None:
    dist = large(fresh("large"))
    up.put(dist)
    target = site.stage()
    assert push(site, site.mirror(), target, dist.owner).status_code == 200
    assert site.nobody.get(site.path(target, dist.owner, dist.filename), ANY).content == dist.content


def test_a_file_whose_digest_upstream_does_not_say_has_one_then(site: Site, up: Upstream) -> None:
    dist = files.of(client.wheel(fresh("nodigest")), hashes={})
    up.put(dist)
    target = site.stage()
    assert push(site, site.mirror(), target, dist.owner).status_code == 200
    assert site.files(target, dist.owner)[dist.filename]["hashes"] == {"sha256": dist.sha256}


def test_pushed_bytes_stay_when_the_mirror_lets_go_of_them(site: Site, up: Upstream) -> None:
    dist = files.of(client.wheel(fresh("stays")))
    up.put(dist)
    mirror, target = site.mirror(), site.stage()
    push(site, mirror, target, dist.owner)
    assert site.owner.delete(f"{mirror}/{dist.owner}").status_code == 200
    assert site.nobody.get(site.path(target, dist.owner, dist.filename), ANY).content == dist.content


def test_a_file_that_can_not_be_had_is_502_and_nothing_is_pushed(site: Site, up: Upstream) -> None:
    name = fresh("halves")
    good, bad = files.of(client.sdist(name)), files.of(client.wheel(name))
    up.put(good, bad)
    up.fail(f"*/{bad.filename}", faults.changed_bytes())
    target = site.stage()
    answer = push(site, site.mirror(), target, name)
    up.heal()
    assert answer.status_code == 502, answer.text
    assert bad.filename in answer.json()["message"]
    assert site.page(target, name).status_code == 404


def test_an_upstream_that_is_down_is_502(site: Site, up: Upstream) -> None:
    name = fresh("down")
    up.put(files.of(client.wheel(name)))
    up.fail(f"/simple/{name}/", faults.status(500))
    answer = push(site, site.mirror(), site.stage(), name)
    up.heal()
    assert answer.status_code == 502


def test_a_release_that_upstream_does_not_have_is_400(site: Site, up: Upstream) -> None:
    name = fresh("lacks")
    up.put(files.of(client.wheel(name)))
    mirror, target = site.mirror(), site.stage()
    assert push(site, mirror, target, name, "9.9").status_code == 400
    assert push(site, mirror, target, fresh("nothing")).status_code == 400


def test_upstream_is_not_asked_for_who_may_not_push(site: Site, up: Upstream) -> None:
    name = fresh("unasked")
    up.put(files.of(client.wheel(name)))
    body = {"name": name, "version": "1.0", "targetindex": site.stage()}
    assert site.nobody.ask("PUSH", site.mirror(), json=body).status_code == 401
    assert up.pages(name) == []


def test_a_release_of_many_files_is_one_command(site: Site, up: Upstream) -> None:
    name = fresh("many")
    tags = [f"cp3{minor}-none-any" for minor in range(30)]
    content = client.wheel(name).content
    dists = [UpstreamDist(f"{name}-1.0-{tag}.whl", content) for tag in tags]
    up.put(*dists)
    mirror, target = site.mirror(), site.stage()
    answer = push(site, mirror, target, name)
    assert answer.status_code == 200, answer.text
    assert len(site.files(target, name)) == len(dists)
