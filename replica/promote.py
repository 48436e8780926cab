"""Becoming the primary (``docs/design/promotion.md``): promises, the newest history, then an epoch of its own."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Protocol

import aiohttp
from attrs import frozen

from changelog import log
from changelog.copying import Batch
from changelog.errors import Conflict, Refused, Unavailable
from changelog.packing import Packing
from changelog.reader import Reader
from changelog.views import cluster, voting
from changelog.views.cluster import MEMBER_BITS, epoch_of, shown_epoch
from changelog.views.voting import lacking
from replica import tail
from replica.credentials import Credentials
from replica.peers import Peer, Peers
from replica.tail import Diverged, Source
from server.ballots import ANSWERS, ASKS, Answer, Ask
from server.stream import cursor_of

PLAN_S = 1.5  # for an answer to where a member is
ANSWER_S = 3.0  # for a promise
MORE_S = 0.3  # for further promises, when there are enough

_BATCHES = Packing(Batch)


class Desk(Protocol):
    """The node's own writer, or what stands in for it while the node does not run."""

    async def ask(self, kind: str, *items: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as the writer's messages
        """Return the answer to a message."""


@frozen
class Plan:
    """Who would answer, and what would be taken over."""

    own: Answer
    answers: Mapping[int, Answer]  # by number, this node's own among them
    silent: Mapping[int, str]  # name of who does not answer, and why
    names: Mapping[int, str]
    missing: tuple[str, ...]  # what is lacking for a promotion that loses nothing

    @property
    def best(self) -> Answer:
        """The newest history: newest last epoch, then largest size."""
        return max(self.answers.values(), key=lambda answer: (answer.epoch, answer.size))

    @property
    def epoch(self) -> int:
        """The epoch to ask for: above every one that was seen."""
        seen = max(max(answer.promised, answer.epoch) for answer in self.answers.values())
        return epoch_of((seen >> MEMBER_BITS) + 1, self.own.member)


class Candidate:
    """A member that is to become the primary."""

    def __init__(self, desk: Desk, reader: Reader, session: aiohttp.ClientSession, shown: Credentials) -> None:
        """Act for the node with *desk* and *reader*, as *shown*."""
        self._desk = desk
        self._reader = reader
        self._session = session
        self._shown = shown
        self._peers = Peers(reader, session, shown)

    async def plan(self) -> Plan:
        """Ask all members where they are, without a promise.

        Raises:
            Refused: this node may not become the primary.
        """
        (signed,) = await self._desk.ask("position")
        if not signed:
            raise Refused("this node is no member of the cluster")
        own = ANSWERS.claimed(signed)
        with self._reader.snapshot() as store:
            row = cluster.member(store, own.member)
        if row is None or not row.may_promote:
            raise Refused(f"member {own.member} may not become the primary: it was not enrolled with --may-promote")
        others = self._peers.others(own.member)
        found = await asyncio.gather(*(self._peers.position(peer, PLAN_S) for peer in others), return_exceptions=True)
        answers = {own.member: own}
        silent = {}
        for peer, result in zip(others, found, strict=True):
            if isinstance(result, Unavailable):
                silent[peer.number] = str(result)
            elif isinstance(result, BaseException):
                raise result
            elif peer.is_voter:
                answers[peer.number] = result[0]
        return self._plan(own, answers, silent)

    async def promote(self, plan: Plan, *, accept_loss: bool) -> str:
        """Become the primary of a new epoch and return the epoch as people read it.

        Raises:
            Refused: what was acknowledged could be lost, and *accept_loss* was not said.
            Conflict: a member saw a higher epoch meanwhile, or this node's history is another one.
            Unavailable: the history that is to be taken over can not be copied.
        """
        if plan.missing and not accept_loss:
            raise Refused(_refusal(plan))
        epoch = plan.epoch
        ask = ASKS.sign(Ask(plan.own.member, epoch, time.time_ns() // 1_000), self._shown.node_key)
        (signed,) = await self._desk.ask("promise", ask)
        own = ANSWERS.claimed(signed)
        answered = await self._answered(own, ask)
        if answered.missing and not accept_loss:
            raise Refused(_refusal(answered))
        loss = None
        if answered.missing:
            loss = (tuple(sorted(answered.answers)), tuple(sorted(self._voters() - answered.answers.keys())))
        best = answered.best
        await self._desk.ask("take over", epoch, best.epoch, best.size, best.root, loss)
        return shown_epoch(epoch)

    async def _answered(self, own: Answer, ask: bytes) -> Plan:
        """Gather promises and copy the best history, until there are enough by the settings of that very history."""
        answers, silent, count = {own.member: own}, dict[int, str](), 0
        answered = self._plan(own, answers, silent)
        while len(answers) > count:
            count = len(answers)
            await self._copy(await self._promised(own, ask, answers, silent))
            answered = self._plan(own, answers, silent)
            if not answered.missing:
                break
        return answered

    async def _promised(self, own: Answer, ask: bytes, answers: dict[int, Answer], silent: dict[int, str]) -> Plan:
        """Ask all who have not answered yet for the promise; when enough have, the others are waited for no longer."""
        asked = {
            asyncio.ensure_future(self._peers.promise(peer, ask, ANSWER_S)): peer
            for peer in self._peers.others(own.member)
            if peer.number not in answers
        }
        waiting, timeout_s = set(asked), ANSWER_S
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                peer, error = asked[task], task.exception()
                if isinstance(error, Unavailable):
                    silent[peer.number] = str(error)
                elif peer.is_voter and task.result().promised == own.promised:
                    answers[peer.number] = task.result()
            if not done:
                break
            if not self._plan(own, answers, silent).missing:
                timeout_s = MORE_S
        for task in waiting:
            task.cancel()
            silent.setdefault(asked[task].number, f"{asked[task].name} gives no answer yet")
        return self._plan(own, answers, silent)

    def _plan(self, own: Answer, answers: dict[int, Answer], silent: dict[int, str]) -> Plan:
        with self._reader.snapshot() as store:
            now = voting.find(store)
            names = {number: row.name for number, row in cluster.members(store)}
        missing = tuple(
            f"{count} more of the voters {', '.join(names.get(number, str(number)) for number in setting.voters)} "
            f"have to answer, of whom {setting.answers} are needed as writes are held by {setting.replicas} besides "
            f"the primary"
            for setting, count in lacking(now, answers)
        )
        return Plan(own, answers, silent, names, missing)

    def _voters(self) -> set[int]:
        with self._reader.snapshot() as store:
            return {number for setting in voting.find(store).settings for number in setting.voters}

    async def _copy(self, plan: Plan) -> None:
        """Copy exactly what the best answer says, if this node has less.

        Raises:
            Conflict: this node has entries that are not in that history.
        """
        best = plan.best
        with self._reader.snapshot() as store:
            head = log.head(store)
        if (head.epoch, head.size) >= (best.epoch, best.size):
            return
        peer = next(peer for peer in self._peers.others(plan.own.member) if peer.number == best.member)
        if head.size >= best.size:
            raise Conflict(f"this node has entries that {peer.name} has not; let it follow that one first")
        await self._copy_from(peer, best)

    async def _copy_from(self, peer: Peer, best: Answer) -> None:
        with self._reader.snapshot() as store:
            cursor = cursor_of(store, self._shown.origin)
        size = cursor.at.size
        try:
            async with aclosing(tail.follow(self._session, Source(peer.url, self._shown), cursor, best.size)) as stream:
                async for batch in stream:
                    if isinstance(batch, Batch):
                        await self._desk.ask("copy exactly", best.size, best.root, *_BATCHES.plain(batch))
                        size = batch.last
        except Diverged as error:
            raise Conflict(f"this node has entries that {peer.name} has not; let it follow that one first") from error
        except Unavailable:
            if size < best.size:
                raise


def _refusal(plan: Plan) -> str:
    silent = "; ".join(plan.silent.values())
    why = "; ".join(plan.missing)
    told = f"{why} ({silent})" if silent else why
    return f"what was acknowledged could be lost: {told}; --accept-loss does it all the same"
