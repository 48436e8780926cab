"""Cached bytes of mirrors: deleted, damaged, over the budget, or all that there is."""

import asyncio
from pathlib import Path

import pytest

from changelog.blobs import Blobs
from changelog.reader import Reader
from server.config import Config
from server.layout import Layout
from server.spool import Spool
from server.submit import Submit
from server.upstream import cache, state
from server.upstream.asking import Upstreams
from server.upstream.cache import Cache
from server.upstream.client import Limits, UpstreamClient
from tests.http import client
from tests.mirror.asking import LARGE, large, listed
from tests.mirror.site import ANY, JSON, Site, fresh, running, until
from tests.upstream import files
from tests.upstream.server import Upstream, upstream


def test_cached_bytes_can_be_deleted_and_are_fetched_again(site: Site, up: Upstream) -> None:
    dist = large(fresh("deleted"))
    index, path = listed(site, dist, volatile=False)
    assert site.nobody.get(path, ANY).content == dist.content
    site.wait_for_fetched(dist.filename)
    blob = site.node.serverdir / "blobs" / dist.sha256[:2] / dist.sha256
    assert site.nobody.delete(path).status_code == 401
    assert client.Client(site.node.url, "other", "wrong").delete(path).status_code == 401
    assert site.owner.delete(path).status_code == 403
    assert blob.exists()
    serial = site.serial()
    answer = site.owner.delete(f"{path}?force")
    assert (answer.status_code, blob.exists()) == (200, False)
    assert list(site.files(index, dist.owner)) == [dist.filename]
    assert site.nobody.get(path, ANY, Range="bytes=0-").content == dist.content
    until(blob.exists)
    assert len(up.files(dist.filename)) == 2
    assert site.serial() == serial  # the log knew all that
    for whole in (f"{index}/{dist.owner}?force", f"{index}/{dist.owner}/1.0?force"):
        assert site.owner.delete(whole).status_code == 200
        assert not blob.exists()
        assert site.nobody.get(path, ANY, Range="bytes=0-").content == dist.content
        until(blob.exists)


@pytest.mark.parametrize("size", [10_000, LARGE], ids=["small", "large"])
def test_damaged_bytes_are_never_served_and_fetched_again(site: Site, size: int) -> None:
    dist = large(fresh("damaged"), size)
    _, path = listed(site, dist)
    site.nobody.get(path, ANY, Range="bytes=0-")
    site.wait_for_fetched(dist.filename)
    blob = site.node.serverdir / "blobs" / dist.sha256[:2] / dist.sha256
    damaged = bytearray(dist.content)
    damaged[size // 2] ^= 1
    blob.write_bytes(damaged)
    for _ in range(4):
        answer = site.nobody.get(path, ANY)
        assert (answer.status_code, answer.content) == (200, dist.content)
    until(lambda: blob.exists() and blob.read_bytes() == dist.content)


def test_a_damaged_upload_with_the_same_bytes_is_healed(site: Site) -> None:
    name = fresh("both")
    uploaded = client.wheel(name)
    dist = files.of(uploaded)
    _, path = listed(site, dist)
    assert site.nobody.get(path, ANY, Range="bytes=0-").content == dist.content
    site.wait_for_fetched(dist.filename)
    assert site.owner.upload(site.stage(), uploaded).status_code == 200
    blob = site.node.serverdir / "blobs" / dist.sha256[:2] / dist.sha256
    blob.write_bytes(bytes(len(dist.content)))
    assert site.nobody.get(path, ANY).content == dist.content
    until(lambda: blob.read_bytes() == dist.content)


def test_uploads_of_the_same_bytes_are_not_deleted(site: Site) -> None:
    uploaded = client.wheel(fresh("shared"))
    dist = files.of(uploaded)
    index, path = listed(site, dist)
    assert site.nobody.get(path, ANY).content == dist.content
    site.wait_for_fetched(dist.filename)
    stage = site.stage()
    assert site.owner.upload(stage, uploaded).status_code == 200
    assert "0 cached files" in site.owner.delete(f"{index}/{dist.owner}").json()["message"]
    assert site.nobody.get(f"{stage}/{uploaded.path}", ANY, Range="bytes=0-").content == dist.content


def test_offline_only_what_is_cached_is_listed(site: Site, up: Upstream, tmp_path: Path) -> None:
    name = fresh("offline")
    here, missing = large(name), files.wheel(name)
    with upstream(here, missing) as other:
        with running(tmp_path, other) as online:
            path = online.path("root/pypi", name, here.filename)
            lost = online.path("root/pypi", name, missing.filename)
            assert online.nobody.get(path, ANY).content == here.content
            online.wait_for_fetched(here.filename)
        count = len(other.asked)
        node = online.node
        node.args = (*node.args, "--offline-mode")  # the same node with another option
        offline = Site(node.start(), other)
        assert list(offline.files("root/pypi", name)) == [here.filename]
        assert offline.nobody.get(path, ANY).content == here.content
        answer = offline.nobody.get(lost, ANY)
        assert answer.status_code == 502
        assert "offline" in answer.text
        assert offline.page("root/pypi", fresh("unknown")).status_code == 404
        assert offline.nobody.get("root/pypi/+simple/", JSON).status_code == 200
        assert offline.refresh("root/pypi", name).status_code == 302
        assert len(other.asked) == count
        offline.close()
        node.stop()
    del site, up


def upstreams_of(site: Site, folder: Path, budget: int) -> Upstreams:
    """Return what the process that asks upstreams has, beside the one that runs."""
    config = Config(site.node.serverdir, mirror_cache_size=budget)
    layout = Layout(site.node.serverdir)
    state.prepare(folder)

    def made() -> UpstreamClient:
        return UpstreamClient(Limits(), ())

    return Upstreams(
        config=config,
        reader=Reader(layout.changelog),
        submit=Submit(layout.socket),
        blobs=Blobs(layout.blobs),
        spool=Spool(folder / "spool"),
        local=state.LocalState(folder, readonly=False),
        client=made(),
        file_client=made(),
    )


async def test_the_least_recently_used_files_go_first_and_uploads_never(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "SETTLED_S", 1)
    uploaded = client.wheel(fresh("uploaded"))
    dists = [*(large(fresh("evicted"), 1 << 20) for _ in range(6)), files.of(uploaded)]
    index = site.mirror()
    site.up.put(*dists)
    for dist in dists:
        site.nobody.get(site.path(index, dist.owner, dist.filename), ANY)
        site.wait_for_fetched(dist.filename)
    assert site.owner.upload(site.stage(), uploaded).status_code == 200
    parts = upstreams_of(site, tmp_path / "local", (4 << 20) - 1)
    named = [bytes.fromhex(dist.sha256) for dist in dists]
    older = [digest for _, digest in parts.blobs.names() if digest is not None and digest not in named]
    await parts.submit.ask("evict", older, 0)
    with parts.local.write() as store:
        for number, digest in enumerate(named):
            size = 4 << 20 if digest == named[-1] else 1 << 20  # what was uploaded takes nothing of the budget
            state.USES.put(store, digest, state.Use(number + 1, size))
    tested = Cache(parts)
    await tested.start()
    await asyncio.to_thread(until, lambda: sum(map(parts.blobs.has, named)) == 4)
    await asyncio.sleep(1.5)  # what is over the budget would go now
    assert [parts.blobs.has(digest) for digest in named] == [False, False, False, True, True, True, True]
    again = site.nobody.get(site.path(index, dists[0].owner, dists[0].filename), ANY, Range="bytes=0-")
    assert again.content == dists[0].content
    await closed(tested, parts)


async def closed(tested: Cache, parts: Upstreams) -> None:
    tested.close()
    await parts.client.close()
    await parts.file_client.close()
    parts.submit.close()
    parts.local.close()
    parts.reader.close()
