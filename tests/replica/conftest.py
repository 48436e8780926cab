"""A primary and a replica that follows it over a link; in the end their copies are equal and sound."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import frozen

from changelog.blobs import Blobs
from server.layout import Layout
from tests.following import Replica, check_copy, new_replica, status, wait_until_equal
from tests.http.client import Client
from tests.links import Link
from tests.processes import NOWHERE, Node, new_node


@frozen
class Pair:
    """Two running nodes."""

    primary: Node
    replica: Replica
    link: Link  # between them, in both directions

    def client(self, node: Node) -> Client:
        """Return the user root, who asks *node*."""
        return Client(node.url, "root", "secret")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with Link(NOWHERE) as link:
        args = ("--login-attempts", "1000000", "--member-url", link.url)
        primary = new_node(folder, stages=("root/dev", "root/other"), args=args).start()
        link.target = primary.url
        replica = new_replica(primary, folder, args, via=link.url)
        try:
            yield Pair(primary, replica.start(), link)
            wait_until_equal(primary, replica)
            check_copy(primary, replica)
            assert "Traceback" not in replica.log + primary.log
        finally:
            replica.kill()
            primary.kill()


@frozen
class Trio:
    """A primary and two replicas; the one that is *near* to clients follows over a link."""

    primary: Node
    near: Replica
    far: Replica
    link: Link

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All of them."""
        return self.primary, self.near, self.far


@pytest.fixture(scope="session")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    folder = tmp_path_factory.mktemp("trio")
    args = ("--login-attempts", "1000000")
    primary = new_node(folder, args=args).start()
    with Link(primary.url) as link:
        near = new_replica(primary, folder, args, via=link.url).start()
        far = new_replica(primary, folder, args, workers=1).start()
        try:
            yield Trio(primary, near, far, link)
            wait_until_equal(primary, near, far)
            check_copy(primary, near, far)
            assert "Traceback" not in primary.log + near.log + far.log
            assert '"forged"' not in near.log + far.log
        finally:
            for node in (near, far, primary):
                node.kill()


def root_of(node: Node) -> Client:
    return Client(node.url, "root", "secret")


def head_of(node: Node) -> str:
    """Return the position of a node's last entry."""
    said = status(node)
    return f"{said['epoch']}:{said['serial']}"


def has_file(node: Node, path: Path) -> bool:
    """Return whether a node has the bytes of a file."""
    return Blobs(Layout(node.serverdir).blobs).has(sha256(path.read_bytes()).digest())
