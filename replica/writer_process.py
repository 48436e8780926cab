"""The writer of a replica: it appends what another node has, and decides nothing."""

import json
import signal
import sys
import time

import uvloop

from changelog import log
from changelog.copying import Batch, Copier, Known
from changelog.env import Env
from changelog.errors import InvalidProof, Refused, Unavailable
from changelog.packing import Packing
from changelog.tables import Store
from changelog.views import cluster
from replica import word
from replica.config import ReplicaConfig
from replica.create import read_token
from replica.word import Word
from server import vouching
from server.logs import configure_logs
from server.replica_token import ReplicaToken
from server.vouching import Vouched
from server.writer_process import lock, serve
from server.writer_service import Answer, WriterService

_BATCHES = Packing(Batch)


def copier_for(env: Env, token: ReplicaToken) -> Copier:
    """Return what copies the log that *token* is for."""
    return Copier(env, token.origin, token.log_key, (Known(token.size, token.root),))


class ReplicaService(WriterService):
    """Copies entries for the process that follows the primary."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Open everything; the caller holds the lock."""
        super().__init__(config)
        self._copier = copier_for(self.env, read_token(config.layout))
        self.answers |= {
            "copy": self._copy,
            "alive": self._alive,
            "vouch": self._vouch,
            "commit": self._refuse,
            "login": self._refuse,
            "token": self._refuse,
        }

    async def _copy(self, *fields: object) -> Answer:
        """Append a batch and return the size of the log."""
        head = self._copier.copy(_BATCHES.value(fields))
        self.tell_watchers()
        return (head.size,)

    async def _alive(self, signed: bytes) -> Answer:
        """Keep the primary's word for a head that this log has, and return when it was given."""
        with self.env.write() as store:
            vouched = check_vouched(store, signed)
            word.keep(store, Word(signed, vouched.at, time.time_ns() // 1_000))
        return (vouched.at,)

    async def _vouch(self) -> Answer:
        """Return the primary's newest word, for replicas of this replica."""
        with self.env.read() as store:
            newest = word.find(store)
        if newest is None:
            raise Unavailable("no primary has vouched for a head of this log yet")
        return (newest.signed,)

    @staticmethod
    async def _refuse(*_: object) -> Answer:
        raise Refused("this node is a replica: its primary has to decide")


def check_vouched(store: Store, signed: bytes) -> Vouched:
    """Return what a primary says of its head, if this log has that head.

    Raises:
        InvalidProof: no member signed it, or this log has another root there.
    """
    keys = {number: member.node_key for number, member in cluster.members(store)}
    vouched = vouching.verify(signed, keys.get)
    if vouched.size > log.head(store).size:
        raise InvalidProof(f"the word is for {vouched.size} entries, which are not here yet")
    if log.root(store, vouched.size) != vouched.root:
        raise InvalidProof(f"the primary vouches for another history of {vouched.size} entries")
    return vouched


async def _serve(config: ReplicaConfig, parent: int) -> None:
    await serve(ReplicaService(config), parent)


def main() -> None:
    """Run as a child of the supervisor: configuration and pipe are arguments."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when to end
    configure_logs()
    config = ReplicaConfig(**json.loads(sys.argv[1]))
    held = lock(config.layout)
    uvloop.run(_serve(config, int(sys.argv[2])))
    held.close()


if __name__ == "__main__":
    main()
