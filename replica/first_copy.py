"""The first copy of a log: in large batches, by the only process of the node, before it serves anybody."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from itertools import cycle

import aiohttp

from changelog import checkpoint, log, vouching
from changelog.copying import MAX_BATCH_BYTES, Batch
from changelog.env import Env
from changelog.errors import NotFound, Superseded, Unavailable
from changelog.fold import VIEW_TABLES
from replica import credentials, tail, word
from replica.config import ReplicaConfig
from replica.tail import Source
from replica.vouched import check_vouched
from replica.word import Word
from server.stream import cursor_of
from server.upstream.breaker import jittered

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0

Progress = Callable[[int, int], None]  # entries that are here, and entries that the log has
Trouble = Callable[[str], None]  # why it waits


async def run(config: ReplicaConfig, progress: Progress, trouble: Trouble) -> None:
    """Copy until nothing is left; the caller holds the lock. Who cannot be reached is asked again for ever.

    Raises:
        LedgerpiError: nobody can be followed, and asking again is of no use.
    """
    env = Env(config.layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
    with env.read() as store:
        shown = credentials.load(config.layout, store)
    wait_s, most = FIRST_WAIT_S / 2, MAX_BATCH_BYTES
    try:
        async with tail.open_session(config.primary_ca_file) as session:
            urls = list(dict.fromkeys([*config.primary, *shown.urls]))
            if not urls:
                raise NotFound("nobody is known to copy the log from: --primary says it")
            for url in cycle(urls):
                source = Source(url.rstrip("/"), shown)
                try:
                    await _copy(env, config, session, source, progress, most)
                except (Unavailable, Superseded) as error:  # a node that lags behind a new primary is one of these
                    trouble(str(error))
                    most = tail.next_most(most, error, copied=False)
                    wait_s = FIRST_WAIT_S if isinstance(error, tail.Amid) else min(2 * wait_s, LONGEST_WAIT_S)
                    await asyncio.sleep(jittered(wait_s, random.random))
                else:
                    return
    finally:
        env.close()


async def _copy(  # noqa: PLR0913, PLR0917 - one call
    env: Env, config: ReplicaConfig, session: aiohttp.ClientSession, source: Source, progress: Progress, most: int
) -> None:
    """Copy from one node until it has nothing more."""
    copier = source.credentials.copier(env)
    with env.read() as store:
        cursor = cursor_of(store, source.credentials.origin)
    async with aclosing(tail.follow(session, source, cursor, most=most)) as stream:
        async for item in stream:
            if isinstance(item, Batch):
                head = copier.copy(item)
                progress(head.size, max(checkpoint.claimed_size(item.note), vouching.claimed_size(item.word)))
            else:
                _finish(env, config, item)
                return


def _finish(env: Env, config: ReplicaConfig, signed: bytes) -> None:
    """Keep the primary's word that nothing is left."""
    with env.write() as store:
        vouched = check_vouched(store, signed)
        if vouched.size == log.head(store).size:
            vouching.keep(store, signed)
    config.layout.local.mkdir(mode=0o700, exist_ok=True)
    word.keep(config.word_file, Word(signed, vouched.epoch, vouched.at, time.time_ns() // 1_000))
