"""A file of a mirror that no node can give any more: its upstream can, and the log says what it has to be."""

from collections.abc import Iterator

import pytest

from tests.following import wait_until_equal
from tests.mirror.site import ANY, Site, fresh
from tests.replica.copied import blob, wait_until_here
from tests.replica.nodes_for_mirrors import LOOPBACK, Cluster, cluster
from tests.upstream import faults, files
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream, upstream


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("third"), up) as running:
        yield running


@pytest.fixture(scope="module")
def lazy(nodes: Cluster) -> Site:
    return nodes.follow("lazy", "--files", "lazy", *LOOPBACK)


@pytest.fixture(scope="module")
def offline(nodes: Cluster) -> Site:
    return nodes.follow("offline", "--files", "lazy", "--offline-mode")


def lost(nodes: Cluster, up: Upstream, *followers: Site) -> tuple[str, UpstreamDist]:
    """Have the primary fetch a new file and lose it; return its path and the file, when the followers know of it."""
    dist = files.wheel(fresh("third"))
    up.put(dist)
    path = nodes.site.path(nodes.site.mirror(), dist.owner, dist.filename)
    assert nodes.site.nobody.get(path, ANY).content == dist.content
    nodes.site.wait_for_fetched(dist.filename)
    wait_until_equal(nodes.primary, *(site.node for site in followers))
    blob(nodes.primary, dist.content).unlink()
    return path, dist


def test_what_no_node_has_comes_from_upstream(nodes: Cluster, up: Upstream, lazy: Site) -> None:
    path, dist = lost(nodes, up, lazy)
    assert lazy.nobody.get(path, ANY).content == dist.content
    wait_until_here(lazy.node, dist.content)


def test_other_bytes_of_upstream_are_not_served(nodes: Cluster, up: Upstream, lazy: Site) -> None:
    path, dist = lost(nodes, up, lazy)
    up.fail(f"/{dist.path}", faults.changed_bytes())
    assert lazy.nobody.get(path, ANY).status_code == 502


def test_offline_no_upstream_is_asked(nodes: Cluster, up: Upstream, offline: Site) -> None:
    path, dist = lost(nodes, up, offline)
    before = len(up.files(dist.filename))
    assert offline.nobody.get(path, ANY).status_code == 502
    assert len(up.files(dist.filename)) == before
