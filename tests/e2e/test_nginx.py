"""The nginx that gen-config configures, in front of a primary and a replica: pip, twine and plain requests."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from attrs import frozen

from server.handlers.sending import BY_FRONT
from server.layout import Layout
from tests.authorities import make_authority
from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.installers import NEWEST
from tests.following import new_replica, wait_until_equal
from tests.fronts import LOCATION, SENDS, Front
from tests.http.client import Client, Dist, wheel
from tests.processes import Node, new_node

SIMPLE = "application/vnd.pypi.simple.v1+json"
LARGE = BY_FRONT + (64 << 10)
MOST = 3_000_000  # bytes of a file


@frozen
class Site:
    """nginx, the node behind it, and a large file that is there."""

    front: Front
    node: Node
    dist: Dist

    @property
    def root(self) -> Client:
        return Client(self.front.url, "root", "secret")

    def file(self, method: str = "GET", **headers: str) -> requests.Response:
        """Ask for the large file through nginx."""
        asked = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, f"{self.front.url}/root/dev/{self.dist.path}", headers=asked, timeout=20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx")
    options = (*SENDS, "--max-request-body-size", str(MOST))
    node = new_node(folder, args=options).start()
    dist = _incompressible()
    try:
        with Front(node, folder, ("--max-request-body-size", str(MOST))) as front:
            found = Site(front, node, dist)
            assert found.root.upload("root/dev", dist).status_code == 200
            yield found
        assert "Traceback" not in node.log
    finally:
        node.kill()


def _incompressible(project: str = "large", size: int = LARGE) -> Dist:
    return wheel(project, "1.0", note=random.Random(1).randbytes(size).hex())  # noqa: S311 - the same each time


@pytest.mark.parametrize("variant", ["", "-caching"])
@pytest.mark.parametrize(
    "words",
    [(), ("--other-node", "http://127.0.0.1:3", "--other-node", "http://[::1]:4", "--replication")],
)
def test_nginx_takes_what_was_written(site: Site, tmp_path: Path, variant: str, words: tuple[str, ...]) -> None:
    assert "is successful" in Front(site.node, tmp_path, words, variant=variant).check()


@pytest.mark.parametrize(
    "url", ["https://packages.example", "https://packages.example:8443/py/", "http://p.example/a/b"]
)
def test_nginx_takes_tls_and_a_path(site: Site, tmp_path: Path, url: str) -> None:
    make_authority(tmp_path)
    pem = str(tmp_path / "server.pem")
    front = Front(site.node, tmp_path, ("--outside-url", url, "--tls-certificate", pem, "--tls-key", pem))
    assert "is successful" in front.check()
    assert " ssl " in front.site.read_text()


def test_pip_and_uv_install_what_twine_uploads(site: Site, clients: Clients, tmp_path: Path) -> None:
    path = Project("fronted", "1.0").wheel(tmp_path)
    url = f"{site.front.url}/root/dev/"
    clients.run("twine", "upload", "--repository-url", url, "-u", "root", "-p", "secret", path)
    for installer in NEWEST:
        target = tmp_path / installer.name
        assert installer.install(clients, f"{url}+simple/", target, "fronted") == {"fronted": "1.0"}


def test_a_page_is_conditional_and_in_each_form(site: Site) -> None:
    page = site.root.get("root/dev/+simple/large/", SIMPLE)
    assert page.headers["Content-Type"] == SIMPLE
    again = site.root.get("root/dev/+simple/large/", SIMPLE, If_None_Match=page.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    html = site.root.get("root/dev/+simple/large/", "text/html", If_None_Match=page.headers["ETag"])
    assert html.status_code == 200
    assert html.headers["Content-Type"].startswith("text/html")


def test_urls_are_those_that_clients_know(site: Site) -> None:
    assert site.root.result("root/dev/+api")["simpleindex"] == f"{site.front.url}/root/dev/+simple/"


def test_a_large_file_is_sent_by_nginx_with_the_nodes_headers(site: Site) -> None:
    answer = site.file()
    assert answer.content == site.dist.content
    assert site.front.lines[-1][4] == f"{LOCATION}{site.dist.sha256[:2]}/{site.dist.sha256}"
    direct = requests.get(f"{site.node.url}/root/dev/{site.dist.path}", timeout=20)
    assert direct.content == site.dist.content
    for name in ("ETag", "Last-Modified", "Cache-Control", "Content-Type", "Accept-Ranges", "X-Content-Type-Options"):
        assert answer.headers[name] == direct.headers[name], name
    assert "X-Accel-Redirect" not in answer.headers


def test_a_smaller_file_comes_through_nginx(site: Site) -> None:
    dist = _incompressible("smaller", BY_FRONT // 2)
    assert len(dist.content) < BY_FRONT
    assert site.root.upload("root/dev", dist).status_code == 200
    assert requests.get(f"{site.front.url}/root/dev/{dist.path}", timeout=20).content == dist.content
    assert site.front.lines[-1][4] == "-"


def test_parts_of_a_large_file_are_sent(site: Site) -> None:
    part = site.file(Range="bytes=1000-1999")
    assert (part.status_code, part.content) == (206, site.dist.content[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(site.dist.content)}"
    etag = part.headers["ETag"]
    assert site.file(Range="bytes=-7", If_Range=etag).content == site.dist.content[-7:]
    assert site.file(Range="bytes=-7", If_Range='"another"').content == site.dist.content
    assert site.file(Range=f"bytes={len(site.dist.content)}-").status_code == 416


def test_a_large_file_is_conditional(site: Site) -> None:
    whole = site.file("HEAD")
    assert (whole.status_code, whole.content) == (200, b"")
    assert whole.headers["Content-Length"] == str(len(site.dist.content))
    assert site.file(If_None_Match=whole.headers["ETag"]).status_code == 304
    assert site.file(If_Modified_Since=whole.headers["Last-Modified"]).status_code == 304
    assert site.file(If_None_Match='"another"').status_code == 200


def test_nobody_else_is_sent_away_to_nginx(site: Site) -> None:
    url = f"{site.node.url}/root/dev/{site.dist.path}"
    for _ in range(2):  # the second one is kept ready
        assert requests.get(url, timeout=20).content == site.dist.content
    assert site.file(X_Sendfile_Type="none").content == site.dist.content


def test_blobs_can_not_be_asked_for(site: Site) -> None:
    url = f"{site.front.url}{LOCATION}{site.dist.sha256[:2]}/{site.dist.sha256}"
    assert requests.get(url, timeout=20).status_code == 404


def test_a_deleted_file_is_gone_for_nginx_too(site: Site) -> None:
    dist = _incompressible("leaving")
    assert len(dist.content) > BY_FRONT
    assert site.root.upload("root/dev", dist).status_code == 200
    assert site.root.delete(f"root/dev/{dist.path}").status_code == 200
    assert site.root.get(f"root/dev/{dist.path}", Accept="*/*").status_code == 410


def test_what_is_too_large_is_refused_and_what_is_not_comes_through(site: Site) -> None:
    page = site.root.ask("POST", "root/dev/", data=b"x" * (MOST + (2 << 20)))
    assert page.status_code == 413


def test_routes_of_replicas_are_closed_unless_wanted(site: Site, tmp_path: Path) -> None:
    for path in ("+changelog", "%2Bchangelog", "x/../+changelog", "/+blob/00", "+blobs", "+join", "+ack", "+promise"):
        answer = requests.Request("GET", f"{site.front.url}/").prepare()
        answer.url = f"{site.front.url}/{path}"
        with requests.Session() as session:
            assert session.send(answer, timeout=20).status_code == 403, path
    with Front(site.node, tmp_path, ("--replication",)) as front:
        assert requests.get(f"{front.url}/+changelog", timeout=20).status_code == 401


def test_a_blob_that_nginx_can_not_read_comes_from_the_node(site: Site, tmp_path: Path) -> None:
    front = Front(site.node, tmp_path)
    text = front.site.read_text()
    front.site.write_text(text.replace(str(Layout(site.node.serverdir).blobs), str(tmp_path / "elsewhere")))
    with front:
        answer = requests.get(f"{front.url}/root/dev/{site.dist.path}", headers={"Range": "bytes=5-9"}, timeout=20)
        assert (answer.status_code, answer.content) == (206, site.dist.content[5:10])


def test_a_path_before_all_urls_is_taken_off(site: Site, tmp_path: Path) -> None:
    front = Front(site.node, tmp_path)
    front = Front(site.node, tmp_path, ("--outside-url", f"http://127.0.0.1:{front.port}/py/here"))
    front.port = int(front.site.read_text().split("listen ")[1].split(";")[0])
    with front:
        base = f"http://127.0.0.1:{front.port}/py/here"
        assert Client(base).result("root/dev/+api")["simpleindex"] == f"{base}/root/dev/+simple/"
        redirected = requests.get(f"{base}/root/dev/%2Bsimple/Large", timeout=20)
        assert redirected.url == f"{base}/root/dev/+simple/large/"
        assert requests.get(f"{base}/root/dev/{site.dist.path}", timeout=20).content == site.dist.content
        assert requests.get(f"http://127.0.0.1:{front.port}/root/dev", timeout=20).status_code == 404


def test_pages_are_kept_for_those_of_whom_nothing_is_known(site: Site, tmp_path: Path) -> None:
    with Front(site.node, tmp_path, ("--page-age", "60"), variant="-caching") as front:
        url = f"{front.url}/root/dev/+simple/large/"

        def asked(accept: str = SIMPLE, **headers: str) -> tuple[str, str]:
            told = {"Accept": accept} | {name.replace("_", "-"): value for name, value in headers.items()}
            answer = requests.get(url, headers=told, timeout=20)
            assert answer.status_code == 200
            return answer.headers["X-Cache-Status"], answer.headers["Content-Type"].partition(";")[0]

        assert [asked(), asked()] == [("MISS", SIMPLE), ("HIT", SIMPLE)]
        assert [asked("text/html"), asked("text/html")] == [("MISS", "text/html"), ("HIT", "text/html")]
        assert asked() == ("HIT", SIMPLE)
        assert asked(X_Devpi_Auth="cm9vdDpzZWNyZXQ=")[0] == "BYPASS"
        assert asked(X_Ledgerpi_Min_Position="1.1:1")[0] == "BYPASS"
        etag = requests.get(url, headers={"Accept": SIMPLE}, timeout=20).headers["ETag"]
        known = requests.get(url, headers={"Accept": SIMPLE, "If-None-Match": etag}, timeout=20)
        assert (known.status_code, known.headers["X-Cache-Status"]) == (304, "HIT")
        assert requests.get(f"{front.url}/root/dev/large", timeout=20).headers.get("X-Cache-Status") is None
        missing = f"{front.url}/root/dev/+simple/missing/"
        assert [requests.get(missing, timeout=20).headers.get("X-Cache-Status") for _ in range(2)] == [None, None]


def test_a_replica_serves_while_the_primary_is_dead(clients: Clients, tmp_path: Path) -> None:
    primary = new_node(tmp_path, args=SENDS).start()
    replica = new_replica(primary, tmp_path).start()
    dist = _incompressible()
    try:
        root = Client(primary.url, "root", "secret")
        assert root.upload("root/dev", dist).status_code == 200
        assert root.upload("root/dev", wheel("small")).status_code == 200
        wait_until_equal(primary, replica)
        with Front(primary, tmp_path, ("--other-node", replica.url)) as front:
            page = requests.get(f"{front.url}/root/dev/+simple/large/", timeout=20)
            assert requests.get(f"{front.url}/+health", timeout=20).json()["role"] == "primary"
            primary.kill()
            assert requests.get(f"{front.url}/root/dev/+simple/large/", timeout=20).content == page.content
            assert requests.get(f"{front.url}/root/dev/{dist.path}", timeout=20).content == dist.content
            assert requests.get(f"{front.url}/+health", timeout=20).json()["role"] == "replica"
            (pip, *_) = NEWEST
            there = pip.install(clients, f"{front.url}/root/dev/+simple/", tmp_path / "target", "small", "large")
            assert there == {"small": "1.0", "large": "1.0"}
            assert requests.put(f"{front.url}/alice", json={"password": "x"}, timeout=60).status_code >= 500
    finally:
        replica.kill()
        primary.kill()
