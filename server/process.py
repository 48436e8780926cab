"""A process of a node beside its writer and its workers, as the supervisor starts it."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from server.garbage import look_seldom
from server.logs import configure_logs
from server.wire import death_of_parent, tell_ready

Serve = Callable[[dict[str, Any], int], Coroutine[Any, Any, None]]


def run(serve: Serve, *, waits: bool = True) -> None:
    """Run *serve* with the configuration and the supervisor's pipe, which are arguments.

    It *waits* until the writer has made all tables, unless it stands in for that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    configure_logs()
    if (
        waits and not sys.stdin.buffer.read()
    ):  # the supervisor says when the writer has made all tables; it died instead
        return
    uvloop.run(serve(json.loads(sys.argv[1]), int(sys.argv[2])))


async def until_death_of_parent(work: Awaitable[None], parent: int) -> None:
    """Do *work*, which never ends but by a bug, until the supervisor's end of the pipe *parent* is closed."""
    working = asyncio.ensure_future(work)
    look_seldom()
    tell_ready()  # the supervisor reads this
    ends = asyncio.ensure_future(death_of_parent(parent))
    done, _ = await asyncio.wait({working, ends}, return_when=asyncio.FIRST_COMPLETED)
    working.cancel()
    if working in done:
        working.result()
