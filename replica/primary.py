"""Whom a replica follows, as its workers ask that node over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from changelog.errors import Unavailable
from replica.config import ReplicaConfig
from replica.credentials import Credentials
from replica.follow import FOLLOWING, Following, read
from replica.tail import open_session
from server import via


class Primary:
    """The node that is followed, or the first candidate; made inside a running loop."""

    def __init__(self, config: ReplicaConfig, shown: Credentials, limit: int = 100) -> None:
        """Ask as who is *shown*; make at most *limit* connections, 0 = as many as are wanted."""
        self._shown = shown
        self._config = config
        self.session = open_session(config.primary_ca_file, limit=limit)
        self._timeout = aiohttp.ClientTimeout(  # the primary is to a replica what an upstream is to it
            total=config.upstream_timeout_s, sock_connect=config.upstream_connect_timeout_s
        )

    @property
    def headers(self) -> dict[str, str]:
        """Who asks, as a member of the cluster, that may read what is private, and by which nodes."""
        return {"Authorization": f"Bearer {self._shown.bearer}", **via.with_own(self._shown.name)}

    @property
    def following(self) -> Following:
        """How following goes now."""
        return read(self._config.following_file)

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        following = self.following
        if following.state == FOLLOWING or not self._config.primary:
            return following.primary
        return self._config.primary[0].rstrip("/")

    @asynccontextmanager
    async def ask(self, method: str, path: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for *path*, which is encoded and begins with a slash; redirects are not followed.

        An answer may take ``--upstream-timeout``.

        Raises:
            Unavailable: no answer, or none that is whole while the context lasts.
        """
        url = URL(self.url + path, encoded=True)
        try:
            async with self.session.request(
                method, url, headers={**headers, **self.headers}, timeout=self._timeout, allow_redirects=False
            ) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()


def unanswered(error: Exception) -> Unavailable:
    """Return the error that says why the primary gave no answer."""
    return Unavailable(f"the primary can not be asked: {str(error) or type(error).__name__}")
