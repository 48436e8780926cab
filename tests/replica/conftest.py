"""A primary and a replica that follows it over a link; after each file their copies are equal and sound."""

from collections.abc import Iterator

import pytest
from attrs import frozen

from tests.following import Replica, check_copy, new_replica, wait_until_equal
from tests.http.client import Client
from tests.links import Link
from tests.processes import Node, new_node


@frozen
class Pair:
    """Two running nodes."""

    primary: Node
    replica: Replica
    link: Link  # between them, in both directions

    def client(self, node: Node) -> Client:
        """Return the user root, who asks *node*."""
        return Client(node.url, "root", "secret")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    primary = new_node(folder, args=("--login-attempts", "1000000")).start()
    with Link(primary.url) as link:
        replica = new_replica(primary, folder, ("--login-attempts", "1000000"), via=link.url)
        try:
            yield Pair(primary, replica.start(), link)
            wait_until_equal(primary, replica)
            check_copy(primary, replica)
            assert "Traceback" not in replica.log + primary.log
        finally:
            replica.kill()
            primary.kill()
