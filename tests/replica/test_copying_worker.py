"""A node that has no log to serve says so at once."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from replica import copying_worker
from server.child import Start
from server.config import Config
from server.counts import shared_counts


@pytest.fixture
def start(tmp_path: Path) -> Iterator[tuple[Start, int]]:
    """What such a worker gets, and the supervisor's end of its pipe."""
    pipes = [os.pipe(), os.pipe()]
    counts = shared_counts(1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        (parent, ours), (_, ready) = pipes
        yield Start(Config(tmp_path), "worker-0", 0, listening, counts, parent, ready=ready), ours
    for descriptor in (counts, pipes[0][0], *pipes[1]):
        os.close(descriptor)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "root/dev/+simple/led/"), ("GET", "+health/replica"), ("POST", "root/dev/"), ("PUT", "u")],
)
async def test_every_request_is_503_until_the_log_is_here(start: tuple[Start, int], method: str, path: str) -> None:
    given, ours = start
    serving = asyncio.ensure_future(copying_worker.serve(given))
    url = f"http://127.0.0.1:{given.listening.getsockname()[1]}/{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        assert "copies the log" in await answer.text()
    os.close(ours)
    await asyncio.wait_for(serving, 5)
