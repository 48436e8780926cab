"""``kill -9`` of either side at random moments, under load: the copies end equal, and nothing acknowledged is lost."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.crash.checks import EVERYTHING, check_node, check_served
from tests.crash.load import Load
from tests.crash.model import Model
from tests.following import Replica, check_copy, new_replica, wait_until_equal
from tests.links import Link
from tests.processes import Node, new_node

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 200 if FULL else 10
SEED = 7
CHECK_EVERY = 5  # rounds
RECOVERY_S = 40.0
UNKNOWN = frozenset({502, 503})
STATE = re.compile(r'"state": "(\w+)"')  # in the log
TARGETS = (
    ("replica", "tail"),
    ("primary", "writer"),
    ("replica", "writer"),
    ("replica", "worker"),
    ("primary", "worker"),
    ("replica", "all"),
    ("primary", "all"),
)


@frozen
class Cluster:
    """A primary, a replica, and what clients know of the files that they sent to the replica."""

    primary: Node
    replica: Replica
    link: Link
    model: Model


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    primary = new_node(tmp_path).start()
    with Link(primary.url) as link:
        replica = new_replica(primary, tmp_path, via=link.url).start()
        try:
            yield Cluster(primary, replica, link, Model(UNKNOWN))
        finally:
            replica.kill()
            primary.kill()


def test_kills_of_either_side_lose_nothing(cluster: Cluster) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it chooses moments
    for number in range(ROUNDS):
        _round(cluster, chance, *TARGETS[number % len(TARGETS)])
        if number % CHECK_EVERY == CHECK_EVERY - 1 or number == ROUNDS - 1:
            check_served(cluster.primary, cluster.model, chance)
            check_copy(cluster.primary, cluster.replica)
    check_served(cluster.primary, cluster.model, chance, EVERYTHING)
    assert cluster.model.done > 3 * ROUNDS, "the load was too small to prove anything"
    assert cluster.model.unknown > 0, "no kill interrupted anything"
    check_node(cluster.primary)
    assert set(STATE.findall(cluster.replica.log)) == {"following", "unreachable"}  # no false alarm


def _round(cluster: Cluster, chance: random.Random, side: str, target: str) -> None:
    node = cluster.replica if side == "replica" else cluster.primary
    with Load(cluster.replica, cluster.model, chance, 4) as load:
        load.wait_for(1, RECOVERY_S)
        time.sleep(chance.uniform(0, 0.4))
        if target == "all":
            node.kill()
        else:
            pids = [pid for name, pid in sorted(node.pids().items()) if name.startswith(target)]
            os.kill(chance.choice(pids), signal.SIGKILL)
            load.wait_for(5, RECOVERY_S)  # without anybody's doing
    if target == "all":
        node.start()
        cluster.link.lead_to(cluster.primary.url)
    wait_until_equal(cluster.primary, cluster.replica)
