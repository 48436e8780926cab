"""The node that all tests of a run share, and users and indexes of each test's own.

Tests know only ``url``. With LEDGERPI_TEST_AGAINST=replica that is where a replica answers, of a primary that nobody
else asks; tests/replica/test_http_suite.py runs them so.
"""

import os
from collections.abc import Iterator

import pytest

from changelog.verify import verify_node
from changelog.verify.report import Kind
from server.layout import Layout
from tests.following import check_copy, new_replica
from tests.http.accounts import make_index, make_user
from tests.http.client import Client
from tests.processes import Node, new_node

LOST_RACES = 5  # uploads of all tests that came second in the writer: their bytes stay until the next repair


AGAINST_REPLICA = os.environ.get("LEDGERPI_TEST_AGAINST") == "replica"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The running node that is asked."""
    folder, args = tmp_path_factory.mktemp("http"), ("--login-attempts", "1000000")
    primary = new_node(folder, args=args).start()
    if not AGAINST_REPLICA:
        yield primary
    else:
        replica = new_replica(primary, folder, args).start()
        yield replica
        check_copy(primary, replica, files=True)
        replica.stop()
        check(primary)
    primary.stop()


@pytest.fixture(scope="session")
def url(node: Node) -> str:
    """Where the node under test answers."""
    return node.url


@pytest.fixture(scope="module", autouse=True)
def _sound_afterwards(node: Node) -> Iterator[None]:
    """Check the whole node after the tests of a file."""
    before = len(node.log)
    yield
    check(node, before)


def check(node: Node, before: int = 0) -> None:
    """Check that nothing is wrong with a node, and that it logged no error after the first *before* characters."""
    report = verify_node(Layout(node.serverdir))
    assert not [finding for finding in report.findings if finding.kind is not Kind.ORPHAN], report.findings
    assert report.counts[Kind.ORPHAN] <= LOST_RACES
    assert "Traceback" not in node.log[before:]
    assert "process died" not in node.log[before:]


@pytest.fixture(scope="session")
def nobody(url: str) -> Iterator[Client]:
    """A client without credentials."""
    client = Client(url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def root(url: str) -> Iterator[Client]:
    """The user root."""
    client = Client(url, "root", "secret")
    yield client
    client.close()


@pytest.fixture(scope="module")
def owner(nobody: Client) -> Iterator[Client]:
    """A user of this file's own."""
    client = make_user(nobody)
    yield client
    client.close()


@pytest.fixture(scope="module")
def stranger(nobody: Client) -> Iterator[Client]:
    """Another user of this file's own."""
    client = make_user(nobody)
    yield client
    client.close()


@pytest.fixture
def user(nobody: Client) -> Iterator[Client]:
    """A user of this test's own."""
    client = make_user(nobody)
    yield client
    client.close()


@pytest.fixture
def index(owner: Client) -> str:
    """A volatile index of this test's own."""
    return make_index(owner)


@pytest.fixture
def fixed(owner: Client) -> str:
    """An index of this test's own that is not volatile."""
    return make_index(owner, volatile=False)
