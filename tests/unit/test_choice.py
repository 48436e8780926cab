"""Whom a replica follows: who says that it is the primary of the newest epoch, and else each in turn."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from replica.choice import choose
from replica.credentials import Credentials
from replica.tail import Source
from tests.nodes import LOG_KEY, ORIGIN, PUBLIC

SHOWN = Credentials("eu-1", ORIGIN, PUBLIC, None, 2, "", (), LOG_KEY)
NOBODY = "http://127.0.0.1:9"  # discard: nothing listens there


def health(role: str, position: str) -> bytes:
    return json.dumps({"role": role, "position": position}).encode()


@asynccontextmanager
async def saying(body: bytes, status: int = 200) -> AsyncIterator[str]:
    """Yield the URL of a node that answers its health route like this."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == "/+health"
        return web.Response(body=body, status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def chosen(turns: range, *bodies: bytes | None) -> list[int | None]:
    """Return the place of who is chosen in each turn; None among *bodies* is a node that is away."""
    async with AsyncExitStack() as nodes, aiohttp.ClientSession() as session:
        urls = [NOBODY if body is None else await nodes.enter_async_context(saying(body)) for body in bodies]
        sources = [Source(url, SHOWN) for url in urls]
        found = [await choose(session, sources, turn) for turn in turns]
        return [None if source is None else sources.index(source) for source in found]


async def test_nobody_is_chosen_among_none() -> None:
    assert await chosen(range(2)) == [None, None]


async def test_the_only_candidate_is_chosen_unasked() -> None:
    assert await chosen(range(3), None) == [0, 0, 0]


async def test_a_primary_is_chosen_before_replicas() -> None:
    assert await chosen(range(3), health("replica", "1.1:9"), health("primary", "1.1:7")) == [1, 1, 1]


async def test_the_primary_of_the_newest_epoch_is_chosen() -> None:
    old, new = health("primary", "1.1:900"), health("primary", "2.3:7")
    assert await chosen(range(3), old, new, None) == [1, 1, 1]
    assert await chosen(range(3), new, old) == [0, 0, 0]


async def test_every_fourth_turn_another_one_has_a_chance() -> None:
    places = await chosen(range(16), health("primary", "1.1:9"), None, health("replica", "1.1:9"))
    assert [place for place in places if place is not None][3::4] == [0, 1, 2, 0]


async def test_without_a_primary_each_has_its_turn() -> None:
    replica = health("replica", "1.1:9")
    assert await chosen(range(4), replica, replica, None) == [0, 1, 2, 0]


NO_ANSWERS = (
    b"",
    b"no json",
    b"[]",
    b"7",
    b'{"role": "primary"}',
    b'{"role": "primary", "position": "x"}',
    b"[" * 60_000,
    b'{"role": "primary", "position": "9.1:1", "x": "' + b"x" * 70_000 + b'"}',
)


@pytest.mark.parametrize("body", NO_ANSWERS, ids=range(len(NO_ANSWERS)))
async def test_what_is_no_answer_makes_nobody_a_primary(body: bytes) -> None:
    assert await chosen(range(3), body, health("primary", "1.1:7")) == [1, 1, 1]
