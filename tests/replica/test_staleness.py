"""Replicas whose copy is too old, and what load balancers are told: the primary stopped, and dead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import requests
from attrs import frozen

from tests.http.client import Client, wheel
from tests.mirror.site import ANY, JSON, Site, until
from tests.replica.nodes_for_mirrors import Cluster, cluster
from tests.upstream.server import Upstream, upstream

MAX_AGE_S = 6.5  # more than a heartbeat
MODES = ("serve", "warn", "refuse")
TELLING = ("warn", "refuse")
PAGE = "root/dev/+simple/demo/"
BAD = "root/dev/+simple/bad/"
METADATA = f"root/dev/{wheel().path}.metadata"
BAD_FILE = f"root/dev/{wheel('bad').path}"
ALWAYS = ("+status", "+api", "root/dev/+api", "+health", "+health/replica")


@frozen
class Nodes:
    """A primary, replicas with a bound by what they do past it, and one without."""

    cluster: Cluster
    bounded: dict[str, Site]
    boundless: Site
    token: str  # of root

    @property
    def replicas(self) -> list[Site]:
        return [*self.bounded.values(), self.boundless]


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Nodes]:
    """Nodes with two projects, one of them quarantined, whose pages and files were asked for before and after."""
    with cluster(tmp_path_factory.mktemp("stale"), up) as made:
        with ThreadPoolExecutor() as pool:
            *sites, boundless = pool.map(lambda mode: follow(made, mode), (*MODES, ""))
        token = made.site.root.ask("POST", "root/+tokens", json={}).json()["result"]["token"]
        found = Nodes(made, dict(zip(MODES, sites, strict=True)), boundless, token)
        for name in ("demo", "bad"):
            assert made.site.root.upload("root/dev", wheel(name)).status_code == 200
        until(lambda: all(site.serial() == made.site.serial() for site in found.replicas))
        warm(found)
        assert made.site.root.patch("root/dev/bad", {"status": "quarantined"}).status_code == 200
        until(lambda: all(site.serial() == made.site.serial() for site in found.replicas))
        warm(found)
        yield found


@pytest.fixture(scope="module")
def stopped(nodes: Nodes) -> Iterator[Nodes]:
    """The same, with the primary stopped for longer than the bound."""
    with nodes.cluster.paused():
        wait_until_old(nodes)
        yield nodes


@pytest.fixture(scope="module")
def dead(nodes: Nodes) -> Nodes:
    """The same, when the primary went on and then died."""
    nodes.cluster.resume()
    until(lambda: all(health(site, "current").status_code == 200 for site in nodes.replicas), 40)
    nodes.cluster.primary.kill()
    wait_until_old(nodes)
    until(lambda: all(health(site).json()["following"] == "unreachable" for site in nodes.replicas), 40)
    return nodes


def follow(made: Cluster, mode: str) -> Site:
    """Start a replica, with a bound if a *mode* is given."""
    bound = ("--max-age", str(MAX_AGE_S), "--when-stale", mode) if mode else ()
    return made.follow(mode or "boundless", *bound, workers=1)


def warm(nodes: Nodes) -> None:
    """Have all that is asked for later be kept ready."""
    for site in nodes.replicas:
        for path in (PAGE, BAD, METADATA, BAD_FILE) * 2:
            site.nobody.get(path, JSON if path.endswith("/") else ANY)


def wait_until_old(nodes: Nodes) -> None:
    until(lambda: all(age(site) > MAX_AGE_S for site in nodes.replicas), 40)


def age(site: Site) -> float:
    return float(health(site).json()["age"])


def health(site: Site, question: str = "") -> requests.Response:
    return site.nobody.get(f"+health/{question}" if question else "+health")


def refused(answer: requests.Response) -> bool:
    """Return whether *answer* refuses for age, with a reason and when to come again."""
    is_so = answer.status_code == 503 and "too old" in answer.text
    assert not is_so or int(answer.headers["Retry-After"]) > 0
    return is_so


def test_a_recent_copy_is_served_without_a_word(nodes: Nodes) -> None:
    for site in nodes.replicas:
        for path in (PAGE, METADATA):
            answer = site.nobody.get(path, ANY)
            assert answer.status_code == 200
            assert "Warning" not in answer.headers
            assert "Age" not in answer.headers
        assert site.root.result("+api")["authstatus"][:2] == ["ok", "root"]


def test_a_primary_says_that_it_is_one(nodes: Nodes) -> None:
    site = nodes.cluster.site
    answer = health(site)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    found = answer.json()
    assert (found["role"], found["following"], found["age"]) == ("primary", None, 0.0)
    assert found["position"].partition(":")[2] == str(site.serial())
    assert [health(site, question).status_code for question in ("primary", "replica", "current")] == [200, 503, 200]
    assert health(site, "replica").json()["reason"]
    assert health(site, "unknown").status_code == 404


def test_a_replica_that_follows_is_current(nodes: Nodes) -> None:
    for site in nodes.replicas:
        found = health(site).json()
        assert (found["role"], found["following"]) == ("replica", "following")
        assert 0 <= found["age"] < MAX_AGE_S
        assert [health(site, question).status_code for question in ("primary", "replica", "current")] == [503, 200, 200]


def test_health_is_for_head_too_and_takes_no_credentials(nodes: Nodes) -> None:
    for site in (nodes.cluster.site, nodes.boundless):
        wrong = Client(site.node.url, "root", "wrong")
        for question in ("", "/primary", "/replica", "/current"):
            answer = wrong.head(f"+health{question}")
            assert answer.status_code == site.nobody.get(f"+health{question}").status_code
            assert not answer.content
        wrong.close()


def test_serve_says_nothing(stopped: Nodes) -> None:
    answer = stopped.bounded["serve"].nobody.get(PAGE, JSON)
    assert answer.status_code == 200
    assert "Warning" not in answer.headers


def test_warn_says_so_on_what_was_kept_ready(stopped: Nodes) -> None:
    for path in (PAGE, METADATA):
        answer = stopped.bounded["warn"].nobody.get(path, JSON if path is PAGE else ANY)
        assert answer.status_code == 200
        assert answer.headers["Warning"] == '110 ledgerpi "Response is Stale"'
        assert int(answer.headers["Age"]) >= int(MAX_AGE_S)


def test_refuse_answers_no_reads(stopped: Nodes) -> None:
    site = stopped.bounded["refuse"]
    for path in (PAGE, METADATA, "root/dev/demo", "root/dev", "", "root/pypi/+simple/"):
        assert refused(site.nobody.get(path, JSON if path is PAGE else ANY)), path
    for path in ALWAYS:
        assert site.nobody.get(path).status_code == 200, path
    assert site.nobody.get("+changelog").status_code == 401
    assert site.nobody.get(f"+blob/{sha256(b'').hexdigest()}").status_code == 401


def test_without_a_bound_nothing_changes(stopped: Nodes) -> None:
    answer = stopped.boundless.nobody.get(PAGE, JSON)
    assert answer.status_code == 200
    assert "Warning" not in answer.headers


def test_what_is_quarantined_stays_so(stopped: Nodes) -> None:
    for mode in ("serve", "warn"):
        site = stopped.bounded[mode]
        answer = site.nobody.get(BAD, JSON)
        assert answer.json()["project-status"]["status"] == "quarantined"
        assert answer.json()["files"] == []
        assert site.nobody.get(BAD_FILE, ANY).status_code == 403
        assert site.nobody.get(f"{BAD_FILE}.metadata", ANY).status_code == 403


def test_no_credentials_are_believed(stopped: Nodes) -> None:
    for mode in MODES:  # checked and remembered a moment ago
        assert stopped.bounded[mode].root.result("+api")["authstatus"] == ["noauth", "", []], mode
    assert stopped.boundless.root.result("+api")["authstatus"][0] == "ok"


def test_no_token_is_believed(stopped: Nodes) -> None:
    for site, status in [*((stopped.bounded[mode], "noauth") for mode in MODES), (stopped.boundless, "ok")]:
        client = Client(site.node.url, "__token__", stopped.token)
        assert client.result("+api")["authstatus"][0] == status
        client.close()


def test_a_replica_of_a_stopped_primary_is_not_current(stopped: Nodes) -> None:
    for site in stopped.bounded.values():
        answer = health(site, "current")
        assert answer.status_code == 503
        assert "s old" in answer.json()["reason"] or "unreachable" in answer.json()["reason"]
        assert health(site, "replica").status_code == 200
        assert health(site).status_code == 200


def test_a_dead_primary_is_the_same(dead: Nodes) -> None:
    assert "Warning" not in dead.bounded["serve"].nobody.get(PAGE, JSON).headers
    assert dead.bounded["serve"].nobody.get(PAGE, JSON).status_code == 200
    assert "Warning" in dead.bounded["warn"].nobody.get(PAGE, JSON).headers
    assert refused(dead.bounded["refuse"].nobody.get(PAGE, JSON))
    assert dead.bounded["refuse"].root.upload("root/dev", wheel("other")).status_code == 502


def test_a_replica_of_a_dead_primary_says_so(dead: Nodes) -> None:
    for site in dead.replicas:
        answer = health(site, "current")
        assert answer.status_code == 503
        assert answer.json()["reason"].startswith("unreachable")


def test_a_replica_that_starts_alone_knows_its_age(dead: Nodes) -> None:
    node = dead.bounded["refuse"].node
    node.stop()
    client = Client(node.start().url)
    assert client.get("+health").json()["age"] > MAX_AGE_S
    assert refused(client.get(PAGE, JSON))
    client.close()
