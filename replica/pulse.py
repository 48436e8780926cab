"""Whether the primary still lives while it takes its time with an answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

PULSE_S = 10.0  # between questions, and for each answer


@asynccontextmanager
async def felt(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> AsyncIterator[None]:
    """End what happens within once the node at *url* answers nothing else either.

    A write may take long with good reason: its durability is waited for. A stopped machine keeps its connections open.

    Raises:
        TimeoutError: it gave no answer to a small question for ``PULSE_S``.
    """
    async with asyncio.timeout(None) as end:
        feeling = asyncio.ensure_future(_until_it_stops(session, URL(url + "/+api", encoded=True), headers))
        feeling.add_done_callback(lambda task: None if task.cancelled() else end.reschedule(0.0))
        try:
            yield
        finally:
            feeling.cancel()


async def _until_it_stops(session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]) -> None:
    while True:
        await asyncio.sleep(PULSE_S)
        try:
            async with asyncio.timeout(PULSE_S), session.get(url, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return
