"""Bad links: what they do to the stream and to forwarded writes costs time, never an entry."""

import asyncio
import os
import random
import time

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.copying import Known
from changelog.errors import Unavailable
from changelog.tree import EMPTY_ROOT
from replica import tail
from replica.credentials import Credentials
from replica.tail import Source
from server.stream import Cursor
from tests.crash.checks import EVERYTHING, check_served
from tests.crash.load import Load
from tests.crash.model import Model
from tests.following import check_copy, wait_for_state, wait_until_equal
from tests.http.accounts import fresh
from tests.http.client import wheel
from tests.links import Link, Weather
from tests.raw_servers import always, raw_server
from tests.replica.conftest import Pair

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 20 if FULL else 2
UNKNOWN = frozenset({502, 503})  # whether the primary carried it out is not known
LONG_S = 40.0
SHOWN = Credentials("x", "ledgerpi/test", b"", None, 0, "lrt-x", (), Ed25519PrivateKey.generate())


def check_equal(pair: Pair) -> None:
    wait_until_equal(pair.primary, pair.replica)
    check_copy(pair.primary, pair.replica)


def test_a_link_that_is_cut_at_random_bytes_costs_no_entry(pair: Pair) -> None:
    chance, model = random.Random(1), Model(UNKNOWN)  # noqa: S311 - it chooses bytes
    for _ in range(ROUNDS):
        with pair.link.bad(Weather(cut_within=200_000)), Load(pair.replica, model, chance, 4) as load:
            pair.link.cut()
            load.wait_for(15, LONG_S)
        check_equal(pair)
        check_served(pair.primary, model, chance, EVERYTHING)
    assert model.unknown > 0, "no cut interrupted anything"


def test_a_stream_that_is_cut_again_and_again_arrives(pair: Pair) -> None:
    with pair.link.bad(Weather(cut_within=40_000)):
        pair.link.cut()
        root = pair.client(pair.primary)
        for _ in range(60):  # a batch has to pass whole: all that is missing has fewer bytes than pass now and then
            assert root.put(f"root/{fresh()}", {"title": "x" * 100}).status_code == 200
        wait_until_equal(pair.primary, pair.replica)
    check_equal(pair)


def test_over_a_slow_link_a_write_is_seen_at_once_where_it_was_sent(pair: Pair) -> None:
    root = pair.client(pair.replica)
    with pair.link.bad(Weather(delay_s=0.2)):
        for _ in range(3):
            name = f"root/{fresh()}"
            assert root.put(name, {}).status_code == 200
            assert root.get(name).status_code == 200
            assert root.upload(name, wheel()).status_code == 200
            assert wheel().filename in root.get(f"{name}/+simple/demo/", "text/html").text
            assert root.delete(f"{name}/{wheel().path}").status_code == 200
            assert root.get(f"{name}/{wheel().path}").status_code == 410
    check_equal(pair)


def test_over_a_narrow_link_reads_do_not_wait(pair: Pair) -> None:
    with pair.link.bad(Weather(bytes_per_s=100_000)):
        root = pair.client(pair.primary)
        for _ in range(20):
            assert root.put(f"root/{fresh()}", {"title": "x" * 10_000}).status_code == 200
        began = time.monotonic()
        assert pair.client(pair.replica).get("root/dev").status_code == 200
        assert time.monotonic() - began < 2
    check_equal(pair)


def test_without_a_link_reads_go_on_and_writes_say_why_not(pair: Pair) -> None:
    root = pair.client(pair.replica)
    with pair.link.bad(Weather(closed=True)):
        pair.link.cut()
        assert "can not be followed" in wait_for_state(pair.replica, "unreachable")["following-reason"]
        assert root.get("root/dev/+simple/", "text/html").status_code == 200
        answer = root.put(f"root/{fresh()}", {})
        assert answer.status_code == 502
        assert "the primary can not be asked" in answer.json()["message"]
        refused = root.upload("root/dev", wheel())
        assert refused.status_code == 502
        assert "the primary can not be asked" in (refused.reason or "")
    wait_for_state(pair.replica, "following")
    check_equal(pair)


@pytest.mark.long
def test_a_link_that_falls_silent_is_left(pair: Pair) -> None:
    root = pair.client(pair.replica)
    with pair.link.bad(Weather(held=True)):
        assert root.get("root/dev").status_code == 200
        state = wait_for_state(pair.replica, "unreachable", tail.SILENCE_S + LONG_S)
        assert "can not be followed" in state["following-reason"]
        pair.link.cut()  # what was held is lost, as on a link that died
    wait_for_state(pair.replica, "following", LONG_S)
    check_equal(pair)


@pytest.mark.long
def test_an_upload_into_a_link_that_falls_silent_is_given_up(pair: Pair) -> None:
    big = wheel(note="x" * 30_000_000)
    with pair.link.bad(Weather(held=True)):
        root = pair.client(pair.replica)
        answer = root.ask(
            "POST", "root/dev/", data=big.fields, files={"content": (big.filename, big.content)}, timeout=LONG_S
        )
        assert answer.status_code == 502
        pair.link.cut()
    wait_for_state(pair.replica, "following", LONG_S)
    check_equal(pair)


async def test_silence_ends_a_stream() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server(always(head)) as server, tail.open_session(silence_s=0.3) as session:
        with pytest.raises(Unavailable, match="can not be followed"):
            await first_item(session, server.url)


async def test_a_node_that_says_nothing_at_all_is_left() -> None:
    async with raw_server(always(b"")) as server, tail.open_session(silence_s=0.3) as session:
        with pytest.raises(Unavailable, match="can not be followed"):
            await first_item(session, server.url)


@pytest.mark.parametrize("answer", [b"\0\1\2\3", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"SSH-2.0-x\r\n"])
async def test_what_speaks_no_http_is_left(answer: bytes) -> None:
    async with raw_server(always(answer, close=True)) as server, tail.open_session(silence_s=5) as session:
        with pytest.raises(Unavailable, match="can not be followed"):
            await first_item(session, server.url)


async def first_item(session: aiohttp.ClientSession, url: str) -> object:
    cursor = Cursor("ledgerpi/test", Known(0, EMPTY_ROOT))
    async with asyncio.timeout(LONG_S):
        return await anext(tail.follow(session, Source(url, SHOWN), cursor))


def test_the_link_of_these_tests_forwards(pair: Pair) -> None:
    with Link(pair.primary.url) as link:
        client = pair.client(pair.primary)
        client.url = link.url
        assert client.get("+status").status_code == 200
        link.lead_to("http://127.0.0.1:1")
        with pytest.raises(OSError, match="onnection"):
            client.get("+status")
