"""devpi-client 7: use, login, create an index, upload and list."""

from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.http.accounts import make_index, make_user
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


@pytest.fixture
def released(logged_in: Clients, tmp_path: Path) -> Project:
    """A release on the current index."""
    project = Project("released", "1.0")
    logged_in.run("devpi", "upload", *project.both(tmp_path / "dist"))
    return project


def page_of(root: Client, index: str, project: Project) -> list[dict[str, object]]:
    answer = root.get(f"{index}/+simple/{project.name}/", "application/vnd.pypi.simple.v1+json")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["files"]
    return found


def test_a_release_is_pushed_to_an_index(root: Client, logged_in: Clients, index: str, released: Project) -> None:
    target = make_index(root)
    said = logged_in.run("devpi", "push", "released==1.0", target)
    assert f"200 register released 1.0 -> {target}" in said
    assert said.count(f"200 store_releasefile {target}/+f/") == 2
    assert page_of(root, target, released) == page_of(root, index, released)


def test_a_push_that_is_refused_says_why(root: Client, logged_in: Clients, released: Project) -> None:
    target = make_index(root, volatile=False)
    logged_in.run("devpi", "push", "released==1.0", target)
    outcome = logged_in.attempt("devpi", "push", "released==1.0", target)
    assert outcome.code != 0
    assert "409" in outcome.text
    assert f"already exists in non-volatile index {target}" in outcome.text
    outcome = logged_in.attempt("devpi", "push", "released==9.9", target)
    assert outcome.code != 0
    assert "there are no files for released 9.9" in outcome.text
    assert logged_in.attempt("devpi", "push", "--no-docs", "released==1.0", "no-such/index").code != 0
    assert released.version == "1.0"


def test_who_may_not_upload_to_the_target_stays_logged_in(
    nobody: Client, logged_in: Clients, released: Project
) -> None:
    stranger = make_user(nobody)
    target = make_index(stranger)
    outcome = logged_in.attempt("devpi", "push", f"{released.name}=={released.version}", target)
    assert outcome.code != 0
    assert "401" in outcome.text
    assert "logged in as root" in logged_in.run("devpi", "use")


def test_a_release_is_pushed_to_another_server_by_pypirc(
    root: Client, logged_in: Clients, index: str, released: Project, node: Node
) -> None:
    target = make_index(root)
    rc = f"[distutils]\nindex-servers = company\n[company]\nrepository = {node.url}/{target}/\n"
    (logged_in.home / ".pypirc").write_text(f"{rc}username = root\npassword = {PASSWORD}\n")
    said = logged_in.run("devpi", "push", "--register-project", "released==1.0", "pypi:company")
    assert "200 register released 1.0" in said
    assert said.count(f"200 upload {index}/+f/") == 2
    names = {file["filename"] for file in page_of(root, target, released)}
    assert names == {file["filename"] for file in page_of(root, index, released)}
