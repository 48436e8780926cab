"""What other members answer when they are asked for a promise, or what they promised."""

from http import HTTPStatus

import aiohttp
from attrs import frozen

from changelog.errors import InvalidProof, Unavailable
from changelog.reader import Reader
from changelog.views import cluster
from replica.credentials import Credentials
from replica.tail import read_all
from server.ballots import ANSWERS, Answer

MAX_ANSWER = 64 << 10  # bytes
ROUTE = "/+promise"


class Left(Unavailable):
    """The history of another member has this node no longer: an operator let that one take over without it."""


@frozen
class Peer:
    """Another member."""

    number: int
    name: str
    url: str
    node_key: bytes
    is_voter: bool


class Peers:
    """Asks other members."""

    def __init__(self, reader: Reader, session: aiohttp.ClientSession, shown: Credentials) -> None:
        """Ask as *shown*."""
        self._reader = reader
        self._session = session
        self._shown = shown

    def others(self, own: int) -> list[Peer]:
        """Return all members but *own*, as the log has them now."""
        with self._reader.snapshot() as store:
            return [
                Peer(number, row.name, row.url.rstrip("/"), row.node_key, row.voter)
                for number, row in cluster.members(store)
                if number != own and not row.until
            ]

    async def position(self, peer: Peer, timeout_s: float) -> tuple[Answer, bytes]:
        """Return what *peer* promised and where its log ends, and the same as it signed it, in *timeout_s* seconds.

        Raises:
            Unavailable: no answer that it signed.
        """
        return await self._ask(peer, "GET", None, timeout_s)

    async def promise(self, peer: Peer, ask: bytes, timeout_s: float) -> Answer:
        """Return the answer of *peer* to the signed question *ask*; raises as :meth:`position`."""
        return (await self._ask(peer, "POST", ask, timeout_s))[0]

    async def _ask(self, peer: Peer, method: str, body: bytes | None, timeout_s: float) -> tuple[Answer, bytes]:
        if not peer.url:
            raise Unavailable(f"{peer.name} never told where it is")
        try:
            async with self._session.request(
                method,
                peer.url + ROUTE,
                data=body,
                headers=self._shown.headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                said = await read_all(answer.content, MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{peer.name} gives no answer: {str(error) or type(error).__name__}") from error
        if answer.status == HTTPStatus.GONE:
            raise Left(f"{peer.name} answers that this node was removed from its history")
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"{peer.name} answers {answer.status}: {said[:300].decode(errors='replace')}")
        try:
            found = ANSWERS.verify(said, {peer.number: peer.node_key}.get)
        except InvalidProof as error:
            raise Unavailable(f"{peer.name}: {error}") from error
        return found, said
