"""The process of a replica that follows the primary: it hands what comes to the writer, and comes back for ever."""

import asyncio
import random
import time
from contextlib import aclosing, suppress

import aiohttp
import structlog

from changelog import log as changelog_log
from changelog import promise
from changelog.copying import MAX_BATCH_BYTES, Batch
from changelog.errors import Conflict, Damaged, LedgerpiError, Superseded, Unauthenticated, Unavailable
from changelog.packing import Packing
from changelog.reader import Reader
from changelog.vouching import VOUCHED
from replica import credentials, follow, rejoin, tail
from replica.choice import choose
from replica.config import ReplicaConfig, config_of
from replica.follow import Following
from replica.tail import Behind, Diverged, Source
from server.child import Start
from server.process import run, until_death_of_parent
from server.stream import HEARTBEAT_S, Cursor, cursor_of
from server.submit import Submit
from server.upstream.breaker import jittered
from server.upstream.ending import end

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
LOOK_S = 0.2  # between looks at what this node promised
MAX_REASON = 500  # characters; some tell of what others sent
SAME_WORD_S = 2.5 * HEARTBEAT_S  # with no newer word of the primary, until another node is tried

_BATCHES = Packing(Batch)

logger = structlog.get_logger()


class Follower:
    """Follows one of the candidates, the next one when that is not to be had."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Read who this node is."""
        self._config = config
        self._reader = Reader(config.layout.changelog, config.map_size)
        self._credentials = credentials.read(config.layout, self._reader)
        self._writer = Submit(config.layout.socket)
        self._path = config.following_file
        self._told = follow.NEVER
        self._copied = False  # anything came over the last connection
        self._most = MAX_BATCH_BYTES  # of a batch; fewer while links break before one is whole
        self._word = ((0, 0), 0.0)  # epoch and time of the newest word, and when it came by the loop's clock

    async def run(self) -> None:
        """Follow until this is cancelled."""
        wait_s, turn = FIRST_WAIT_S, 0
        now = asyncio.get_running_loop().time
        with suppress(OSError):  # no space: the page says what was before
            follow.write(self._path, follow.NEVER)  # what a process that ended found may no longer be so
        async with tail.open_session(self._config.primary_ca_file) as session:
            while True:
                began, self._copied = now(), False
                source = await choose(session, self._candidates(), turn)
                turn += 1
                if source is not None:
                    try:
                        await self._follow(session, source)
                    except LedgerpiError as error:
                        self._tell(Following(state_of(error), source.url, str(error)[:MAX_REASON]))
                        self._most = tail.next_most(self._most, error, copied=self._copied)
                        self._copied = self._copied or isinstance(error, tail.Amid)
                was_of_use = self._copied or now() - began > LONGEST_WAIT_S
                wait_s = FIRST_WAIT_S if was_of_use else min(wait_s * 2, LONGEST_WAIT_S)
                await asyncio.sleep(jittered(wait_s, random.random))

    def _candidates(self) -> list[Source]:
        with self._reader.snapshot() as store:
            members = credentials.urls(store, self._credentials.node_key)
        given = [url.rstrip("/") for url in self._config.primary]
        return [Source(url, self._credentials) for url in dict.fromkeys([*given, *members, *self._credentials.urls])]

    async def _follow(self, session: aiohttp.ClientSession, source: Source) -> None:
        with self._reader.snapshot() as store:
            cursor = cursor_of(store, self._credentials.origin)
        self._word = (self._word[0], asyncio.get_running_loop().time())
        taking = asyncio.ensure_future(self._take(session, source, cursor))
        promising = asyncio.ensure_future(self._promise())
        try:
            await asyncio.wait({taking, promising}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                raise Superseded("this node has promised to follow nobody of this epoch")
            taking.result()
        except (Behind, Diverged) as error:
            await self._leave(error.answer)
            raise
        finally:
            await end([taking, promising])

    async def _promise(self) -> None:
        """Return when this node promises another epoch than it had when it began to follow."""
        before = self._promised()
        while self._promised() == before:  # noqa: ASYNC110 - another process promises
            await asyncio.sleep(LOOK_S)

    def _promised(self) -> int:
        with self._reader.snapshot() as store:
            return promise.given(store)

    async def _take(self, session: aiohttp.ClientSession, source: Source, cursor: Cursor) -> None:
        async with aclosing(tail.follow(session, source, cursor, most=self._most)) as stream:
            async for item in stream:
                if isinstance(item, Batch):
                    await self._copy(item)
                    self._copied = True
                else:
                    await self._writer.ask("alive", item)
                    self._check_word(source, item)
                self._tell(Following(follow.FOLLOWING, source.url))

    def _check_word(self, source: Source, signed: bytes) -> None:
        """Raise Unavailable if the words that come are old ones: who sends them hears of no primary itself."""
        word, now = VOUCHED.claimed(signed), asyncio.get_running_loop().time()
        if (word.epoch, word.at) > self._word[0]:
            self._word = ((word.epoch, word.at), now)
        elif now > self._word[1] + SAME_WORD_S:
            raise Unavailable(f"{source.url} hears of no primary since {time.ctime(word.at / 1e6)}")

    async def _leave(self, answer: bytes) -> None:
        """Leave a history that a new primary did not take over: the writer sees to it that nothing is lost."""
        with self._reader.snapshot() as store:
            fork = rejoin.fork(store, answer)
            size = changelog_log.head(store).size
        if fork is not None:
            logger.warning("entries are stranded", first=fork.after + 1, last=size)
            await self._writer.ask("strand", answer)

    async def _copy(self, batch: Batch) -> None:
        try:
            await self._writer.ask("copy", *_BATCHES.plain(batch))
        except Superseded:
            raise
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
        (Superseded, follow.SUPERSEDED),
        (Damaged, follow.FORGED),
        (Unauthenticated, follow.REFUSED),
        (Conflict, follow.REFUSED),
    )
    return next((state for kind, state in kinds if isinstance(error, kind)), follow.UNREACHABLE)


async def serve(start: Start) -> None:
    """Follow until the supervisor says that this is to end, or dies."""
    await until_death_of_parent(Follower(config_of(start)).run(), start)


def main(start: Start) -> None:
    """Run the process."""
    run(serve, start)
