"""A replica keeps from others what its primary does, and reads of its primary what is private."""

from collections.abc import Iterator
from hashlib import sha256

import pytest
from attrs import frozen

from tests.http.client import Client, wheel
from tests.mirror.site import ANY, JSON, Site, until
from tests.replica.nodes_for_mirrors import Cluster, cluster
from tests.upstream import files
from tests.upstream.server import Upstream, upstream

MAX_AGE_S = 6.5  # more than a heartbeat
MIRRORED = "mirrored"


@frozen
class Nodes:
    """A primary with a private stage and a private mirror, and a replica of it."""

    cluster: Cluster
    replica: Site
    stage: str
    mirror: str
    public: str  # a stage

    @property
    def page(self) -> str:
        """The page of demo in the stage."""
        return f"{self.stage}/+simple/demo/"


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Nodes]:
    """Nodes that have the same entries; nobody has asked for a page yet."""
    with cluster(tmp_path_factory.mktemp("private"), up) as made:
        site = made.site
        indexes = (site.stage(acl_read=[]), site.mirror(acl_read=[]), site.stage())
        found = Nodes(made, made.follow("replica"), *indexes)
        assert site.owner.upload(found.stage, wheel()).status_code == 200
        up.put(files.wheel(MIRRORED))
        until(lambda: found.replica.serial() == site.serial())
        yield found


def file_of(client: Client, index: str, project: str) -> str:
    """Return the path of the one file of a project."""
    (file,) = client.get(f"{index}/+simple/{project}/", JSON).json()["files"]
    return f"{index}/{file['url'].removeprefix('../../')}"


def test_a_private_stage_is_private_on_a_replica(nodes: Nodes) -> None:
    site = nodes.replica
    for path, accept in ((nodes.page, JSON), (f"{nodes.stage}/{wheel().path}", ANY), (nodes.stage, "application/json")):
        for _ in range(2):
            assert site.nobody.get(path, accept).status_code == 401
            assert site.owner.get(path, accept).status_code == 200
            assert site.nobody.head(path, accept).status_code == 401
    assert nodes.stage.split("/")[1] not in site.nobody.result("owner")["indexes"]


def test_a_private_mirror_is_asked_by_the_primary_for_a_replica(nodes: Nodes, up: Upstream) -> None:
    site = nodes.replica
    assert site.nobody.get(f"{nodes.mirror}/+simple/{MIRRORED}/", JSON).status_code == 401
    assert not [one for one in up.asked if MIRRORED in one.path]
    path = file_of(site.owner, nodes.mirror, MIRRORED)
    assert MIRRORED in site.owner.get(f"{nodes.mirror}/+simple/", JSON).text
    for _ in range(2):  # through the primary, then from here
        assert site.nobody.get(path, ANY).status_code == 401
        answer = site.owner.get(path, ANY)
        assert sha256(answer.content).hexdigest().startswith("".join(path.split("/")[3:5]))
        assert "public" not in answer.headers["Cache-Control"]
        assert site.nobody.get(f"{path}.metadata", ANY).status_code == 401
        assert site.owner.get(f"{path}.metadata", ANY).status_code == 200


def test_a_change_is_true_on_a_replica_when_it_answers(nodes: Nodes) -> None:
    site = nodes.replica
    for acl, status in (([":ANONYMOUS:"], 200), ([], 401)):
        assert site.owner.patch(nodes.stage, {"acl_read": acl}).status_code == 200
        assert site.nobody.get(nodes.page, JSON).status_code == status


def test_a_replica_writes_for_readers_only(nodes: Nodes) -> None:
    site = nodes.replica
    assert site.nobody.ask("POST", f"{nodes.page}refresh").status_code == 401
    assert site.owner.ask("POST", f"{nodes.page}refresh").status_code == 302
    assert site.nobody.upload(nodes.stage, wheel("other")).status_code == 401


def test_what_nodes_say_to_each_other_is_for_members(nodes: Nodes) -> None:
    digest = wheel().sha256
    for site in (nodes.cluster.site, nodes.replica):
        for client in (site.nobody, site.owner, site.root):
            assert client.get("+changelog").status_code == 401
            assert client.get(f"+blob/{digest}").status_code == 401
            assert client.ask("POST", "+blobs", data=bytes.fromhex(digest)).status_code == 401


def test_a_token_that_is_no_members_reads_nothing(nodes: Nodes) -> None:
    for token in ("x", "lmt-x", "Zm9v"):
        for site in (nodes.cluster.site, nodes.replica):
            answer = site.nobody.get(nodes.page, JSON, Authorization=f"Bearer {token}")
            assert answer.status_code == 401


@pytest.mark.long
def test_past_its_bound_a_replica_shows_nothing_private(nodes: Nodes) -> None:
    site = nodes.cluster.follow("bounded", "--max-age", str(MAX_AGE_S), "--when-stale", "serve", workers=1)
    until(lambda: site.serial() == nodes.cluster.site.serial())
    paths = ((nodes.page, JSON), (f"{nodes.stage}/{wheel().path}", ANY))
    assert [site.owner.get(*path).status_code for path in paths] == [200, 200]
    with nodes.cluster.paused():
        until(lambda: float(site.nobody.get("+health").json()["age"]) > MAX_AGE_S, 40)
        assert [site.owner.get(*path).status_code for path in paths] == [503, 503]
        assert [site.nobody.get(*path).status_code for path in paths] == [401, 401]
        assert nodes.stage.split("/")[1] not in site.owner.result("owner")["indexes"]
        assert site.nobody.get(f"{nodes.public}/+simple/", JSON).status_code == 200
