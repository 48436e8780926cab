"""A node with a certificate of its own: for pip, for a replica that knows the authority, and for nobody else."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from attrs import frozen

from tests.authorities import make_authority
from tests.e2e.clients import Clients
from tests.e2e.installers import NEWEST
from tests.following import ledgerpi, new_replica
from tests.http.client import Client, Dist, wheel
from tests.processes import Node, new_node

SIZE = 900_000  # bytes of a file that is sent in several pieces


@frozen
class Secured:
    """A running node, and the certificate of who signed its own."""

    node: Node
    ca_file: Path
    folder: Path

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"{self.node.url}/{path}", headers=headers, verify=str(self.ca_file), timeout=20)

    def upload(self, dist: Dist) -> None:
        root = Client(self.node.url, "root", "secret")
        root.session.verify = str(self.ca_file)
        try:
            assert root.upload("root/dev", dist).status_code == 200
        finally:
            root.close()


def options(folder: Path) -> tuple[str, ...]:
    pem = str(folder / "server.pem")
    return ("--tls-certificate", pem, "--tls-key", pem)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    authority = make_authority(folder)
    node = new_node(folder, stages=("root/dev",), args=options(folder)).start()
    try:
        yield Secured(node, authority.ca_file, folder)
        assert "Traceback" not in node.log
    finally:
        node.kill()


def test_it_tells_that_it_serves_https(secured: Secured) -> None:
    assert secured.node.url.startswith("https://")
    assert secured.get("+api").json()["result"]["login"].startswith(secured.node.url)


def test_large_files_and_parts_of_them_come_whole(secured: Secured) -> None:
    dist = wheel("secured", note="".join(map(str, range(SIZE // 5))))
    secured.upload(dist)
    for _ in range(2):  # the second one is kept ready
        assert secured.get(f"root/dev/{dist.path}").content == dist.content
    assert secured.get(f"root/dev/{dist.path}", Range="bytes=1000-499999").content == dist.content[1_000:500_000]


def test_pip_installs_by_the_authority_that_it_knows(secured: Secured, tmp_path: Path) -> None:
    secured.upload(wheel("by-pip"))
    clients, url = Clients(tmp_path), f"{secured.node.url}/root/dev/+simple/"
    pip, words = NEWEST[0], ("by-pip", "--retries", "0")
    assert pip.attempt(clients, url, tmp_path / "refused", *words).code != 0
    trusted = pip.install(clients, url, tmp_path / "got", *words, "--cert", str(secured.ca_file))
    assert trusted == {"by-pip": "1.0"}


def test_who_speaks_no_tls_gets_nothing_and_costs_nothing(secured: Secured) -> None:
    at = urlsplit(secured.node.url)
    with socket.create_connection((at.hostname, at.port or 0), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(100)
    assert secured.get("+health").status_code == 200


def test_a_replica_follows_by_the_authority_that_it_knows(secured: Secured, tmp_path: Path) -> None:
    args = ("--primary-ca-file", str(secured.ca_file), *options(secured.folder))
    replica = new_replica(secured.node, tmp_path, args)
    try:
        replica.start()
        root = Client(replica.url, "root", "secret")
        root.session.verify = str(secured.ca_file)
        assert root.upload("root/dev", wheel("through-tls")).status_code == 200
        root.close()
        position = requests.get(f"{replica.url}/+status", verify=str(secured.ca_file), timeout=20).json()["result"]
        assert position["following"] == "following"
        assert position["primary"] == secured.node.url
    finally:
        replica.kill()


@pytest.mark.long
def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    make_authority(tmp_path)
    node = new_node(tmp_path, workers=1, args=options(tmp_path)).start()
    try:
        before = served(node)
        (tmp_path / "new").mkdir()
        make_authority(tmp_path / "new")
        shutil.copy(tmp_path / "new" / "server.pem", tmp_path / "server.pem")
        deadline = time.monotonic() + 60
        while served(node) == before:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        node.kill()


def served(node: Node) -> str:
    """Return the certificate that a node shows."""
    at = urlsplit(node.url)
    return ssl.get_server_certificate((str(at.hostname), at.port or 0), timeout=10)


@pytest.mark.parametrize(
    "words", [("--tls-certificate", "x.pem"), ("--tls-certificate", "x.pem", "--tls-key", "x.pem")]
)
def test_what_is_no_certificate_is_a_wrong_command_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    node = new_node(tmp_path)
    told = ledgerpi("serve", "--serverdir", str(node.serverdir), "--port", "0", *words, code=2)
    assert "--tls-key" in told.stderr
