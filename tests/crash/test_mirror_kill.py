"""``kill -9`` at random moments while a mirror is asked: what was shown stays, no wrong byte is served."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.crash.client import Client
from tests.crash.mirror_load import MirrorLoad, MirrorModel, get_file, get_page
from tests.crash.model import Outcome
from tests.mirrors import MIRROR, PRIVATE, TIMEOUT_S, check_files, check_spool, file_url, page
from tests.processes import Node, new_node
from tests.upstream.faults import drips, slow, stalls
from tests.upstream.files import wheel
from tests.upstream.reply import Gate
from tests.upstream.server import Upstream, upstream

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 200 if FULL else 20
SEED = 11
VERIFY_EVERY = 10  # rounds
SAMPLE = 10  # files that a check between rounds looks at
CHILDREN_END_S = 5.0  # after the supervisor's death; one that is just starting has to import all first
RECOVERY_S = 20.0
TARGETS = ("upstream", "writer", "worker", "supervisor", "all")
BIG = 300_000  # bytes of a wheel


@pytest.fixture
def index() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def node(index: Upstream, tmp_path: Path) -> Iterator[Node]:
    made = new_node(tmp_path, args=PRIVATE, mirror_url=index.simple).start()
    try:
        yield made
        check_spool(made)
        made.stop()
        check_files(made)
        assert "Traceback" not in made.log, made.log[-5_000:]
    finally:
        made.kill()


def test_kills_at_random_moments_cost_nothing_that_was_shown(node: Node, index: Upstream) -> None:
    chance, model = random.Random(SEED), MirrorModel(index)  # noqa: S311 - it chooses moments
    settings = {"mirror_cache_expiry": 1}
    patched = requests.patch(f"{node.url}/{MIRROR}", json=settings, auth=("root", "secret"), timeout=TIMEOUT_S)
    assert patched.ok, patched.text
    index.fail("page", slow(0.02))
    index.fail("file", drips(20_000, 0.01))
    for number in range(ROUNDS):
        _round(node, model, chance, TARGETS[number % len(TARGETS)])
        _check(node, model, chance, SAMPLE)
        if number % VERIFY_EVERY == VERIFY_EVERY - 1:
            check_files(node)
    assert model.done > 20 * ROUNDS, "the load was too small to prove anything"
    assert model.unknown > 0, "no kill interrupted anything"
    _check(node, model, chance, 1 << 30)
    index.die()
    node.stop()
    node.start()
    _check(node, model, chance, 1 << 30)  # from what is here


def _round(node: Node, model: MirrorModel, chance: random.Random, target: str) -> None:
    with MirrorLoad(node, model, chance) as load:
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


def _check(node: Node, model: MirrorModel, chance: random.Random, files: int) -> None:
    """Ask for all pages that were ever shown and some files: nothing has to be waited for."""
    client = Client(node.url)
    for project in sorted(model.shown):
        assert get_page(client, model, project) is Outcome.OK, f"page of {project}"
    dists = list(model.dists())
    for dist in chance.sample(dists, min(files, len(dists))):
        assert get_file(client, model, dist) is Outcome.OK, dist.filename
    client.close()
    assert not model.unexpected, model.unexpected[:5]


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


def test_a_download_whose_process_dies_is_cut_and_the_next_one_works(node: Node, index: Upstream) -> None:
    big, gate = wheel("big", note=random.Random(SEED).randbytes(BIG).hex()), Gate()  # noqa: S311 - any bytes
    index.put(big, wheel("warm"))
    warm = page(node, "warm")
    page(node, "big")
    index.fail("file", stalls(BIG // 2, gate))
    with requests.get(file_url(node, big), stream=True, timeout=TIMEOUT_S) as answer:
        assert answer.status_code == 200
        begun = answer.raw.read(1_000)
        before = node.pids()
        os.kill(before["upstream"], signal.SIGKILL)
        assert page(node, "warm") == warm
        with pytest.raises(requests.RequestException):
            _read_all(answer)
    assert begun == big.content[:1_000]
    index.heal()
    gate.open()
    assert requests.get(file_url(node, big), timeout=TIMEOUT_S).content == big.content
    after = node.pids()
    assert after.pop("upstream") != before.pop("upstream")
    assert after == before


def _read_all(answer: requests.Response) -> None:
    for _ in answer.iter_content(1 << 16):
        pass
