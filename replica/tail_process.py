"""The process of a replica that follows the primary: it hands what comes to the writer, and comes back for ever."""

import asyncio
import json
import random
import signal
import sys
from contextlib import aclosing, suppress
from itertools import cycle

import aiohttp
import structlog
import uvloop

from changelog.copying import Batch
from changelog.errors import Conflict, Damaged, LedgerpiError, Unauthenticated, Unavailable
from changelog.packing import Packing
from changelog.reader import Reader
from replica import follow, tail
from replica.config import ReplicaConfig
from replica.create import read_token
from replica.follow import Following
from replica.tail import Behind, Diverged, Source
from server.garbage import look_seldom
from server.logs import configure_logs
from server.stream import cursor_of
from server.submit import Submit
from server.upstream.breaker import jittered
from server.wire import death_of_parent, tell_ready

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
MAX_REASON = 500  # characters; some tell of what others sent

_BATCHES = Packing(Batch)

logger = structlog.get_logger()


class Follower:
    """Follows one of the candidates, the next one when that is not to be had."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Read the token."""
        self._config = config
        self._token = read_token(config.layout)
        self._reader = Reader(config.layout.changelog, config.map_size)
        self._writer = Submit(config.layout.socket)
        self._path = config.following_file
        self._told = follow.NEVER
        self._copied = False  # anything since the last connection was made

    async def run(self) -> None:
        """Follow until this is cancelled."""
        wait_s = FIRST_WAIT_S
        with suppress(OSError):  # no space: the page says what was before
            follow.write(self._path, follow.NEVER)  # what a process that ended found may no longer be so
        async with tail.open_session(self._config.primary_ca_file) as session:
            for url in cycle(self._config.primary):
                began, self._copied = asyncio.get_running_loop().time(), False
                source = Source(url.rstrip("/"), self._token.text)
                try:
                    await self._follow(session, source)
                except LedgerpiError as error:
                    self._tell(Following(state_of(error), source.url, str(error)[:MAX_REASON]))
                was_of_use = self._copied or asyncio.get_running_loop().time() - began > LONGEST_WAIT_S
                wait_s = FIRST_WAIT_S if was_of_use else min(wait_s * 2, LONGEST_WAIT_S)
                await asyncio.sleep(jittered(wait_s, random.random))

    async def _follow(self, session: aiohttp.ClientSession, source: Source) -> None:
        with self._reader.snapshot() as store:
            cursor = cursor_of(store, self._token.origin)
        async with aclosing(tail.follow(session, source, cursor)) as stream:
            async for item in stream:
                if isinstance(item, Batch):
                    await self._copy(item)
                    self._copied = True
                else:
                    await self._writer.ask("alive", item)
                self._tell(Following(follow.FOLLOWING, source.url))

    async def _copy(self, batch: Batch) -> None:
        try:
            await self._writer.ask("copy", *_BATCHES.plain(batch))
        except Conflict as error:  # what a process of this kind that died had handed over was copied meanwhile
            raise Unavailable(f"the log has grown meanwhile: {error}") from error

    def _tell(self, now: Following) -> None:
        """Log and write down a change."""
        before = self._told
        if (before.state, before.primary, before.reason) == (now.state, now.primary, now.reason):
            return
        log = logger.info if now.state == follow.FOLLOWING else logger.warning
        log("following", state=now.state, primary=now.primary, reason=now.reason)
        with suppress(OSError):  # no space: the next word tries again
            follow.write(self._path, now)
            self._told = now


def state_of(error: LedgerpiError) -> str:
    """Return the word for why a node can not be followed."""
    kinds: tuple[tuple[type[LedgerpiError], str], ...] = (
        (Behind, follow.BEHIND),
        (Diverged, follow.DIVERGED),
        (Damaged, follow.FORGED),
        (Unauthenticated, follow.REFUSED),
        (Conflict, follow.REFUSED),
    )
    return next((state for kind, state in kinds if isinstance(error, kind)), follow.UNREACHABLE)


async def serve(config: ReplicaConfig, parent: int) -> None:
    """Follow until the supervisor's end of the pipe *parent* is closed."""
    following = asyncio.ensure_future(Follower(config).run())
    look_seldom()
    tell_ready()  # the supervisor reads this
    ends = asyncio.ensure_future(death_of_parent(parent))
    done, _ = await asyncio.wait({following, ends}, return_when=asyncio.FIRST_COMPLETED)
    following.cancel()
    if following in done:
        following.result()


def main() -> None:
    """Run as a child of the supervisor: configuration and pipe are arguments."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    configure_logs()
    config = ReplicaConfig(**json.loads(sys.argv[1]))
    if not sys.stdin.buffer.read():  # the supervisor says when the writer has made all tables; it died instead
        return
    uvloop.run(serve(config, int(sys.argv[2])))


if __name__ == "__main__":
    main()
