"""Whom to follow: the primary where one of the candidates says that it is one, else each in turn."""

import asyncio
import json

import aiohttp

from changelog.errors import InvalidForm, Unavailable
from replica.tail import Source, read_all
from server.positions import Position, parse

ASK_S = 1.0  # for an answer of all candidates
MAX_ANSWER = 64 << 10  # bytes
_TIMEOUT = aiohttp.ClientTimeout(total=ASK_S)


async def choose(session: aiohttp.ClientSession, sources: list[Source], turn: int) -> Source | None:
    """Return whom to follow; *turn* counts the tries, so that each has its turn. None if there are no candidates.

    What a node says of itself is a hint only: what it sends is verified.
    """
    if len(sources) < 2:  # noqa: PLR2004 - nothing to choose
        return sources[0] if sources else None
    answers = await asyncio.gather(*(_primary_at(session, source) for source in sources))
    primaries = [(found.epoch, -place) for place, found in enumerate(answers) if found is not None]
    if primaries and turn % 4 != 3:  # noqa: PLR2004 - one that can not be followed must not hide the others
        return sources[-max(primaries)[1]]  # of those at two addresses the first
    return sources[turn % len(sources)]


async def _primary_at(session: aiohttp.ClientSession, source: Source) -> Position | None:
    """Return the position of a node that says it is a primary."""
    try:
        async with session.get(f"{source.url}/+health", timeout=_TIMEOUT, allow_redirects=False) as answer:
            said = json.loads(await read_all(answer.content, MAX_ANSWER))
            is_primary = isinstance(said, dict) and said.get("role") == "primary"
            return parse(str(said.get("position"))) if is_primary else None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError, Unavailable, InvalidForm):
        return None
