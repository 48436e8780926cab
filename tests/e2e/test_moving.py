"""A devpi-server that its own client filled moves here and back; each time both are compared object by object."""

import io
import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from changelog.verify import verify_node
from server.layout import Layout
from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.devpi_server import PASSWORD, DevpiServer
from tests.processes import LEDGERPI, Node

pytestmark = pytest.mark.long
FILES = 500 if os.environ.get("LEDGERPI_TEST_FULL") else 30  # in one index
RUN_S = 600.0
KEPT_S = 60.0


def ledgerpi(*arguments: str | Path) -> str:
    """Run a command, which has to succeed, and return what it said."""
    done = subprocess.run([LEDGERPI, *map(str, arguments)], capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def compared(left: str, right: str, folder: Path) -> str:
    """Return what the comparison of two servers says, which finds nothing but what is expected."""
    password = folder / "password"
    password.write_text(PASSWORD)
    return ledgerpi("compare-devpi", left, right, "--password-file", password)


def docs_zip(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("index.html", f"<h1>{text}</h1>")
    return out.getvalue()


def fill(server: DevpiServer, upstream: str, clients: Clients, folder: Path) -> None:
    """Fill *server* as its users do."""

    def devpi(*words: str | Path) -> str:
        return clients.run("devpi", *words)

    devpi("use", server.url)
    devpi("login", "root", f"--password={PASSWORD}")
    devpi("user", "-c", "ada", "password=lovelace", "email=ada@index.example", "title=Countess")
    devpi("index", "-c", "root/cache", "type=mirror", f"mirror_url={upstream}", "volatile=False")
    devpi("login", "ada", "--password=lovelace")
    devpi("index", "-c", "base", "bases=root/cache", "volatile=False", "mirror_whitelist=many")
    devpi("index", "-c", "dev", "bases=ada/base", "volatile=True", "acl_upload=ada,root", "title=Development")
    devpi("use", "ada/dev")
    dist = folder / "dist"
    for number in range(FILES):
        Project("many", f"1.{number}", requires_python=">=3.9, <4").wheel(_made(dist))
    devpi("upload", "--from-dir", dist)
    for note in ("first", "second"):
        paths = Project("Over.Written", "1.0", note=note).both(folder / note)
        devpi("upload", *paths)
    devpi("push", "many==1.1", "ada/base")
    auth = ("ada", "lovelace")
    docs = {"content": ("many-1.0.zip", docs_zip("many"))}
    form = {":action": "doc_upload", "name": "many", "version": "1.0"}
    answer = requests.post(f"{server.url}/ada/dev/", data=form, files=docs, auth=auth, timeout=RUN_S)
    assert answer.status_code == 200, answer.reason
    json_of = {"Accept": "application/json"}
    versions = requests.get(f"{server.url}/ada/dev/many", headers=json_of, timeout=RUN_S).json()["result"]
    link = versions["1.0"]["+links"][0]["href"]
    for outcome in ("passed", "failed"):
        result = json.dumps({"testenvs": {"py": outcome}}).encode()
        assert requests.post(link, data=result, headers=json_of, auth=auth, timeout=RUN_S).status_code == 200
    form = {":action": "submit", "name": "planned", "version": "0.1", "metadata_version": "2.1", "summary": "not yet"}
    assert requests.post(f"{server.url}/ada/dev/", data=form, files={}, auth=auth, timeout=RUN_S).status_code == 200


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def cached(server: DevpiServer, name: str) -> bytes:
    """Return a file of the mirror by its page."""
    page = f"{server.url}/root/cache/+simple/{name}/"
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    answer = requests.get(page, headers=accept, timeout=RUN_S)
    assert answer.status_code == 200, answer.text
    (file,) = answer.json()["files"]
    return requests.get(urljoin(page, file["url"]), timeout=RUN_S).content


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moving")


@pytest.fixture(scope="module")
def original(folder: Path, node: Node) -> Iterator[DevpiServer]:
    """A running devpi-server that was filled, and whose dump is in the folder ``dump``."""
    server = DevpiServer(folder / "original")
    server.init()
    server.start()
    try:
        home = folder / "home"
        home.mkdir()
        clients = Clients(home)
        wheel = Project("mirrored", "2.0").wheel(folder)
        clients.run(
            *("twine", "upload", "--repository-url", f"{node.url}/root/dev/", "-u", "root", "-p", PASSWORD, wheel)
        )
        fill(server, f"{node.url}/root/dev/+simple/", clients, folder)
        assert cached(server, "mirrored") == wheel.read_bytes()
        kept_by = time.monotonic() + KEPT_S
        while not list((server.serverdir / "+files").rglob(wheel.name)):  # which is after the client has it
            assert time.monotonic() < kept_by, "the mirror keeps no file"
            time.sleep(0.1)
        server.stop()
        server.export(folder / "dump")
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def moved(original: DevpiServer, folder: Path) -> Iterator[Node]:
    """A running node that has what the original has."""
    assert original.url
    serverdir = folder / "moved"
    ledgerpi("init", "--serverdir", serverdir, "--no-root-pypi", "--root-password", "another")
    ledgerpi("import-devpi", "--serverdir", serverdir, folder / "dump")
    report = verify_node(Layout(serverdir))
    assert not report.findings, report.findings
    running = Node(serverdir, args=("--offline-mode",)).start()
    yield running
    running.stop()


def test_what_moved_here_is_what_was_there(original: DevpiServer, moved: Node, folder: Path) -> None:
    said = compared(original.url, moved.url, folder)
    assert "0 differences" in said


def test_passwords_are_good_as_they_were(moved: Node, folder: Path) -> None:
    clients = Clients(_made(folder / "home-of-ada"))
    clients.run("devpi", "use", f"{moved.url}/ada/dev")
    assert "logged in" in clients.run("devpi", "login", "ada", "--password=lovelace")
    assert "many-1.0-py3-none-any.whl" in clients.run("devpi", "list", "many==1.0")


def test_files_of_a_mirror_are_there_without_upstream(moved: Node, folder: Path) -> None:
    here = DevpiServer(folder)
    here.port = int(moved.url.rpartition(":")[2])
    assert cached(here, "mirrored") == next(folder.glob("mirrored-*.whl")).read_bytes()


def test_what_moves_back_is_what_was_there(original: DevpiServer, moved: Node, folder: Path) -> None:
    ledgerpi("export-devpi", "--serverdir", moved.serverdir, folder / "back")
    back = DevpiServer(folder / "back-again")
    back.begin_from(folder / "back")
    back.start()
    try:
        assert "0 differences" in compared(original.url, back.url, folder)
        clients = Clients(_made(folder / "home-back"))
        clients.run("devpi", "use", f"{back.url}/ada/dev")
        assert "logged in" in clients.run("devpi", "login", "ada", "--password=lovelace")
    finally:
        back.stop()
