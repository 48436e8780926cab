"""Acknowledgements: what voters say that they have, and the answers that wait for it."""

import asyncio
from collections.abc import Callable, Collection, Iterator

from attrs import define, frozen

from changelog.signing import Signing
from changelog.views.cluster import member_of
from changelog.views.voting import Voting, held_size, is_held


@frozen
class Ack:
    """A member has the log up to here, durably, and all upload blobs that it names but these."""

    member: int
    epoch: int  # of the last entry
    size: int
    root: bytes  # 32 bytes
    missing: tuple[bytes, ...]  # SHA-256 of upload blobs that are not here
    at: int  # microseconds since 1970


ACKS = Signing(Ack, "acknowledgement", "the acknowledgement")  # signed with the cosigner key


@define(eq=False)
class Waiting:
    """An answer that waits until enough voters have an entry and the blobs that it names."""

    serial: int
    digests: frozenset[bytes]
    replicas: int
    send: Callable[[Collection[int] | None], None]  # with the members who have it, None = all that are wanted
    timer: asyncio.TimerHandle | None = None


class Acks:
    """What this primary heard in its epoch; in the writer's memory alone, for voters say it again."""

    def __init__(self, epoch: int) -> None:
        """Count for the primary of *epoch*; what is of another one counts for nothing."""
        self._epoch = epoch
        self._primary = member_of(epoch)
        self._newest: dict[int, Ack] = {}
        self._waiting: list[Waiting] = []

    @property
    def newest(self) -> Iterator[Ack]:
        """The newest acknowledgement of each member."""
        yield from self._newest.values()

    def take(self, ack: Ack) -> bool:
        """Note *ack* unless a newer one came; return whether it was noted."""
        before = self._newest.get(ack.member)
        if before is not None and (before.epoch, before.size, before.at) >= (ack.epoch, ack.size, ack.at):
            return False
        self._newest[ack.member] = ack
        return True

    def held(self, voting: Voting, own: int) -> int:
        """Return how many of the *own* entries are held as the settings want."""
        return held_size(voting, self._primary, {ack.member: ack.size for ack in self._counting()}, own)

    def is_held(self, voting: Voting, serial: int, digests: Collection[bytes], replicas: int) -> bool:
        """Return whether enough voters have an entry and the blobs with *digests*."""
        return is_held(voting, self._primary, self._holders(serial, digests), replicas)

    def wait(self, waiting: Waiting, timeout_s: float) -> None:
        """Let an answer wait, for *timeout_s* seconds at most."""
        self._waiting.append(waiting)
        waiting.timer = asyncio.get_running_loop().call_later(timeout_s, self._give_up, waiting)

    def release(self, voting: Voting) -> None:
        """Send the answers that need not wait any more."""
        for waiting in list(self._waiting):
            if self.is_held(voting, waiting.serial, waiting.digests, waiting.replicas):
                self._end(waiting, None)

    def give_up(self) -> None:
        """Send all answers: nobody will say more."""
        for waiting in list(self._waiting):
            self._give_up(waiting)

    def _counting(self) -> Iterator[Ack]:
        return (ack for ack in self._newest.values() if ack.epoch == self._epoch)

    def _give_up(self, waiting: Waiting) -> None:
        self._end(waiting, self._holders(waiting.serial, waiting.digests))

    def _end(self, waiting: Waiting, holders: Collection[int] | None) -> None:
        self._waiting.remove(waiting)
        if waiting.timer is not None:
            waiting.timer.cancel()
        waiting.send(holders)

    def _holders(self, serial: int, digests: Collection[bytes]) -> set[int]:
        return {
            ack.member
            for ack in self._counting()
            if ack.size >= serial and not any(digest in ack.missing for digest in digests)
        }
