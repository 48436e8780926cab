"""API tokens in the hands of real clients: twine, uv, pip, devpi, and devpi with the plug-in devpi-tokens."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients, installed
from tests.e2e.conftest import PASSWORD
from tests.e2e.environments import python_with
from tests.http.client import Client
from tests.processes import Node

WAYS = {"secret": "+tokens", "macaroon": "+token-create"}
NARROWED = "create a unique Devpi token"


def made(root: Client, way: str, **limits: object) -> str:
    """Make a token of root."""
    answer = root.ask("POST", f"root/{WAYS[way]}", json=limits)
    assert answer.ok, answer.text
    return str(answer.json()["result"]["token"])


def listed(root: Client, index: str, project: str) -> set[str]:
    page = root.get(f"{index}/+simple/{project}/", "application/vnd.pypi.simple.v1+json")
    return {file["filename"] for file in page.json()["files"]} if page.ok else set()


@pytest.fixture(params=WAYS)
def token(request: pytest.FixtureRequest, root: Client, index: str) -> str:
    """A token of each kind that uploads *demo-token* to *index*."""
    way = str(request.param)
    verbs = {"verbs": ["upload"]} if way == "secret" else {"allowed": ["upload", "pkg_read"]}
    return made(root, way, indexes=[index], projects=["demo-token"], **verbs)


def test_twine_uploads_with_a_token_what_the_token_is_for(
    node: Node, root: Client, clients: Clients, index: str, token: str, tmp_path: Path
) -> None:
    paths = Project("demo-token", "1.0").both(tmp_path / "dist")
    other = Project("other", "1.0").wheel(tmp_path)
    upload = ("twine", "upload", "--repository-url", f"{node.url}/{index}/", "-u", "__token__", "-p", token)
    clients.run(*upload, *paths)
    assert listed(root, index, "demo-token") == {path.name for path in paths}
    outcome = clients.attempt(*upload, other)
    assert outcome.code != 0
    assert "403" in outcome.text
    assert "may not upload other" in outcome.text
    assert token not in outcome.text + node.log
    assert "token wrote" in node.log


def test_uv_publishes_with_a_token_what_the_token_is_for(
    node: Node, root: Client, clients: Clients, index: str, token: str, tmp_path: Path
) -> None:
    wheel = Project("demo-token", "1.0").wheel(tmp_path)
    publish = ("uv", "publish", "--publish-url", f"{node.url}/{index}/", "--token", token)
    clients.run(*publish, wheel)
    assert listed(root, index, "demo-token") == {wheel.name}
    outcome = clients.attempt(*publish, Project("other", "1.0").wheel(tmp_path))
    assert outcome.code != 0
    assert "may not upload other" in outcome.text


def test_pip_and_uv_install_with_a_token_in_the_url(
    node: Node, clients: Clients, index: str, token: str, tmp_path: Path
) -> None:
    wheel = Project("demo-token", "1.0").wheel(tmp_path)
    clients.run("uv", "publish", "--publish-url", f"{node.url}/{index}/", "--token", token, wheel)
    simple = f"http://__token__:{token}@{urlsplit(node.url).netloc}/{index}/+simple/"
    pip, uv = tmp_path / "pip", tmp_path / "uv"
    clients.run("python", "-m", "pip", "install", "--target", pip, "--index-url", simple, "demo-token")
    clients.run("uv", "pip", "install", "--target", uv, "--default-index", simple, "demo-token")
    assert installed(pip) == installed(uv) == {"demo-token": "1.0"}


def test_devpi_logs_in_and_uploads_with_a_token(
    node: Node, root: Client, clients: Clients, index: str, token: str, tmp_path: Path
) -> None:
    paths = Project("demo-token", "1.0").both(tmp_path / "dist")
    clients.run("devpi", "use", f"{node.url}/{index}")
    clients.run("devpi", "login", "root", f"--password={token}")
    assert "logged in as root" in clients.run("devpi", "use")
    said = clients.run("devpi", "upload", *paths)
    assert (NARROWED in said) == token.startswith("devpi-")
    assert listed(root, index, "demo-token") == {path.name for path in paths}
    outcome = clients.attempt("devpi", "upload", Project("other", "1.0").wheel(tmp_path))
    assert "403" in outcome.text
    outcome = clients.attempt("devpi", "passwd", "root")
    assert "403" in outcome.text or outcome.code != 0
    assert listed(root, index, "other") == set()


def test_a_login_ends_with_its_token(node: Node, root: Client, clients: Clients, index: str, tmp_path: Path) -> None:
    answer = root.ask("POST", "root/+tokens", json={}).json()["result"]
    clients.run("devpi", "use", f"{node.url}/{index}")
    clients.run("devpi", "login", "root", f"--password={answer['token']}")
    assert root.delete(f"root/+tokens/{answer['id']}").ok
    outcome = clients.attempt("devpi", "upload", Project("demo-token", "1.0").wheel(tmp_path))
    assert "401" in outcome.text
    assert listed(root, index, "demo-token") == set()


def test_devpi_tokens_makes_lists_uses_and_deletes_a_token(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    devpi = python_with("devpi-tokens", "devpi-client", "pypitoken").with_name("devpi")
    file = tmp_path / "token"
    clients.run(devpi, "use", f"{node.url}/{index}")
    clients.run(devpi, "login", "root", f"--password={PASSWORD}")
    limits = ("--allowed", "upload,pkg_read", "--indexes", index, "--projects", "demo-token")
    clients.run(devpi, "token-create", *limits, "--expires", "never", "--output", file)
    shown = clients.run(devpi, "token-inspect", "--file", file)
    found = re.search(r"user: root id *: (\w+)", shown)
    assert found is not None, shown
    said = clients.run(devpi, "token-list")
    assert f"{found[1]} restrictions: allowed=read,upload expires=never indexes={index} projects=demo-token" in said
    narrow = tmp_path / "narrow"
    clients.run(devpi, "token-derive", "--file", file, "--allowed", "upload", "--output", narrow)
    clients.run(devpi, "logoff")
    assert "logged in 'root'" in clients.run(devpi, "token-login", "--file", narrow)
    wheel = Project("demo-token", "1.0").wheel(tmp_path)
    clients.run(devpi, "upload", wheel)
    assert listed(root, index, "demo-token") == {wheel.name}
    assert "403" in clients.attempt(devpi, "token-list").text
    clients.run(devpi, "login", "root", f"--password={PASSWORD}")
    assert f"token {found[1]} deleted" in clients.run(devpi, "token-delete", found[1])
    assert "login with token" in clients.attempt(devpi, "token-login", "--file", narrow).text.lower()
