"""The writer of a replica: it appends what another node has, and decides nothing."""

import os
import time
from contextlib import suppress

from attrs import evolve

from changelog import log, vouching
from changelog.codec import Event
from changelog.copying import Batch, Known
from changelog.errors import NotPrimary, Unavailable
from changelog.events.cluster import (
    DurabilitySet,
    LossAccepted,
    MemberRemoved,
    MembersSettled,
    PrimaryChanged,
    ReplicaRevoked,
)
from changelog.packing import Packing
from changelog.views import cluster
from changelog.views.cluster import member_of
from changelog.writer import Keys, Writer
from replica import credentials, rejoin, word
from replica.config import ReplicaConfig, config_of
from replica.vouched import check_vouched
from replica.word import Word
from server import keys, roles
from server.child import Start
from server.writer_process import now, run
from server.writer_service import Reply, WriterService

_BATCHES = Packing(Batch)


class ReplicaService(WriterService):
    """Copies entries for the process that follows the primary."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Open everything; the caller holds the lock."""
        super().__init__(config)
        self._config = config
        self._word_file = config.word_file
        config.layout.local.mkdir(mode=0o700, exist_ok=True)
        with self.env.read() as store:
            self._copier = credentials.load(config.layout, store).copier(self.env)
        self.answers |= {
            "copy": self._copy,
            "copy exactly": self._copy_exactly,
            "take over": self._take_over,
            "strand": self._strand,
            "alive": self._alive,
            "vouch": self._vouch,
            "commit": self._refuse,
            "login": self._refuse,
            "token": self._refuse,
            "ack": self._refuse,
            "join": self._refuse,
            "members": self._no_members,
        }

    async def _copy(self, *fields: object) -> Reply:
        """Append a batch and return the size of the log."""
        head = self._copier.copy(_BATCHES.value(fields))
        self.tell_watchers()
        return (head.size,)

    async def _copy_exactly(self, size: int, root: bytes, *fields: object) -> Reply:
        """Append a batch of the history that has *root* at *size*, as a member said, and return the size of the log."""
        head = self._copier.copy(_BATCHES.value(fields), exactly=Known(size, root))
        self.tell_watchers()
        return (head.size,)

    async def _take_over(
        self, epoch: int, last_epoch: int, size: int, root: bytes, loss: tuple[tuple[int, ...], tuple[int, ...]] | None
    ) -> Reply:
        """Begin *epoch* as the primary behind that head; *loss* names who answered and who did not, if it may be lost.

        Raises:
            Conflict: the log does not end there, or a later epoch was promised.
            Damaged: the log's key is missing.
        """
        keyring = self.config.layout.keys
        events: list[Event] = [PrimaryChanged(member_of(epoch), last_epoch, size, root)]
        with self.env.read() as store:
            origin = cluster.origin(store)
        if loss is None:
            signing = keys.signing(keyring, origin.log_key)
        else:
            signing = Keys(keys.renew(keyring, keys.NEXT_LOG_KEY), self.node_key)
            under = cluster.origin_under(origin.origin, epoch)
            events += [LossAccepted(under, keys.public(signing.log), *loss), *self._alone(member_of(epoch))]
        head = evolve(log.EMPTY, epoch=last_epoch, size=size, root=root)
        Writer(self.env, self.blobs, signing, now).take_over(head, epoch, events)
        keys.signing(keyring, keys.public(signing.log))  # brings the new key to its place
        self.config.layout.opened.touch()
        self.tell_watchers()
        self.on_role_change()
        return ()

    def _alone(self, own: int) -> list[Event]:
        """Return what leaves member *own* the only one: the others come back by their operator's word, with a token."""
        with self.env.read() as store:
            others = [(number, row) for number, row in cluster.members(store) if number != own and not row.until]
            row = cluster.member(store, own)
            name = "" if row is None else row.name
            tokens = [other for other, enrolled in cluster.replicas(store) if other != name and not enrolled.until]
        removed = [MemberRemoved(number) for number, _ in others]
        return [*removed, *map(ReplicaRevoked, tokens), DurabilitySet(0), MembersSettled()]

    async def _strand(self, answer: bytes) -> Reply:
        """Leave the entries that no primary has, as the signed *answer* of a voter shows; this process ends then."""
        with self.env.read() as store:
            found = rejoin.fork(store, answer)
            if found is not None:
                rejoin.leave(self._config, store, found)
        if found is not None:
            self.closed = True
            self.on_role_change()
        return ()

    async def _alive(self, signed: bytes) -> Reply:
        """Keep the primary's word for a head that this log has, and return when it was given."""
        with self.env.read() as store:
            vouched = check_vouched(store, signed)
        with suppress(OSError):  # no space: the copy looks older than it is
            word.keep(self._word_file, Word(signed, vouched.epoch, vouched.at, time.time_ns() // 1_000))
        return (vouched.at,)

    async def _vouch(self) -> Reply:
        """Return the primary's newest word, for replicas of this replica."""
        newest = word.find(self._word_file)
        if newest is None:
            raise Unavailable("no primary has vouched for a head of this log yet")
        return (newest.signed,)

    @staticmethod
    async def _no_members() -> Reply:
        return ([],)

    @staticmethod
    async def _refuse(*_: object) -> Reply:
        raise NotPrimary("this node is a replica: its primary has to decide")


def make(start: Start) -> ReplicaService:
    """Return the service of a node, whose log may have been left a moment ago."""
    config = config_of(start)
    rejoin.finish(config.layout)
    service = ReplicaService(config)
    with service.env.read() as store:
        has_no_copy = not vouching.find(store)
    if has_no_copy:
        os._exit(roles.CHANGED)  # the log is copied first, by another process
    return service


def main(start: Start) -> None:
    """Run the writer of a replica."""
    run(make, start)
