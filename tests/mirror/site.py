"""A node with mirrors of an upstream that the test controls, and what tests of mirrors ask it."""

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from attrs import define, field

from changelog import log
from changelog.codec import decode
from changelog.events.upstream import MirrorFileFetched
from changelog.reader import Reader
from changelog.verify import verify_node
from server.layout import Layout
from tests.http.client import Client
from tests.processes import LEDGERPI, Node, new_node
from tests.upstream.server import Upstream

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"
ANY = "*/*"
STALE = "X-Ledgerpi-Stale"
UNAVAILABLE = "X-Ledgerpi-Unavailable"
SOON_S = 20.0  # a busy machine is no failure
ARGS = ("--login-attempts", "1000000", "--upstream-timeout", "30")
E = TypeVar("E")
_NUMBERS = itertools.count(1)
_LOOK_S = 0.02


def fresh(word: str = "n") -> str:
    """Return a name that nothing has."""
    return f"{word}{next(_NUMBERS)}"


@define
class Site:
    """A running node; root/pypi is a mirror of *up*."""

    node: Node
    up: Upstream
    nobody: Client = field(init=False)
    root: Client = field(init=False)
    owner: Client = field(init=False)  # of what tests make

    def __attrs_post_init__(self) -> None:
        """Make the clients, and a user."""
        url = self.node.url
        self.nobody, self.root, self.owner = Client(url), Client(url, "root", "secret"), Client(url, "owner", "secret")
        assert self.nobody.put("owner", {"password": "secret"}).status_code in {201, 409}

    def mirror(self, up: Upstream | None = None, **options: object) -> str:
        """Make a mirror of *up* with a breaker and pages of its own, which asks each time if nothing else is said."""
        scheme, rest = (up or self.up).simple.split("://")
        given = {"mirror_url": f"{scheme}://{fresh('user')}@{rest}", "mirror_cache_expiry": 0, **options}
        return self.index(type="mirror", **given)

    def stage(self, *bases: str, **options: object) -> str:
        """Make a stage."""
        return self.index(bases=list(bases), **options)

    def index(self, **options: object) -> str:
        """Make an index of owner."""
        name = f"owner/{fresh('index')}"
        answer = self.owner.put(name, options)
        assert answer.status_code == 200, answer.text
        return name

    def page(self, index: str, project: str, accept: str = JSON, **headers: str) -> requests.Response:
        """Return the answer with a project's page."""
        return self.nobody.get(f"{index}/+simple/{project}/", accept, **headers)

    def files(self, index: str, project: str) -> dict[str, dict[str, Any]]:
        """Return the files on a project's page, by name."""
        answer = self.page(index, project)
        assert answer.status_code == 200, answer.text
        return {file["filename"]: file for file in answer.json()["files"]}

    def path(self, index: str, project: str, filename: str) -> str:
        """Return the path of a file that the page links to, without a leading slash."""
        page = f"{self.node.url}/{index}/+simple/{project}/"
        return urlsplit(urljoin(page, str(self.files(index, project)[filename]["url"]))).path.lstrip("/")

    def refresh(self, index: str, project: str) -> requests.Response:
        """Have upstream asked now."""
        return self.nobody.ask("POST", f"{index}/+simple/{project}/refresh")

    def serial(self) -> int:
        """Return how many entries the log has."""
        return self.nobody.serial()

    def entries(self, since: int = 0) -> list[bytes]:
        """Return the entries after serial *since*."""
        reader = Reader(Layout(self.node.serverdir).changelog)
        with reader.snapshot() as store:
            found = [raw for _, raw in log.entries(store, since + 1)]
        reader.close()
        return found

    def events(self, kind: type[E], since: int = 0) -> list[E]:
        """Return the events of a kind after serial *since*."""
        found = [decode(raw, 1)[0] for raw in self.entries(since)]
        return [event for event in found if isinstance(event, kind)]

    def ledgerpi(self, command: str, *args: str) -> str:
        """Run a command of the node's operator and return what it prints."""
        line = [str(LEDGERPI), command, "--serverdir", str(self.node.serverdir), *args]
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def health(self, index: str) -> dict[str, Any]:
        """Return what the status page says of a mirror's upstream."""
        found = self.nobody.result("+status")["mirrors"]
        assert isinstance(found, dict)
        return dict(found.get(index, {}))

    def wait_for_fetched(self, filename: str, count: int = 1) -> None:
        """Wait until the log says that a file was fetched *count* times: answers do not wait for that."""
        until(lambda: len([e for e in self.events(MirrorFileFetched) if e.filename == filename]) >= count)

    def close(self) -> None:
        """Close all connections."""
        for client in (self.nobody, self.root, self.owner):
            client.close()


@contextmanager
def running(folder: Path, up: Upstream, *args: str, networks: str = "127.0.0.1/32") -> Iterator[Site]:
    """Run a site in *folder* whose upstreams may be in *networks*; check afterwards that nothing is wrong with it."""
    allowed = ("--allow-private-upstreams", networks)
    node = new_node(folder, mirror_url=up.simple, args=(*ARGS, *allowed, *args)).start()
    site = Site(node, up)
    try:
        yield site
    finally:
        site.close()
        node.stop()
    sound(node)


def sound(node: Node) -> None:
    """Check that nothing is wrong with a node that was stopped."""
    assert verify_node(Layout(node.serverdir)).findings == []
    assert "Traceback" not in node.log
    assert "process died" not in node.log


def at_once(site: Site, *paths: str, accept: str = JSON) -> list[requests.Response]:
    """Return the answers to requests that are made at the same time, on connections of their own."""
    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(lambda path: _asked_alone(site, path, accept), paths))


def _asked_alone(site: Site, path: str, accept: str) -> requests.Response:
    client = Client(site.node.url)
    try:
        return client.get(path, accept)
    finally:
        client.close()


def until(fact: Callable[[], object], within_s: float = SOON_S) -> None:
    """Wait until *fact* holds."""
    deadline = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(_LOOK_S)


def memory_peak(pid: int) -> int:
    """Return the most memory that a process had so far, in bytes (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10


def forget_memory_peak(pid: int) -> None:
    """Begin anew to note the most memory that a process has."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
