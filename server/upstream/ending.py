"""Ending tasks before what they use is closed: else that would look to them as if their upstream broke off."""

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel *tasks* and wait until they have ended; what they raise meanwhile is nobody's any more."""
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
