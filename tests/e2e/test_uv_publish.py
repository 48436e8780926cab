"""``uv publish`` uploads."""

from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.http.client import Client
from tests.processes import Node
from tests.recording import Recorder

USER = ("--username", "root", "--password", PASSWORD)


def test_a_wheel_and_an_sdist_are_listed(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    paths = Project("published", "1.0").both(tmp_path / "dist")
    clients.run("uv", "publish", "--publish-url", f"{node.url}/{index}/", *USER, *paths)
    assert sorted(root.result(f"{index}/published")["1.0"]["+links"], key=str) != []
    page = root.get(f"{index}/+simple/published/", "application/vnd.pypi.simple.v1+json").json()
    assert {file["filename"] for file in page["files"]} == {path.name for path in paths}


def test_a_wrong_password_is_said_to_be_wrong(node: Node, clients: Clients, index: str, tmp_path: Path) -> None:
    wheel = Project("published", "1.0").wheel(tmp_path)
    wrong = ("--username", "root", "--password", "guessed")
    outcome = clients.attempt("uv", "publish", "--publish-url", f"{node.url}/{index}/", *wrong, wheel)
    assert outcome.code != 0
    assert "wrong password" in outcome.text


def test_other_bytes_under_a_taken_name_are_refused_with_the_reason(
    node: Node, clients: Clients, index: str, tmp_path: Path
) -> None:
    wheel = Project("published", "1.0").wheel(tmp_path)
    publish = ("uv", "publish", "--publish-url", f"{node.url}/{index}/", *USER, wheel)
    clients.run(*publish)
    Project("published", "1.0", note="other").wheel(tmp_path)
    outcome = clients.attempt(*publish)
    assert outcome.code != 0
    assert f"File already exists: {wheel.name}" in outcome.text


@pytest.fixture
def checking(recorder: Recorder, index: str) -> tuple[str, ...]:
    """Return the command that asks the index before it uploads."""
    where, check = f"{recorder.url}/{index}/", f"{recorder.url}/{index}/+simple/"
    return ("uv", "publish", "--publish-url", where, "--check-url", check, *USER)


def test_check_url_uploads_what_is_not_there(
    checking: tuple[str, ...], recorder: Recorder, clients: Clients, tmp_path: Path
) -> None:
    clients.run(*checking, Project("published", "1.0").wheel(tmp_path))
    assert [asked.status for asked in recorder.posts()] == [200]


def test_check_url_does_not_send_what_is_there(
    checking: tuple[str, ...], recorder: Recorder, clients: Clients, tmp_path: Path
) -> None:
    wheel = Project("published", "1.0").wheel(tmp_path)
    clients.run(*checking, wheel)
    recorder.asked.clear()
    assert "already exists" in clients.run(*checking, wheel)
    assert not recorder.posts()


def test_check_url_refuses_other_bytes_before_it_sends_them(
    checking: tuple[str, ...], recorder: Recorder, clients: Clients, tmp_path: Path
) -> None:
    wheel = Project("published", "1.0").wheel(tmp_path)
    clients.run(*checking, wheel)
    Project("published", "1.0", note="other").wheel(tmp_path)
    recorder.asked.clear()
    outcome = clients.attempt(*checking, wheel)
    assert outcome.code != 0
    assert not recorder.posts()
