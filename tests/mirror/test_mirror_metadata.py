"""Core metadata of mirrors' files: upstream's where it has some, else those in the wheel."""

import hashlib
import io
import zipfile

from attrs import evolve

from changelog.events.upstream import MirrorMetadataFetched
from tests import archives
from tests.http import client
from tests.mirror.asking import listed
from tests.mirror.site import ANY, Site, at_once, fresh, until
from tests.upstream import faults, files
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream, upstream


def test_metadata_of_upstream_are_fetched_once(site: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("metadata"))
    _, path = listed(site, dist)
    for _ in range(4):
        answer = site.nobody.get(f"{path}.metadata", ANY)
        assert (answer.status_code, answer.content) == (200, dist.metadata)
        assert answer.headers["ETag"] == f'"{hashlib.sha256(dist.metadata or b"").hexdigest()}"'
        until(lambda: [event for event in site.events(MirrorMetadataFetched) if event.filename == dist.filename])
    assert len(up.metadata(dist.filename)) == 1
    assert up.files(dist.filename) == []


def test_metadata_asked_for_at_the_same_time_are_fetched_once(site: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("atonce"))
    _, path = listed(site, dist)
    up.fail(f"*/{dist.filename}.metadata", faults.slow(0.3))
    answers = at_once(site, *[f"{path}.metadata"] * 6, accept=ANY)
    assert {answer.content for answer in answers} == {dist.metadata}
    assert len(up.metadata(dist.filename)) == 1


def test_wrong_metadata_are_refused(site: Site, up: Upstream) -> None:
    name = fresh("lies")
    dist = files.wheel(name)
    up.fail(f"/simple/{name}/", faults.wrong_metadata_sha256())
    _, path = listed(site, dist)
    answer = site.nobody.get(f"{path}.metadata", ANY)
    assert answer.status_code == 502
    assert "SHA-256" in answer.text
    assert [event for event in site.events(MirrorMetadataFetched) if event.filename == dist.filename] == []
    up.heal()


def test_large_metadata_are_kept_too(site: Site, up: Upstream) -> None:
    name = fresh("longmeta")
    text = client.metadata(name, "1.0") + b"".join(b"long line %d\n" % number for number in range(4_000))
    info = f"{name}-1.0.dist-info"
    inner = {f"{info}/METADATA": text, f"{info}/WHEEL": archives.WHEEL}
    content = archives.zip_of(archives.wheel_entries(inner, dist_info=info))
    with upstream(UpstreamDist(f"{name}-1.0-py3-none-any.whl", content)) as other:  # which offers no metadata
        index = site.mirror(other)
        path = site.path(index, name, f"{name}-1.0-py3-none-any.whl")
        assert site.nobody.get(path, ANY).content == content
        site.wait_for_fetched(f"{name}-1.0-py3-none-any.whl")
        assert site.nobody.get(f"{path}.metadata", ANY).content == text
    del up


def test_metadata_are_made_from_the_wheel_where_upstream_has_none(site: Site) -> None:
    name = fresh("made")
    dist = evolve(files.wheel(name), metadata=None)
    with upstream(dist) as other:
        index = site.mirror(other)
        path = site.path(index, name, dist.filename)
        assert "core-metadata" not in site.files(index, name)[dist.filename]
        assert site.nobody.get(f"{path}.metadata", ANY).status_code == 404
        site.nobody.get(path, ANY)
        site.wait_for_fetched(dist.filename)
        expected = client.metadata(name, "1.0")
        assert site.files(index, name)[dist.filename]["core-metadata"] == {
            "sha256": hashlib.sha256(expected).hexdigest()
        }
        assert site.nobody.get(f"{path}.metadata", ANY).content == expected
        assert other.metadata() == []


def test_a_mirror_may_do_without_upstreams_metadata(site: Site, up: Upstream) -> None:
    dist = files.wheel(fresh("owndata"))
    index, path = listed(site, dist, mirror_provides_core_metadata=False)
    assert "core-metadata" not in site.files(index, dist.owner)[dist.filename]
    site.nobody.get(path, ANY)
    site.wait_for_fetched(dist.filename)
    assert site.files(index, dist.owner)[dist.filename]["core-metadata"]
    assert site.nobody.get(f"{path}.metadata", ANY).content == dist.metadata
    assert up.metadata(dist.filename) == []
    assert site.owner.patch(index, {"mirror_provides_core_metadata": True}).status_code == 200
    other = files.wheel(dist.owner, "2.0")
    up.put(other)
    assert site.nobody.get(site.path(index, dist.owner, other.filename) + ".metadata", ANY).content == other.metadata
    assert len(up.metadata(other.filename)) == 1


def test_metadata_of_a_file_without_digest_are_where_installers_look(site: Site) -> None:
    dist = files.wheel(fresh("baremeta"))
    with upstream(dist, hashes=(), metadata_hash=False) as other:
        index = site.mirror(other)
        assert site.files(index, dist.owner)[dist.filename]["core-metadata"] is True
        path = site.path(index, dist.owner, dist.filename)
        answer = site.nobody.get(f"{path}.metadata", ANY)
        assert (answer.status_code, answer.content) == (200, dist.metadata)
        assert "immutable" not in answer.headers["Cache-Control"]


def test_a_broken_wheel_is_still_handed_on(site: Site) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("nothing", "here")
    for content in (raw.getvalue(), b"no archive at all"):
        name = fresh("broken")
        dist = UpstreamDist(f"{name}-1.0-py3-none-any.whl", content)
        index, path = listed(site, dist)
        assert site.nobody.get(path, ANY).content == content
        site.wait_for_fetched(dist.filename)
        assert "core-metadata" not in site.files(index, name)[dist.filename]
