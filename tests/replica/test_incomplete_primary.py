"""A primary that was a replica and had not all files yet: it fetches those that it reads, or says that it can not."""

from collections.abc import Iterator

import pytest
import requests
from attrs import define, field, frozen

from tests.http.client import Client, Dist, sdist
from tests.http.test_documentation import PAGES, send, zipped
from tests.mirror.asking import large as large_sdist
from tests.mirror.site import ANY, fresh
from tests.mirror.test_push_servers import taking
from tests.mirrors import MIRROR, PRIVATE, file_path, page
from tests.processes import Node
from tests.replica.copied import blob, is_here, metadata_of, wait_until_here, with_large_metadata
from tests.replica.promoting import Cluster, cluster, promote
from tests.upstream.files import UpstreamDist
from tests.upstream.server import Upstream, upstream

SOURCE, TARGET = "root/dev", "root/other"


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@frozen
class Release:
    """What was uploaded before the other node took over, and what its mirror had fetched."""

    dists: tuple[Dist, ...]
    result: bytes
    documentation: bytes
    mirrored: UpstreamDist

    @property
    def name(self) -> str:
        """The project."""
        return self.dists[0].fields["name"]

    @property
    def contents(self) -> tuple[bytes, ...]:
        """All bytes of it, without the mirror's."""
        return (*(dist.content for dist in self.dists), self.result, metadata_of(self.name), self.documentation)


@define
class Pair:
    """A primary that lacks the files of before, and the replica behind it, that was the primary and has them."""

    cluster: Cluster
    releases: list[Release] = field(factory=list)  # that no test has used yet

    @property
    def primary(self) -> Node:
        """That took over."""
        return self.cluster.nodes["second"]

    @property
    def other(self) -> Node:
        """That was before."""
        return self.cluster.nodes["first"]

    @property
    def root(self) -> Client:
        """Who asks the primary."""
        return Client(self.primary.url, "root", "secret")

    def add(self, up: Upstream) -> None:
        """Upload a release, and have a file fetched, at the primary of before."""
        dist, root = with_large_metadata(), Client(self.other.url, "root", "secret")
        name = dist.fields["name"]
        more, mirrored, result = sdist(name), large_sdist(fresh("mirrored")), b'{"tested": "%s"}' % name.encode()
        for each in (dist, more):
            assert root.upload(SOURCE, each).status_code == 200
        assert root.ask("POST", f"{SOURCE}/{dist.path}", data=result).status_code == 200
        documentation = zipped(PAGES | {"name.txt": name})
        assert send(root, SOURCE, documentation, project=name).status_code == 200
        up.put(mirrored)
        page(self.other, mirrored.owner)
        assert root.get(file_path(mirrored, MIRROR).lstrip("/"), ANY).content == mirrored.content
        self.releases.append(Release((dist, more), result, documentation, mirrored))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, up: Upstream) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("incomplete")
    with cluster(folder, ("second",), 0, *PRIVATE, stages=(SOURCE, TARGET), mirror_url=up.simple) as made:
        pair = Pair(made)
        for _ in range(4):
            pair.add(up)
        everything = [content for one in pair.releases for content in (*one.contents, one.mirrored.content)]
        wait_until_here(pair.primary, *everything)
        promote(pair.primary)
        made.wait_until_one()
        for content in everything:
            blob(pair.primary, content).unlink()  # as if the other node had hung before they came
        yield pair
        for node in made.nodes.values():
            assert "Traceback" not in node.log, node.log[-3_000:]


def push(pair: Pair, source: str, name: str, **body: object) -> requests.Response:
    return pair.root.ask("PUSH", source, json={"name": name, "version": "1.0", **body})


def test_a_push_to_an_index_has_the_files_fetched(pair: Pair) -> None:
    release = pair.releases.pop()
    assert not any(is_here(pair.primary, content) for content in release.contents)
    answer = push(pair, SOURCE, release.name, targetindex=TARGET)
    assert answer.status_code == 200, answer.text
    assert all(is_here(pair.primary, content) for content in release.contents)
    for dist in release.dists:
        assert pair.root.get(f"{TARGET}/{dist.path}", ANY).content == dist.content


def test_a_push_to_another_server_has_the_files_fetched(pair: Pair) -> None:
    release = pair.releases.pop()
    body = {"username": "me", "password": "any", "register_project": True}
    with taking() as taker:
        answer = push(pair, SOURCE, release.name, posturl=taker.url, **body)
        assert answer.status_code == 200, answer.text
        sent = b"".join(content for _, content in taker.got)
        assert all(dist.content in sent for dist in release.dists)
        assert release.documentation in sent


def test_a_push_of_a_mirrors_release_has_it_from_the_other_node(pair: Pair, up: Upstream) -> None:
    mirrored = pair.releases[-1].mirrored
    before = len(up.files(mirrored.filename))
    answer = push(pair, MIRROR, mirrored.owner, targetindex=TARGET)
    assert answer.status_code == 200, answer.text
    assert len(up.files(mirrored.filename)) == before
    assert is_here(pair.primary, mirrored.content)


def test_what_is_read_is_fetched(pair: Pair) -> None:
    release = pair.releases.pop()
    where = f"{SOURCE}/{release.name}/1.0"
    found = pair.root.result(where)
    assert pair.root.get(f"{where}/+doc/name.txt", ANY).text == release.name
    (link,) = (link for link in found["+links"] if link["rel"] == "toxresult")
    assert pair.root.get(link["href"].removeprefix(f"{pair.root.url}/"), ANY).content == release.result
    dist = release.dists[0]
    for suffix, content in (("", dist.content), (".metadata", metadata_of(release.name))):
        assert pair.root.get(f"{SOURCE}/{dist.path}{suffix}", ANY).content == content


def test_without_the_other_node_a_push_is_502_and_appends_nothing(pair: Pair) -> None:
    release = pair.releases.pop()
    pair.other.kill()  # this test is the last one
    before = pair.root.serial()
    with taking() as taker:
        for body in ({"targetindex": TARGET}, {"posturl": taker.url, "username": "me", "password": "any"}):
            answer = push(pair, SOURCE, release.name, **body)
            assert answer.status_code == 502
            assert pair.other.url.rpartition(":")[2] in answer.json()["message"]
        assert taker.got == []
    assert pair.root.serial() == before
