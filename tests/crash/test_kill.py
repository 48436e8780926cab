"""``kill -9`` at random moments, under load: nothing acknowledged is lost, nothing is half there, nobody repairs."""

import os
import random
import signal
import time
from pathlib import Path

from tests.crash.checks import EVERYTHING, check_node, check_served
from tests.crash.load import Load
from tests.crash.model import Model
from tests.processes import Node, new_node

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 200 if FULL else 20
SEED = 20
VERIFY_EVERY = 10  # rounds
CHILDREN_END_S = 5.0  # after the supervisor's death; one that is just starting has to import all first
RECOVERY_S = 15.0
TARGETS = ("supervisor", "writer", "worker", "all")


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it chooses moments
    node, model = new_node(tmp_path).start(), Model()
    try:
        for number in range(ROUNDS):
            _round(node, model, chance, TARGETS[number % len(TARGETS)])
            check_served(node, model, chance)
            if number % VERIFY_EVERY == VERIFY_EVERY - 1:
                check_node(node)
        check_served(node, model, chance, EVERYTHING)
        assert model.done > 10 * ROUNDS, "the load was too small to prove anything"
        assert model.unknown > 0, "no kill interrupted anything"
        node.stop()
        check_node(node)
    finally:
        node.kill()


def _round(node: Node, model: Model, chance: random.Random, target: str) -> None:
    with Load(node, model, chance) as load:
        load.wait_for(1, RECOVERY_S)
        time.sleep(chance.uniform(0, 0.4))
        if target == "supervisor":
            _kill_supervisor(node)
        elif target == "all":
            node.kill()
        else:
            _kill_child(node, chance, target)
            load.wait_for(20, RECOVERY_S)  # without anybody's doing
    if target in {"supervisor", "all"}:
        node.start()


def _kill_child(node: Node, chance: random.Random, target: str) -> None:
    pids = [pid for name, pid in sorted(node.pids().items()) if name.startswith(target)]
    os.kill(chance.choice(pids), signal.SIGKILL)


def _kill_supervisor(node: Node) -> None:
    children = node.pids()
    os.kill(children.pop("supervisor"), signal.SIGKILL)
    deadline = time.monotonic() + CHILDREN_END_S
    while left := node.pids():
        assert time.monotonic() < deadline, f"outlived the supervisor by {CHILDREN_END_S} s: {left}"
        time.sleep(0.02)
    node.kill()  # only to forget the process: nothing is left
