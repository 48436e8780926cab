"""The process of a primary that asks other members whether one took over, first of all when the node starts."""

import asyncio

import structlog

from changelog.errors import LedgerpiError, Unavailable
from changelog.reader import Reader
from changelog.views import cluster, voting
from changelog.views.voting import is_held
from replica import credentials
from replica.config import ReplicaConfig, config_of
from replica.membership import where
from replica.peers import Left, Peer, Peers
from replica.tail import open_session
from server import keys
from server.child import Start
from server.process import run, until_death_of_parent
from server.submit import Submit

EVERY_S = 2.0  # between two rounds
ANSWER_S = 2.0  # for an answer

logger = structlog.get_logger()


class Watch:
    """Asks, and tells the writer: whether it may take writes, and of an epoch above its own."""

    def __init__(self, config: ReplicaConfig, reader: Reader, writer: Submit, peers: Peers, own: int) -> None:
        """Ask *peers* as member *own*."""
        self._config = config
        self._reader = reader
        self._writer = writer
        self._peers = peers
        self._own = own
        self._told = False

    async def run(self) -> None:
        """Ask until this is cancelled."""
        while True:
            try:
                await self._round()
            except LedgerpiError as error:
                logger.warning("members not asked", reason=str(error))
            await asyncio.sleep(EVERY_S)

    async def _round(self) -> None:
        heard: set[int] = set()
        voters = [peer for peer in self._peers.others(self._own) if peer.is_voter and peer.url]
        for asked in asyncio.as_completed([self._ask(peer) for peer in voters]):
            heard.add(await asked)
            if self._is_enough(heard):
                await self._writer.ask("open")
        if not self._needed():  # nobody could take over without this node but by an operator's word
            await self._writer.ask("open")
        if not self._told:
            await self._tell_where()

    async def _ask(self, peer: Peer) -> int:
        """Return the number of *peer* if it answers, else 0."""
        try:
            _, signed = await self._peers.position(peer, ANSWER_S)
        except Left as left:
            await self._writer.ask("left", str(left))
            return 0
        except Unavailable:
            return 0
        await self._writer.ask("learn", signed)
        return peer.number

    def _needed(self) -> int:
        with self._reader.snapshot() as store:
            return voting.required(store)

    def _is_enough(self, heard: set[int]) -> bool:
        """Return whether so many voters were heard that none took over: a promotion needs one of them."""
        with self._reader.snapshot() as store:
            now = voting.find(store)
        return bool(voting.required_by(now)) and is_held(now, self._own, heard, 0)

    async def _tell_where(self) -> None:
        """Write down where this node is, so that others find it when it is the primary no longer."""
        shown = credentials.read(self._config.layout, self._reader)
        cosigner = keys.made(self._config.layout.keys, keys.COSIGNER_KEY)
        pair = keys.public(shown.node_key), keys.public(cosigner)
        with self._reader.snapshot() as store:
            row = cluster.member(store, shown.member)
        if row is not None and (row.url, row.cosigner_key) != (where(self._config), pair[1]):
            await self._writer.ask("join", row.name, *pair, where(self._config))
        self._told = True


async def serve(start: Start) -> None:
    """Ask until the supervisor says that this is to end, or dies."""
    config = config_of(start)
    reader = Reader(config.layout.changelog, config.map_size)
    shown = credentials.read(config.layout, reader)
    async with open_session(config.primary_ca_file) as session:
        peers = Peers(reader, session, shown)
        watch = Watch(config, reader, Submit(config.layout.socket), peers, shown.member)
        await until_death_of_parent(watch.run(), start)


def main(start: Start) -> None:
    """Run the process."""
    run(serve, start)
