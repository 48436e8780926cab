"""A primary, a replica and a replica of the replica give the same answers, byte for byte, after any history."""

import os
import random
import time
from collections.abc import Iterator
from hashlib import sha256

import pytest
from attrs import Factory, define

from changelog import promise
from changelog.blobs import Blobs
from changelog.codec import EVENTS, decode
from changelog.env import DEFAULT_MAP_SIZE, VIEW_SETS
from changelog.events.cluster import LossAccepted
from changelog.events.upstream import MirroredFile
from changelog.fold import VIEW_TABLES
from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.reader import Reader
from changelog.views import indexes
from server.commands import (
    OPERATOR,
    AcceptHash,
    Caller,
    ChangeMirrorPage,
    RecordFile,
    RecordMetadata,
    ReportHash,
    Request,
)
from server.layout import Layout
from server.wire import ask
from tests.following import Replica, check_copy, entries, ledgerpi, new_replica, new_token, wait_until_equal
from tests.http.accounts import PASSWORD, fresh
from tests.http.client import Client, Dist, basic, sdist, wheel
from tests.nodes import Rows
from tests.processes import Node, new_node
from tests.replica.exchanges import Asker, Exchange, differences, forms
from tests.replica.voters import acknowledging, enrolled

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
SEEDS = range(20 if FULL else 1)
STEPS = 200 if FULL else 60
FORMS = 100 if FULL else 4  # of each path, at random
PROJECTS = ("demo", "demo-extra", "Other.Name")
VERSIONS = ("1.0", "1.0.1", "2.0rc1")
UPSTREAM = Caller(":upstream", 0)
MAX_INDEXES = 4  # so that wishes meet
WITHIN_S = 60.0


@define
class World:
    """What a random history did so far."""

    node: Node  # the primary
    nodes: tuple[Client, ...]  # root at each node: writes go to any of them
    chance: random.Random
    users: list[Client] = Factory(list)
    indexes: list[str] = Factory(list)
    files: list[tuple[str, Dist]] = Factory(list)
    answered: dict[int, int] = Factory(dict)  # how many answers had a status

    @property
    def root(self) -> Client:
        """Somebody who may do everything."""
        return self.chance.choice(self.nodes)

    def index(self) -> str:
        return self.chance.choice(self.indexes)

    def file(self) -> tuple[str, Dist]:
        return self.chance.choice(self.files)

    def release(self) -> str:
        return f"{self.index()}/{self.chance.choice(PROJECTS)}/{self.chance.choice(VERSIONS)}"


def create_user(world: World) -> object:
    name, asked = fresh(), world.root
    world.users.append(Client(asked.url, name, PASSWORD))
    return asked.put(name, {"password": PASSWORD, "email": f"{name}@example.org", "title": "a title"})


def change_user(world: World) -> object:
    user = world.chance.choice(world.users)
    return world.root.patch(user.user, {"description": str(world.chance.random())})


def change_password(world: World) -> object:
    return world.root.patch(world.chance.choice(world.users).user, {"password": PASSWORD + "!"})


def delete_user(world: World) -> object:
    """Delete one who has no index."""
    return world.root.delete(world.users.pop().user) if len(world.users) > 2 else None


def create_index(world: World) -> object:
    if len(world.indexes) > MAX_INDEXES:
        return None
    name = f"{world.chance.choice(world.users).user}/{fresh()}"
    bases = world.chance.sample(world.indexes, min(len(world.indexes), world.chance.randrange(3)))
    world.indexes.append(name)
    options = {"bases": bases, "volatile": world.chance.random() < 0.8, "title": "t", "acl_upload": ["root"]}
    return world.root.put(name, options)


def modify_index(world: World) -> object:
    options = world.chance.choice(
        [{"volatile": True}, {"acl_upload": ["root", "x"]}, {"title": "other"}, {"bases": []}]
    )
    return world.root.patch(world.index(), options)


def delete_index(world: World) -> object:
    if len(world.indexes) < 4:
        return None
    gone = world.index()
    world.indexes.remove(gone)
    return world.root.delete(gone)


def upload(world: World) -> object:
    index, project, version = world.index(), world.chance.choice(PROJECTS), world.chance.choice(VERSIONS)
    note = world.chance.choice(["", "x", "y" * 30_000])
    dist = world.chance.choice([wheel, sdist])(project, version, note=note)
    world.files.append((index, dist))
    return world.root.upload(index, dist)


def upload_again(world: World) -> object:
    return world.root.upload(*world.file())


def register(world: World) -> object:
    text = "é" * world.chance.choice([1, 20_000])
    project, version = world.chance.choice(PROJECTS), world.chance.choice(VERSIONS)
    return world.root.submit(world.index(), project, version, description=text)


def yank(world: World) -> object:
    index, dist = world.file()
    return world.root.patch(f"{index}/{dist.path}", {"yanked": world.chance.choice([True, False, "broken"])})


def yank_release(world: World) -> object:
    return world.root.patch(world.release(), {"yanked": world.chance.choice([True, False, "badly"])})


def delete_file(world: World) -> object:
    index, dist = world.file()
    return world.root.delete(f"{index}/{dist.path}?force")


def delete_release(world: World) -> object:
    return world.root.delete(f"{world.release()}?force")


def delete_project(world: World) -> object:
    return world.root.delete(f"{world.index()}/{world.chance.choice(PROJECTS)}?force")


def set_status(world: World) -> object:
    body = {"status": world.chance.choice(["active", "archived", "quarantined", "deprecated"]), "reason": "why"}
    return world.root.patch(f"{world.index()}/{world.chance.choice(PROJECTS)}", body)


def enrol(world: World) -> object:
    name = fresh()
    new_token(world.node, world.node.serverdir.parent, name)
    return ledgerpi("replica-token", "--serverdir", str(world.node.serverdir), name, "--revoke")


def vote(world: World) -> object:
    """Have copies count, and then no longer."""
    voter, where = enrolled(world.node, fresh()), ("--serverdir", str(world.node.serverdir))
    assert voter.join().ok
    with acknowledging(voter):
        ledgerpi("cluster", "durability", *where, "1")
    with acknowledging(voter):
        ledgerpi("cluster", "durability", *where, "0")
    return ledgerpi("cluster", "remove", *where, voter.name)


def mirror(world: World) -> object:
    """Have the writer write down what an upstream would have said."""
    name = f"root/{fresh()}"
    options = {"type": "mirror", "mirror_url": "http://127.0.0.1:9/simple/", "title": "a mirror"}
    answer = world.root.put(name, options)
    assert answer.status_code == 200, answer.text
    reader = Reader(Layout(world.node.serverdir).changelog)
    with reader.snapshot() as store:
        row = indexes.find(store, IndexName(name))
    reader.close()
    assert row is not None
    raw = f"Metadata-Version: 2.1\nName: mirrored\nSummary: {name}\n".encode()
    digest, other, metadata = sha256(name.encode()).digest(), bytes(32), sha256(raw).digest()
    filename, version = FileName("mirrored-1.0.tar.gz"), Version("1.0")
    file = MirroredFile(filename, version, "files/", digest, (), len(name), None, ">=3", None, metadata, "")
    where = (row.incarnation, ProjectName("mirrored"), filename)
    publish(world.node, name.encode())
    for caller, command in (
        (UPSTREAM, ChangeMirrorPage(*where[:2], 0, "active", "", "../", (((file,), ()),))),
        (UPSTREAM, RecordMetadata(*where, metadata)),
        (UPSTREAM, RecordFile(*where, len(name), digest, metadata, completes=False)),
        (UPSTREAM, ReportHash(*where, digest, other)),
        (Caller(OPERATOR, 0), AcceptHash(IndexName(name), *where[1:], other)),
    ):
        request = Request(caller, command, (), ((metadata, raw),))
        ask(Layout(world.node.serverdir).socket, "commit", request.plain())
    return answer


def publish(node: Node, content: bytes) -> None:
    """Give a primary a blob, as it has one before an entry names it."""
    layout = Layout(node.serverdir)
    spooled = layout.spool / "of-a-test"
    spooled.write_bytes(content)
    Blobs(layout.blobs).publish(spooled, sha256(content).digest())


def tour(world: World) -> object:
    """Do once what chance may leave out."""
    root, index = world.nodes[0], world.indexes[0]
    first, second, user = wheel("tour", "1.0"), wheel("tour", "2.0"), fresh()
    answers = [
        root.patch(index, {"title": "on tour", "acl_upload": ["root"], "volatile": True}),
        *(root.upload(index, dist) for dist in (first, second)),
        root.submit(index, "tour", "3.0", description="no file"),
        root.patch(f"{index}/{first.path}", {"yanked": "broken"}),
        root.patch(f"{index}/{first.path}", {"yanked": False}),
        root.patch(f"{index}/tour", {"status": "archived", "reason": "why"}),
        root.patch(f"{index}/tour", {"status": "active", "reason": ""}),
        root.delete(f"{index}/{first.path}"),
        root.delete(f"{index}/tour/2.0"),
        root.upload(index, second),
        root.delete(f"{index}/tour"),
        root.put(user, {"password": PASSWORD}),
        root.delete(user),
    ]
    assert not [(answer.status_code, answer.text) for answer in answers if answer.status_code >= 300]
    return answers[-1]


OFTEN = (upload, upload, upload, upload, register, create_index)
STEPS_OF = (
    create_user,
    change_user,
    change_password,
    delete_user,
    modify_index,
    delete_index,
    upload_again,
    yank,
    yank_release,
    delete_file,
    delete_release,
    delete_project,
    set_status,
)
RARELY = (enrol, vote, mirror)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Replica, Replica]]:
    """A primary, a replica of it, and a replica of the replica."""
    folder = tmp_path_factory.mktemp("chain")
    primary = new_node(folder, workers=1).start()
    replica = new_replica(primary, folder, workers=1).start()
    second = new_replica(primary, folder, via=replica.url, workers=1).start()
    try:
        yield primary, replica, second
        assert "Traceback" not in primary.log + replica.log + second.log
    finally:
        for node in (second, replica, primary):
            node.kill()


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_history_all_nodes_answer_the_same(nodes: tuple[Node, Replica, Replica], seed: int) -> None:
    world = played(nodes, seed)
    wait_until_equal(*nodes)
    check_copy(*nodes)
    first, *others = [everything(node) for node in nodes]
    assert [differing(first, other) for other in others] == [{}, {}]
    askers = [Asker(node.url) for node in nodes]
    found, statuses = [], set()
    for exchange in exchanges(world, nodes):
        answer, differ = differences(askers, exchange)
        found += differ
        statuses.add(answer.status)
        if etag := answer.header("etag"):
            again = Exchange(exchange.path, (*exchange.headers, ("If-None-Match", etag)), exchange.method)
            answer, differ = differences(askers, again)
            found += differ
            assert answer.status == 304
    assert not found, "\n".join([f"{len(found)} differences", *found[:5]])
    assert {200, 302, 404, 406} <= statuses
    for asker in askers:
        asker.close()


def played(nodes: tuple[Node, ...], seed: int) -> World:
    """Play a history of its own over all nodes."""
    chance = random.Random(seed)  # noqa: S311 - test data
    world = World(nodes[0], tuple(Client(node.url, "root", "secret") for node in nodes), chance)
    for begin in (create_user, create_user, create_index, create_index, tour, upload, *RARELY):
        begin(world)
    for _ in range(STEPS):
        answer = chance.choice((*OFTEN, *STEPS_OF, chance.choice(STEPS_OF)))(world)
        status = getattr(answer, "status_code", 0)
        assert status < 500, answer
        world.answered[status] = world.answered.get(status, 0) + 1
    assert world.answered.get(200, 0) > STEPS // 4, world.answered
    return world


def exchanges(world: World, nodes: tuple[Node, ...]) -> Iterator[Exchange]:
    """Yield every read in all its forms."""
    user = world.users[0]
    login = (("Authorization", basic(user.user, user.password)),)
    paths = ["/", "/+api", "/nobody", "/nobody/dev", "/root/nothing", "/+nothing"]
    for name in {index.partition("/")[0] for index in world.indexes} | {client.user for client in world.users}:
        paths += [f"/{name}", f"/{name}/+api"]
    for index in world.indexes:
        paths += [f"/{index}", f"/{index}/", f"/{index}?no_projects=", f"/{index}/+api", f"/{index}/+alarms"]
        paths += [f"/{index}/+simple/", f"/{index}/+simple", f"/{index}/+simple/nothing/"]
        for project in PROJECTS:
            name = project.lower().replace(".", "-")
            paths += [f"/{index}/{project}", f"/{index}/+simple/{name}/", f"/{index}/+simple/{project}"]
            paths += [f"/{index}/+simple/{name}/?format=html", f"/{index}/+explain/{name}"]
            paths += [f"/{index}/{name}?ignore_bases=", *(f"/{index}/{name}/{version}" for version in VERSIONS)]
    for path in dict.fromkeys(paths):
        every = forms(path, {})
        yield from world.chance.sample(every, min(FORMS, len(every)))
        yield Exchange(path, (*login, ("Accept", "application/json")))
    for index, dist in world.files:
        yield Exchange(f"/{index}/{dist.path}", (("Accept", "application/json"),))
        yield from forms(f"/{index}/{dist.path}.metadata", {})[:3]
        if all(Blobs(Layout(node.serverdir).blobs).has(bytes.fromhex(dist.sha256)) for node in nodes):
            yield Exchange(f"/{index}/{dist.path}", ())
            yield Exchange(f"/{index}/{dist.path}", (("Range", "bytes=10-99"),))


def differing(first: Rows, other: Rows) -> Rows:
    """Return the rows by table that only one of two nodes has."""
    return {table: sorted({*rows} ^ {*other[table]}) for table, rows in first.items() if rows != other[table]}


def everything(node: Node) -> Rows:
    """Return every row of every table but the node's own."""
    found: Rows = {}
    reader = Reader(Layout(node.serverdir).changelog, DEFAULT_MAP_SIZE)
    with reader.snapshot() as store:
        for letter in VIEW_SETS:
            view = reader._env.view_set(store, letter)  # noqa: SLF001 - a process opens a folder once
            found |= {f"{letter}.{table}": list(view.scan(table)) for table in VIEW_TABLES}
        for table in ("entries", "nodes", "meta", "records", "contents"):
            found[table] = [row for row in store.scan(table) if row[0] != promise.KEY]
    reader.close()
    return found


def test_the_histories_have_events_of_all_kinds(nodes: tuple[Node, Replica, Replica]) -> None:
    wait_until_equal(*nodes)
    kinds = {type(decode(raw, serial)[0]).__name__ for serial, raw in enumerate(entries(nodes[2]), 1)}
    assert {event.__name__ for event in EVENTS} - kinds == {LossAccepted.__name__}  # it begins another log


def test_what_a_replica_says_of_itself_is_of_the_same_history(nodes: tuple[Node, Replica, Replica]) -> None:
    wait_until_equal(*nodes)
    first, *others = [Client(node.url).result("+status") for node in nodes]
    for other in others:
        for key in ("serial", "epoch", "root", "origin", "last-commit-timestamp", "versioninfo"):
            assert other[key] == first[key]
        assert other["role"] == "REPLICA"
        assert other["following"] == "following"
    assert first["role"] == "MASTER"
    assert len({node["uuid"] for node in (first, *others)}) == 3


def test_words_for_the_head_reach_the_end_of_the_chain(nodes: tuple[Node, Replica, Replica]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while max(Client(node.url).result("+status")["head-age"] for node in nodes[1:]) > 6:
        assert time.monotonic() < deadline
        time.sleep(0.1)
