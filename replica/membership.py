"""A node among the members of its cluster: how it becomes one, and how it speaks to the primary."""

import asyncio
import time
from ipaddress import ip_address
from typing import Any

import aiohttp
from attrs import frozen

from changelog.errors import Unavailable
from changelog.reader import Reader
from changelog.tables import Store
from changelog.views import cluster
from replica import follow
from replica.config import ReplicaConfig
from replica.credentials import Credentials
from replica.follow import FOLLOWING
from replica.tail import read_all
from server import keys
from server.introduction import INTRODUCTIONS, Introduction
from server.upstream.ending import end
from server.via import VIA

MAX_ANSWER = 64 << 10  # bytes
LOOK_S = 0.25  # between looks at who is followed, while an answer is waited for
TIMEOUT = aiohttp.ClientTimeout(total=10.0)


@frozen
class Own:
    """What the log says of this node."""

    number: int  # 0 = it is no member yet
    is_voter: bool
    is_current: bool  # where it is and its cosigner key are as the log says


class Membership:
    """Joins, and sends the primary what a member has to tell."""

    def __init__(
        self, config: ReplicaConfig, reader: Reader, session: aiohttp.ClientSession, shown: Credentials
    ) -> None:
        """Speak as *shown* over *session*."""
        self.config = config
        self.reader = reader
        self._session = session
        self._shown = shown
        self._public = keys.public(shown.node_key)
        self.cosigner = keys.made(config.layout.keys, keys.COSIGNER_KEY)
        self._url = where(config)

    def own(self, store: Store) -> Own:
        """Return what the log in *store* says of this node."""
        number = cluster.number_of(store, self._public)
        row = cluster.member(store, number)
        if row is None:
            return Own(0, is_voter=False, is_current=False)
        told = (row.url, row.cosigner_key) == (self._url, keys.public(self.cosigner))
        return Own(number, is_voter=row.voter, is_current=told)

    async def join(self) -> None:
        """Become a member, or tell what changed.

        Raises:
            Unavailable: nobody is followed, or it is refused.
        """
        cosigner, at = keys.public(self.cosigner), int(time.time())
        said = Introduction(0, self._shown.name, self._shown.origin, self._public, cosigner, self._url, at)
        await self._post("join", data=INTRODUCTIONS.sign(said, self._shown.node_key))

    async def acknowledge(self, signed: bytes) -> None:
        """Send an acknowledgement.

        Raises:
            Unavailable: nobody is followed, or it is refused.
        """
        await self._post("ack", data=signed)

    async def _post(self, what: str, **body: Any) -> None:  # noqa: ANN401 - of aiohttp
        following = follow.read(self.config.following_file)
        if following.state != FOLLOWING:
            raise Unavailable(f"nobody is followed: {following.reason}")
        sending = asyncio.ensure_future(self._send(following.primary, what, body))
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=LOOK_S)
                now = follow.read(self.config.following_file)
                if (now.state, now.primary) != (following.state, following.primary):
                    break
        finally:
            if not sending.done():
                await end([sending])
        if sending.cancelled():
            raise Unavailable(f"{following.primary} is followed no longer")
        sending.result()

    async def _send(self, primary: str, what: str, body: dict[str, Any]) -> None:
        url, headers = f"{primary}/+{what}", {**self._shown.headers, VIA: self._shown.name}
        try:
            async with self._session.post(url, headers=headers, timeout=TIMEOUT, **body) as answer:
                said = await read_all(answer.content, MAX_ANSWER)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"{primary} can not be told: {str(error) or type(error).__name__}") from error
        if answer.status >= 300:  # noqa: PLR2004 - not taken
            raise Unavailable(f"{primary} answers {answer.status}: {said[:300]!r}")


def where(config: ReplicaConfig) -> str:
    """Return the URL at which other members reach this node, "" if the options do not say it."""
    told = config.member_url or config.outside_url
    if told:
        return told.rstrip("/")
    scheme = "https" if config.tls_certificate else "http"
    try:
        address = ip_address(config.host)
    except ValueError:
        return f"{scheme}://{config.host}:{config.port}"
    host = f"[{config.host}]" if ":" in config.host else config.host
    return "" if address.is_unspecified else f"{scheme}://{host}:{config.port}"
