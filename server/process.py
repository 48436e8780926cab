"""A process of a node beside its writer and its workers, as the supervisor starts it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from server.child import Start
from server.garbage import look_seldom

Serve = Callable[[Start], Coroutine[Any, Any, None]]


def run(serve: Serve, start: Start) -> None:
    """Run *serve* when the writer has made all tables."""
    if start.may_begin():
        uvloop.run(serve(start))


async def until_death_of_parent(work: Awaitable[None], start: Start) -> None:
    """Do *work*, which never ends but by a bug, until the supervisor says that it is to end, or dies."""
    working = asyncio.ensure_future(work)
    look_seldom()
    start.tell_ready()
    ends = asyncio.ensure_future(start.death_of_parent())
    done, _ = await asyncio.wait({working, ends}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    if working in done:
        working.result()
