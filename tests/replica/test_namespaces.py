"""Nodes as far apart as machines are: packets that are late, lost or out of order cost time, never an entry."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from replica import tail
from tests.crash.checks import EVERYTHING, check_served
from tests.crash.load import Load
from tests.crash.model import Model
from tests.following import check_copy, status, wait_for_state, wait_until, wait_until_equal
from tests.http.client import Client, wheel
from tests.processes import Node
from tests.roads import Road, road
from tests.wires import Weather

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 30 if FULL else 3
UPLOADS = 100 if FULL else 10
SEED = 11
QUIET_S = 2.0  # without an entry
LONG_S = 60.0
UNKNOWN = frozenset({502, 503})  # whether the primary carried it out is not known
DEV = "root/dev"


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(tmp_path_factory.mktemp("road")) as found:
        yield found
        assert "Traceback" not in found.replica.log + found.primary.log
        assert '"forged"' not in found.replica.log


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNKNOWN)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{SEED} {request.node.name}")  # noqa: S311 - it chooses moments


def check_equal(between: Road, model: Model, chance: random.Random) -> None:
    """Check that both have the same entries and all files, and serve what clients know of."""
    wait_until_quiet(between.primary)
    wait_until_equal(between.primary, between.replica, within_s=LONG_S)
    wait_until(lambda: has_all_files(between), lambda: status(between.replica), LONG_S)
    for node in (between.primary, between.replica):
        check_served(node, model, chance, EVERYTHING)
    check_copy(between.primary, between.replica, files=True)


def wait_until_quiet(primary: Node) -> None:
    """Wait until what had reached a slow primary when its sender heard 502 has become true."""
    serial, since, deadline = None, 0.0, time.monotonic() + LONG_S
    while serial is None or time.monotonic() < since + QUIET_S:
        assert time.monotonic() < deadline, "the log goes on growing"
        if (now := status(primary)["serial"]) != serial:
            serial, since = now, time.monotonic()
        time.sleep(QUIET_S / 10)


def has_all_files(between: Road) -> bool:
    said = status(between.replica)
    return bool(said["files"]["serial"] == said["serial"] and not said["files"]["missing"])


@contextmanager
def loads(between: Road, model: Model, chance: random.Random) -> Iterator[Load]:
    """Upload and delete at both nodes; yield what works at the replica."""
    with Load(between.primary, model, chance, 2), Load(between.replica, model, chance, 2) as load:
        yield load


def root_of(node: Node) -> Client:
    return Client(node.url, "root", "secret")


@pytest.mark.long
@pytest.mark.parametrize(
    "weather",
    [
        pytest.param(Weather(delay_s=0.1), id="200-ms"),
        pytest.param(Weather(delay_s=0.01, lost=0.03), id="lost"),
        pytest.param(Weather(delay_s=0.01, late=0.2), id="late"),
        pytest.param(Weather(delay_s=0.05, lost=0.01, late=0.05), id="all"),
    ],
)
def test_on_a_bad_road_nothing_is_lost(between: Road, model: Model, chance: random.Random, weather: Weather) -> None:
    before = between.dropped
    with between.bad(weather), loads(between, model, chance) as load:
        load.wait_for(UPLOADS, LONG_S)
    assert not weather.lost or between.dropped > before
    check_equal(between, model, chance)


def test_on_a_narrow_road_reads_do_not_wait(between: Road, model: Model, chance: random.Random) -> None:
    dists = [wheel("narrow", f"1.{number}", note=f"{number}" * 30_000) for number in range(4)]
    with between.bad(Weather(delay_s=0.01, bytes_per_s=125_000)):  # 1 Mbit/s
        for number, dist in enumerate(dists):
            node = between.replica if number % 2 else between.primary
            assert root_of(node).upload("root/other", dist).status_code == 200
        began = time.monotonic()
        assert root_of(between.replica).get(DEV).status_code == 200
        assert time.monotonic() - began < 2
        wait_until_equal(between.primary, between.replica, within_s=LONG_S)
    check_equal(between, model, chance)


@pytest.mark.long
def test_a_road_that_goes_down_and_up_at_random_moments_costs_no_entry(
    between: Road, model: Model, chance: random.Random
) -> None:
    with between.bad(Weather(delay_s=0.005)), loads(between, model, chance) as load:
        for _ in range(ROUNDS):
            load.wait_for(3, LONG_S)
            time.sleep(chance.uniform(0, 0.3))
            with between.down(chance):
                time.sleep(chance.uniform(0.1, 1.0))
    check_equal(between, model, chance)


def test_where_no_road_leads_reads_go_on_and_writes_say_why_not(
    between: Road, model: Model, chance: random.Random
) -> None:
    root = root_of(between.replica)
    between.primary.stop()  # which closes the connections that are kept
    with between.nowhere():
        between.primary.start()
        assert "can not be followed" in wait_for_state(between.replica, "unreachable")["following-reason"]
        assert root.get(f"{DEV}/+simple/", "text/html").status_code == 200
        answer = root.put("root/unreachable", {})
        assert answer.status_code == 502
        assert "the primary can not be asked" in answer.json()["message"]
    wait_for_state(between.replica, "following")
    assert root.put("root/unreachable", {}).status_code == 200
    check_equal(between, model, chance)


def test_a_file_that_was_deleted_and_uploaded_again_meanwhile_is_there(
    between: Road, model: Model, chance: random.Random
) -> None:
    root, dist = root_of(between.primary), wheel("again", note="x" * 50_000)
    with between.down(chance):
        for _ in range(2):
            assert root.upload("root/other", dist).status_code == 200
            assert root.delete(f"root/other/{dist.path}").status_code == 200
        assert root.upload("root/other", dist).status_code == 200
    check_equal(between, model, chance)
    assert root_of(between.replica).get(f"root/other/{dist.path}", "*/*").content == dist.content


@pytest.mark.long
def test_a_road_that_falls_silent_is_left_and_taken_again(between: Road, model: Model, chance: random.Random) -> None:
    for _ in range(3):
        with loads(between, model, chance) as load:
            load.wait_for(5, LONG_S)
            with between.down(chance):
                state = wait_for_state(between.replica, "unreachable", tail.SILENCE_S + LONG_S)
                assert "can not be followed" in state["following-reason"]
            wait_for_state(between.replica, "following", LONG_S)
            load.wait_for(5, LONG_S)
        check_equal(between, model, chance)
