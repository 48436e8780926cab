"""The node that all tests of a run share, which has to be sound after each file, and clients with an empty home."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from changelog.verify import verify_node
from server.layout import Layout
from tests.e2e.clients import Clients
from tests.e2e.devpi import Devpi, program
from tests.following import check_copy, new_replica, wait_until_equal
from tests.http.accounts import PASSWORD as OWN
from tests.http.accounts import make_index, make_user
from tests.http.client import Client
from tests.processes import Node, new_node
from tests.recording import Recorder, recording

PASSWORD = "secret"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node with the volatile index root/dev."""
    args = ("--allow-private-upstreams", "127.0.0.1/32")  # another server that is pushed to is here too
    running = new_node(tmp_path_factory.mktemp("e2e"), PASSWORD, args=args).start()
    yield running
    running.stop()


@pytest.fixture(scope="module", autouse=True)
def _sound_afterwards(node: Node) -> Iterator[None]:
    """Check the whole node after the tests of a file."""
    before = len(node.log)
    yield
    report = verify_node(Layout(node.serverdir))
    assert not report.findings, report.findings
    assert "Traceback" not in node.log[before:]


@pytest.fixture(scope="module")
def root(node: Node) -> Iterator[Client]:
    """The user root, by plain requests."""
    client = Client(node.url, "root", PASSWORD)
    yield client
    client.close()


@pytest.fixture(scope="module")
def nobody(node: Node) -> Iterator[Client]:
    """A client without credentials."""
    client = Client(node.url)
    yield client
    client.close()


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    """Clients with an empty home."""
    home = tmp_path / "home"
    home.mkdir()
    return Clients(home)


@pytest.fixture
def recorder(node: Node) -> Iterator[Recorder]:
    """What stands between clients and the node where a test wants to see what they ask."""
    with recording(node.url) as running:
        yield running


@pytest.fixture
def index(root: Client) -> str:
    """An index of this test's own that is not volatile."""
    return make_index(root, volatile=False)


@pytest.fixture(scope="module")
def replica(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A replica that follows the node, and has to be its copy in the end."""
    running = new_replica(node, tmp_path_factory.mktemp("replica")).start()
    wait_until_equal(node, running)
    yield running
    wait_until_equal(node, running)
    check_copy(node, running, files=True)
    assert "Traceback" not in running.log
    running.stop()


@pytest.fixture(scope="module", params=["primary", "replica"])
def at(request: pytest.FixtureRequest, node: Node, replica: Node) -> Node:
    """The node that is asked, each of two in turn."""
    return node if request.param == "primary" else replica


@pytest.fixture(scope="module", params=["newest", pytest.param("oldest", marks=pytest.mark.long)])
def devpi(at: Node, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Devpi:
    """A user of this file's own, who uses the node *at* and is logged in."""
    clients = Clients(tmp_path_factory.mktemp("user"))
    user = make_user(Client(at.url))
    found = Devpi(clients, program(request.param), user)
    found.run("use", at.url)
    found.run("login", user.user, f"--password={OWN}")
    return found
