"""devpi-client 7: use, login, create an index, upload and list."""

from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.http.client import Client
from tests.processes import Node


@pytest.fixture
def logged_in(node: Node, clients: Clients, index: str) -> Clients:
    """A client whose current index is *index*, and who is root."""
    clients.run("devpi", "use", f"{node.url}/{index}")
    clients.run("devpi", "login", "root", f"--password={PASSWORD}")
    return clients


def test_use_shows_the_index(node: Node, clients: Clients, index: str) -> None:
    assert f"{node.url}/{index}" in clients.run("devpi", "use", f"{node.url}/{index}")


def test_login_stays(logged_in: Clients) -> None:
    assert "logged in as root" in logged_in.run("devpi", "use")


def test_a_wrong_password_is_said_to_be_wrong(node: Node, clients: Clients) -> None:
    clients.run("devpi", "use", node.url)
    outcome = clients.attempt("devpi", "login", "root", "--password=guessed")
    assert outcome.code != 0
    assert "401" in outcome.text


def test_uploaded_files_are_listed(node: Node, root: Client, logged_in: Clients, index: str, tmp_path: Path) -> None:
    paths = Project("developed", "1.0").both(tmp_path / "dist")
    logged_in.run("devpi", "upload", *paths)
    page = root.get(f"{index}/+simple/developed/", "application/vnd.pypi.simple.v1+json").json()
    assert {file["filename"] for file in page["files"]} == {path.name for path in paths}
    said = logged_in.run("devpi", "list", "developed")
    assert all(f"{node.url}/{index}/+f/" in said and path.name in said for path in paths)


def test_an_index_that_was_created_takes_uploads(logged_in: Clients, root: Client, node: Node, tmp_path: Path) -> None:
    logged_in.run("devpi", "index", "-c", "made", "bases=root/dev", "volatile=False")
    assert root.result("root/made?no_projects=")["bases"] == ["root/dev"]
    logged_in.run("devpi", "use", f"{node.url}/root/made")
    logged_in.run("devpi", "upload", Project("developed", "2.0").wheel(tmp_path))
    assert list(root.result("root/made/developed")) == ["2.0"]
