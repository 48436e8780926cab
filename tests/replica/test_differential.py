"""A primary, a replica and a replica of the replica give the same answers, byte for byte, after any history."""

import os
import random
import time
from collections.abc import Iterator

import pytest

from changelog import promise
from changelog.blobs import Blobs
from changelog.codec import EVENTS, decode
from changelog.env import DEFAULT_MAP_SIZE, VIEW_SETS
from changelog.events.cluster import LossAccepted
from changelog.fold import VIEW_TABLES
from changelog.reader import Reader
from server.layout import Layout
from tests.following import Replica, check_copy, entries, new_replica, wait_until_equal
from tests.http.client import Client, basic
from tests.nodes import Rows
from tests.processes import Node, new_node
from tests.replica.exchanges import Asker, Exchange, differences, forms
from tests.replica.world import (
    OFTEN,
    PROJECTS,
    RARELY,
    STEPS_OF,
    VERSIONS,
    World,
    create_index,
    create_user,
    tour,
    upload,
)

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
SEEDS = range(20 if FULL else 1)
STEPS = 200 if FULL else 60
FORMS = 100 if FULL else 4  # of each path, at random
WITHIN_S = 60.0


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
            paths += [f"/{index}/{name}/{word}/+doc/" for word in ("latest", "stable", *VERSIONS)]
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
    assert {event.__name__ for event in EVENTS} - kinds == {LossAccepted.__name__}  # which begins another log


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
