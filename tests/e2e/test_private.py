"""Private indexes by real clients: credentials in the URL, in netrc and in a keyring, which may wait for a 401."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients, installed
from tests.e2e.installers import NEWEST, Installer
from tests.e2e.uploads import upload_wheels
from tests.http.accounts import make_index, make_user
from tests.http.client import Client
from tests.processes import Node
from tests.recording import Recorder

KEYRING = """#!/bin/sh
case "$*" in
    *--output=json*) echo '{{"username": "{0}", "password": "{1}"}}' ;;
    *) echo '{1}' ;;
esac
"""  # as pip and uv ask the command
INSTALLERS = [installer for installer in NEWEST if installer.name in {"pip", "uv"}]


@pytest.fixture(scope="module")
def reader(node: Node) -> Iterator[Client]:
    """A user who may read."""
    nobody = Client(node.url)
    client = make_user(nobody)
    yield client
    for one in (client, nobody):
        one.close()


@pytest.fixture(scope="module")
def private(root: Client, reader: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A private index with ``app``; its dependency ``lib`` is in a private base only."""
    folder = tmp_path_factory.mktemp("dist")
    base = make_index(root, acl_read=[reader.user])
    upload_wheels(root, base, folder, Project("lib", "1.0"))
    name = make_index(root, acl_read=[reader.user], bases=[base])
    upload_wheels(root, name, folder, Project("app", "1.0", requires=("lib",)))
    return name


@pytest.fixture(params=INSTALLERS, ids=lambda installer: installer.name)
def installer(request: pytest.FixtureRequest) -> Installer:
    """pip and uv in turn."""
    found: Installer = request.param
    return found


def simple(url: str, index: str, user: str = "", password: str = "") -> str:
    """Return the URL of a simple index, with credentials."""
    parts = urlsplit(url)
    who = f"{user}:{password.replace(' ', '%20')}@" if user else ""
    return f"{parts.scheme}://{who}{parts.netloc}/{index}/+simple/"


def test_credentials_in_the_url_install(
    installer: Installer, node: Node, reader: Client, private: str, clients: Clients, tmp_path: Path
) -> None:
    url = simple(node.url, private, reader.user, reader.password)
    assert installer.install(clients, url, tmp_path / "t", "app") == {"app": "1.0", "lib": "1.0"}


def test_credentials_in_netrc_install(
    installer: Installer, recorder: Recorder, reader: Client, private: str, clients: Clients, tmp_path: Path
) -> None:
    netrc = clients.home / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login {reader.user} password "{reader.password}"\n')
    netrc.chmod(0o600)
    url = simple(recorder.url, private)
    assert installer.install(clients, url, tmp_path / "t", "app") == {"app": "1.0", "lib": "1.0"}


def test_credentials_of_a_keyring_install(node: Node, reader: Client, private: str, clients: Clients) -> None:
    keyring = clients.home / "bin" / "keyring"
    keyring.parent.mkdir()
    keyring.write_text(KEYRING.format(reader.user, reader.password))
    keyring.chmod(0o700)
    path = f"{keyring.parent}:{clients.environment['PATH']}"
    for number, installer in enumerate(INSTALLERS):
        named = simple(node.url, private).replace("://", f"://{reader.user}@")
        target = clients.home / f"target{number}"
        options = ("--keyring-provider", "subprocess", "--target", str(target), "app")
        clients.run(*installer.command, installer.index_option, named, *options, PATH=path)
        assert installed(target) == {"app": "1.0", "lib": "1.0"}


LONG = pytest.mark.long


@pytest.mark.parametrize("user", [pytest.param("", marks=LONG), pytest.param("wrong", marks=LONG), "stranger"])
def test_others_install_nothing(
    installer: Installer, node: Node, reader: Client, private: str, clients: Clients, tmp_path: Path, user: str
) -> None:
    stranger = make_user(Client(node.url))
    who = {"": ("", ""), "wrong": (reader.user, "wrong"), "stranger": (stranger.user, stranger.password)}[user]
    outcome = installer.attempt(clients, simple(node.url, private, *who), tmp_path / "t", "app")
    stranger.close()
    assert outcome.code != 0
    assert not installed(tmp_path / "t")


def test_twine_uploads_to_what_it_may_read(
    node: Node, root: Client, reader: Client, clients: Clients, tmp_path: Path
) -> None:
    index = make_index(root, acl_read=[], acl_upload=[reader.user])
    wheel = Project("twined", "1.0").wheel(tmp_path)
    command = ("twine", "upload", "--repository-url", f"{node.url}/{index}/", "-u", reader.user, "-p")
    assert clients.attempt(*command, "wrong", wheel).code != 0
    clients.run(*command, reader.password, wheel)
    assert reader.get(f"{index}/+simple/twined/", "text/html").status_code == 200


def test_devpi_uses_what_it_may_read(node: Node, reader: Client, private: str, clients: Clients) -> None:
    clients.run("devpi", "use", node.url)
    clients.run("devpi", "login", reader.user, f"--password={reader.password}")
    assert private in clients.run("devpi", "use", private)
    assert "app" in clients.run("devpi", "list")
