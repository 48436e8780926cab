"""The indexes that a mirror may have as its upstream start, and serve what they were given."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
import requests
from pypi_simple import PyPISimple

from tests.upstream import peers
from tests.upstream.files import UpstreamDist, sdist, wheel

DISTS = (wheel("demo-project", "1.0"), wheel("demo-project", "1.1"), sdist("demo-project", "1.0"), wheel("other"))
TIMEOUT_S = 60.0  # a busy machine is no failure

Peer = Callable[[Path, Iterable[UpstreamDist]], AbstractContextManager[str]]
PEERS: dict[str, Peer] = {
    "devpi-server": peers.devpi_server,
    "ledgerpi": peers.ledgerpi,
    "nginx": peers.nginx,
    "nginx-autoindex": partial(peers.nginx, autoindex=True),
    "pypiserver": peers.pypiserver,
}


@pytest.fixture(scope="module", params=PEERS.values(), ids=list(PEERS))
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PyPISimple]:
    """A client of a running peer."""
    peer: Peer = request.param
    with peer(tmp_path_factory.mktemp("peer"), DISTS) as simple, PyPISimple(simple) as client:
        yield client


def test_a_peer_serves_the_files_that_it_was_given(index: PyPISimple) -> None:
    listed = index.get_project_page("demo-project", timeout=TIMEOUT_S).packages
    files = [file for file in listed if file.filename != "../"]  # nginx lists the way up too
    served = {file.filename: sha256(requests.get(file.url, timeout=TIMEOUT_S).content).hexdigest() for file in files}
    assert served == {dist.filename: dist.sha256 for dist in DISTS if dist.owner == "demo-project"}


def test_a_peer_lists_its_projects(index: PyPISimple) -> None:
    projects = index.get_index_page(timeout=TIMEOUT_S).projects
    assert {"demo-project", "other"} <= {name.rstrip("/") for name in projects}
