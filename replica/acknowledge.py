"""Telling the primary what this node has: at once where copies count, else now and then."""

import asyncio
import time

import structlog

from changelog import log, promise
from changelog.codec import decode
from changelog.errors import LedgerpiError
from changelog.tables import Store
from replica.eager import Eager
from replica.membership import Membership
from server.acks import ACKS, Ack
from server.news import News

AGAIN_S = 1.0  # after one that could not be sent
SOON_S = 0.2  # where there was nothing to say yet
EVERY_S = 5.0  # where nothing changed, or where it does not count

logger = structlog.get_logger()


class Acknowledger:
    """Joins the cluster, then acknowledges."""

    def __init__(self, member: Membership, news: News, eager: Eager | None) -> None:
        """Speak by *member*; *eager* knows which files are here, None if it is not known, so that nothing counts."""
        self._member = member
        self._news = news
        self._eager = eager
        self._trouble = ""

    async def run(self) -> None:
        """Acknowledge until this is cancelled."""
        told: Ack | None = None
        while True:
            if self._eager is not None:
                self._eager.changed.clear()
            with self._member.reader.snapshot() as store:
                own = self._member.own(store)
                ack = self._ack(store, own.number)
            try:
                if not own.is_current:
                    await self._member.join()
                elif ack is not None:
                    await self._member.acknowledge(ACKS.sign(ack, self._member.cosigner))
            except LedgerpiError as error:
                self._tell(str(error))
                await asyncio.sleep(AGAIN_S)
                continue
            self._tell("")
            told = ack if own.is_current else None
            await self._change(told, at_once=own.is_voter)

    def _ack(self, store: Store, number: int) -> Ack | None:
        """Return what member *number*, 0 = none, has to say; nothing of a history that it promised to leave."""
        head = log.head(store)
        size = head.size if self._eager is None else min(self._eager.size, head.size)
        if not number or not size:
            return None
        raw = log.entry(store, size)
        epoch = head.epoch if raw is None else decode(raw, size)[1].epoch
        if promise.given(store) > epoch:
            return None
        missing = () if self._eager is None else self._eager.missing_uploads
        root = head.root if size == head.size else log.root(store, size)
        return Ack(number, epoch, size, root, missing, time.time_ns() // 1_000)

    async def _change(self, told: Ack | None, *, at_once: bool) -> None:
        """Return when there is something new to say, or it is time to say it again."""
        if told is None:  # it has just joined, or waits for a primary of the epoch that it promised
            await asyncio.sleep(SOON_S)
            return
        if not at_once or self._eager is None:
            await asyncio.sleep(EVERY_S)
            return
        try:
            async with asyncio.timeout(EVERY_S):
                await self._eager.changed.wait()
        except TimeoutError:
            return

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("nothing acknowledged", reason=trouble)
        self._trouble = trouble
