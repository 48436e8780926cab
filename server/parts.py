"""What a worker is made of; a replica's is made of other parts of the same kinds."""

from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import web
from attrs import frozen

from changelog.blobs import Blobs
from changelog.reader import Reader
from server.auth import Auth
from server.config import Config
from server.file_cache import FileCache
from server.mirrors import Mirrors
from server.news import News
from server.page_cache import PageCache
from server.sources import Sources
from server.spool import Spool
from server.submit import Submit
from server.wire import Frame


class Forward(Protocol):
    """Sends a request on to who can answer it."""

    async def __call__(self, parts: "Parts", request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer."""

    async def close(self) -> None:
        """Close the connections."""


class Standing(Protocol):
    """How a node stands to its primary."""

    def __call__(self) -> dict[str, object]:
        """Return what the status page adds."""


class Fetching(Protocol):
    """Gets blobs that the log names and that are not here, from another node."""

    def stream(self, digest: bytes, size: int, *, damaged: bool) -> AsyncIterator[Frame]:
        """Have a blob fetched, also if there is one, that is *damaged*; yield what :mod:`server.growing` reads.

        Raises:
            Unavailable, StorageFull: it can not be had; perhaps after some of it came.
        """

    async def whole(self, digest: bytes, *, damaged: bool) -> None:
        """Return when a blob is here; raises as :meth:`stream`."""

    def close(self) -> None:
        """Close the connection."""


@frozen
class Parts:
    """All that handlers use."""

    config: Config
    reader: Reader
    blobs: Blobs
    submit: Submit
    auth: Auth
    sources: Sources
    pages: PageCache
    files: FileCache
    spool: Spool
    mirrors: Mirrors
    news: News
    member: str  # id of this node, for X-Devpi-Uuid
    origin: str
    forward: Forward | None = None  # of a replica, whose primary carries out what changes something
    standing: Standing | None = None  # of a replica
    fetching: Fetching | None = None  # of a replica; elsewhere what is missing is lost
