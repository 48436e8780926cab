"""ledgerpi in the place of devpi-server 6.20.3: clients that were configured for that one go on, and are told nothing.

Users, indexes and files move by ``devpi-export`` and ``ledgerpi import-devpi``, passwords with them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from ops.bench.processes import Server
from tests.corpora import Project
from tests.e2e.clients import Clients, installed
from tests.e2e.devpi_server import DevpiServer
from tests.fronts import free_port
from tests.processes import LEDGERPI

pytestmark = pytest.mark.long

PASSWORD, ROOT = "alice's own", "root's own"
SIMPLE = "application/vnd.pypi.simple.v1+json"
INDEXES = ("alice/dev", "alice/prod")
START_S = 90.0


class User(Clients):
    """Somebody whose clients are configured by files in the home folder, and by nothing else."""

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables that a client gets."""
        configured = {"PIP_CONFIG_FILE", "PIP_INDEX_URL", "UV_NO_CONFIG", "UV_DEFAULT_INDEX"}
        return {name: value for name, value in super().environment.items() if name not in configured}

    def configure(self, url: str) -> None:
        """Write pip.conf, .pypirc and uv.toml for the indexes of alice."""
        files = {
            ".config/pip/pip.conf": f"[global]\nindex-url = {url}/alice/prod/+simple/\n",
            ".config/uv/uv.toml": f'[[index]]\nurl = "{url}/alice/prod/+simple/"\ndefault = true\n',
            ".pypirc": f"[distutils]\nindex-servers = dev\n\n[dev]\nrepository = {url}/alice/dev/\n"
            f"username = alice\npassword = {PASSWORD}\n",
        }
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pip(self, target: Path, *words: str) -> dict[str, str]:
        self.run(sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", "--target", target, *words)
        return installed(target)

    def uv(self, target: Path, *words: str) -> dict[str, str]:
        self.run("uv", "pip", "install", "--no-cache", "--target", target, *words)
        return installed(target)

    def twine(self, path: Path) -> None:
        self.run("twine", "upload", "--repository", "dev", path)


@contextmanager
def devpi_server(original: DevpiServer) -> Iterator[None]:
    """Run a new devpi-server, and write the folder ``dump`` when it has ended."""
    original.init(ROOT)
    original.start()
    try:
        yield
    finally:
        original.stop()
    original.export(original.serverdir.with_name("dump"))


@contextmanager
def ledgerpi(folder: Path, port: int) -> Iterator[None]:
    """Run a node that begins with the dump, with the file of options that devpi-server had."""
    path, serverdir = folder / "devpi-server.yml", folder / "node"
    path.write_text(f"devpi-server:\n  serverdir: {serverdir}\n  host: 127.0.0.1\n  port: {port}\n  threads: 4\n")
    run("init", "-c", path, "--no-root-pypi", "--root-passwd", "not the one that is imported")
    run("import-devpi", "--serverdir", serverdir, folder / "dump")
    with path.open("a") as options:
        options.write("  request-timeout: 7\n")
    command = [str(LEDGERPI), "serve", "-c", str(path)]
    node = Server(command, folder / "node.log", sorted(os.sched_getaffinity(0)))
    try:
        node.wait_until_answers(port, "/+api", START_S)
        yield
    finally:
        node.stop()


def run(*words: str | Path) -> None:
    """Run a command of ledgerpi, which has to succeed."""
    done = subprocess.run([LEDGERPI, *words], capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def fill(administrator: Clients, url: str, files: dict[str, list[Path]]) -> None:
    """Make users, indexes and files by the devpi client."""
    administrator.run("devpi", "use", url)
    administrator.run("devpi", "user", "-c", "alice", f"password={PASSWORD}", "email=alice@example.com")
    administrator.run("devpi", "login", "alice", f"--password={PASSWORD}")
    administrator.run("devpi", "index", "-c", "dev", "bases=", "volatile=True")
    administrator.run("devpi", "index", "-c", "prod", "bases=alice/dev", "volatile=False")
    for index, paths in files.items():
        administrator.run("devpi", "use", f"{url}/{index}")
        administrator.run("devpi", "upload", *paths)


def held(url: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return the files of each index with digest and URL, and that they can be had at it."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for index in INDEXES:
        page = f"{url}/{index}/+simple/"
        listed = requests.get(page, headers={"Accept": SIMPLE}, timeout=30).json()["projects"]
        for project in sorted(entry["name"] for entry in listed):
            files = requests.get(f"{page}{project}/", headers={"Accept": SIMPLE}, timeout=30)
            for file in files.json()["files"]:
                where = urljoin(files.url, file["url"]).partition("#")[0]
                digest = sha256(requests.get(where, timeout=30).content).hexdigest()
                found.setdefault(index, {})[file["filename"]] = (digest, where)
    return found


def test_clients_of_devpi_server_go_on_when_it_is_exchanged(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    dist = tmp_path / "dist"
    folders = [dist, tmp_path / "home", tmp_path / "then"]
    for folder in folders:
        folder.mkdir()
    user, then = User(folders[1]), Clients(folders[2])
    inner, outer = Project("inner", "1.0"), Project("outer", "1.0", ("inner",))
    files = {"alice/dev": [inner.wheel(dist), inner.sdist(dist)], "alice/prod": [outer.wheel(dist)]}

    with devpi_server(DevpiServer(tmp_path / "devpi", port)):
        fill(then, url, files)
        user.configure(url)
        user.run("devpi", "use", f"{url}/alice/dev")
        user.run("devpi", "login", "alice", f"--password={PASSWORD}")
        assert user.pip(tmp_path / "pip", "outer") == {"inner": "1.0", "outer": "1.0"}
        before = held(url)
        listed = user.run("devpi", "list", "inner")
        shown = user.run("devpi", "getjson", "/alice/prod")

    with ledgerpi(tmp_path, port):
        assert held(url) == before  # the same bytes, at the same URLs
        assert f"current devpi index: {url}/alice/dev" in user.run("devpi", "use")
        assert user.run("devpi", "list", "inner") == listed
        assert '"bases": [ "alice/dev" ]' in shown
        assert '"bases": [ "alice/dev" ]' in user.run("devpi", "getjson", "/alice/prod")
        assert user.pip(tmp_path / "pip2", "outer") == {"inner": "1.0", "outer": "1.0"}
        assert user.uv(tmp_path / "uv2", "outer") == {"inner": "1.0", "outer": "1.0"}
        locked = before["alice/prod"]["outer-1.0-py3-none-any.whl"]
        pinned = f"outer @ {locked[1]}#sha256={locked[0]}"  # as a lock file has it
        assert user.uv(tmp_path / "locked", "--no-deps", pinned) == {"outer": "1.0"}

        user.twine(Project("inner", "2.0").wheel(dist))
        assert user.pip(tmp_path / "pip3", "outer") == {"inner": "2.0", "outer": "1.0"}
        refused = user.attempt("devpi", "upload", Project("inner", "3.0").wheel(dist))
        assert "401" in refused.text or "403" in refused.text, refused.text  # the login was devpi's, for 10 hours
        user.run("devpi", "login", "alice", f"--password={PASSWORD}")
        user.run("devpi", "upload", Project("inner", "3.0").wheel(dist))
        assert "logged in" in then.run("devpi", "login", "root", f"--password={ROOT}")
        assert user.uv(tmp_path / "uv3", "outer") == {"inner": "3.0", "outer": "1.0"}
