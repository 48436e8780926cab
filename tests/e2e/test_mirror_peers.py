"""Other indexes as the upstream of a mirror: installers get all that is there, and pages say all that the peer says."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
import requests
from attrs import frozen

from tests.e2e.clients import Clients
from tests.e2e.installers import NEWEST, Installer
from tests.mirrors import MIRROR, SIMPLE_JSON, STAGE, TIMEOUT_S, mirroring, page, simple
from tests.processes import Node
from tests.upstream import peers
from tests.upstream.files import OTHER_PYTHON, ROOT_PROJECT, UpstreamDist, chained_projects, chained_versions, sdist

COUNT = 12
VERSIONS = chained_versions(COUNT)
# What is yanked can not be told to all peers, and nginx' listings do not say which Python a release wants.
DISTS = (
    *(dist for dist in chained_projects(COUNT) if not dist.yanked and dist.requires_python != OTHER_PYTHON),
    sdist("islet-08", "0.9"),
)
INSTALLERS = [
    NEWEST[0],
    Installer("uv", ("uv", "pip", "install", "--no-cache"), "--default-index"),
]


@frozen
class Peer:
    """An index, and what its pages say of files."""

    serve: Callable[[Path, Iterable[UpstreamDist]], AbstractContextManager[str]]
    digests: bool = True
    requires_python: bool = True
    sizes: bool = False
    metadata: bool = False
    lists_projects: bool = True


PEERS = {
    "ledgerpi": Peer(peers.ledgerpi, sizes=True, metadata=True),
    "devpi-server": Peer(peers.devpi_server, metadata=True),
    "pypiserver": Peer(peers.pypiserver, requires_python=False),
    "nginx": Peer(peers.nginx),
    "nginx-autoindex": Peer(partial(peers.nginx, autoindex=True), digests=False, requires_python=False),
}


@pytest.fixture(scope="module", params=PEERS.values(), ids=list(PEERS))
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.param
    return found


@pytest.fixture(scope="module")
def mirror(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("peer")
    with peer.serve(folder, DISTS) as url, mirroring(tmp_path_factory.mktemp("mirror"), url) as running:
        yield running


@pytest.mark.parametrize("client", INSTALLERS, ids=[client.name for client in INSTALLERS])
def test_all_is_installed_from_a_peer(client: Installer, mirror: Node, clients: Clients, tmp_path: Path) -> None:
    assert client.install(clients, simple(mirror, STAGE), tmp_path / "target", ROOT_PROJECT) == VERSIONS


def test_a_page_says_what_that_of_the_peer_says(peer: Peer, mirror: Node) -> None:
    files = {str(file["filename"]): file for file in page(mirror, "islet-08")}
    dists = {dist.filename: dist for dist in DISTS if dist.owner == "islet-08"}
    assert files.keys() == dists.keys()
    for name, file in files.items():
        dist = dists[name]
        assert not peer.digests or file["hashes"] == {"sha256": dist.sha256}
        assert not peer.requires_python or file.get("requires-python") == (dist.requires_python or None)
        assert not peer.sizes or file["size"] == len(dist.content)
        assert not peer.metadata or bool(file.get("core-metadata")) is name.endswith(".whl")
        assert not file.get("yanked")


def test_files_are_those_of_the_peer(mirror: Node) -> None:
    dists = {dist.filename: dist for dist in DISTS}
    for file in page(mirror, "islet-08"):
        for _ in ("fetched", "cached"):
            assert requests.get(str(file["url"]), timeout=TIMEOUT_S).content == dists[str(file["filename"])].content


def test_core_metadata_are_had_from_every_peer(mirror: Node) -> None:
    """Where the peer has none, they are read from the wheel once it is there."""
    dist = next(dist for dist in DISTS if dist.owner == "islet-08" and dist.filename.endswith(".whl"))
    (url,) = (str(file["url"]) for file in page(mirror, "islet-08") if file["filename"] == dist.filename)
    assert requests.get(url, timeout=TIMEOUT_S).content == dist.content
    (file,) = (file for file in page(mirror, "islet-08") if file["filename"] == dist.filename)
    assert file["core-metadata"]
    assert requests.get(f"{file['url']}.metadata", timeout=TIMEOUT_S).content == dist.metadata


def test_projects_of_a_peer_are_listed(mirror: Node) -> None:
    answer = requests.get(simple(mirror, MIRROR), headers={"Accept": SIMPLE_JSON}, timeout=TIMEOUT_S)
    assert {project["name"] for project in answer.json()["projects"]} == {dist.owner for dist in DISTS}


def test_a_project_that_a_peer_has_not_is_not_found(mirror: Node) -> None:
    for index in (MIRROR, STAGE):
        assert requests.get(f"{simple(mirror, index)}nothing/", timeout=TIMEOUT_S).status_code == 404
