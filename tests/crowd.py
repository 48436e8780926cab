"""Many clients that ask a node at the same time; each takes what it gets and never asks twice."""

import asyncio
import time
from collections.abc import Iterable, Sequence

import aiohttp
from attrs import frozen

PATIENCE_S = 60.0  # longer than any answer may take
CONNECT_S = 20.0


@frozen
class Got:
    """What one request brought."""

    url: str
    status: int  # 0: no answer
    body: bytes
    is_whole: bool  # False: the connection ended before the body did
    took_s: float

    @property
    def is_cut(self) -> bool:
        """Whether the client knows from the connection alone that something went wrong."""
        return not self.status or not self.is_whole


async def crowd(clients: Iterable[Sequence[str]], accept: str = "*/*", range_: str = "") -> list[Got]:
    """Have each client get its URLs one after the other, all clients at once, and return all that came.

    *range_* is the header of that name, "" = none.
    """
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S, sock_connect=CONNECT_S)
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Accept": accept} | ({"Range": range_} if range_ else {})
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers, trust_env=False) as session:
        got = await asyncio.gather(*(_one_after_the_other(session, urls) for urls in clients))
    return [one for ones in got for one in ones]


async def _one_after_the_other(session: aiohttp.ClientSession, urls: Sequence[str]) -> list[Got]:
    return [await _get(session, url) for url in urls]


async def _get(session: aiohttp.ClientSession, url: str) -> Got:
    began, status, body, is_whole = time.monotonic(), 0, bytearray(), False
    try:
        async with session.get(url) as answer:
            status = answer.status
            async for piece in answer.content.iter_any():
                body += piece
            is_whole = True
    except (aiohttp.ClientError, OSError):  # TimeoutError is one: it took too long, as *took_s* tells
        pass
    return Got(url, status, bytes(body), is_whole, time.monotonic() - began)
