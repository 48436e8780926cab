"""What a worker is made of; a replica's is made of other parts of the same kinds."""

from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import web
from attrs import frozen

from changelog.blobs import Blobs
from changelog.reader import Reader
from server.auth import Auth
from server.batches import Batches
from server.config import Config
from server.directories import Directories
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


class Through(Protocol):
    """Hands on the answer of a node that can fetch what nobody has fetched yet."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return that answer, which is streamed."""

    async def close(self) -> None:
        """Close the connections."""


class Standing(Protocol):
    """How a node stands to its primary."""

    def __call__(self) -> dict[str, object]:
        """Return what the status page adds."""

    def trouble(self) -> str:
        """Return why the node's copy of the log is not current, "" if it is."""


class Staleness(Protocol):
    """Whether a node's copy of the log is older than it may be; asking costs nothing."""

    refuses: bool  # past the bound nothing is read

    def is_past(self) -> bool:
        """Return whether it is too old."""

    def is_told(self) -> bool:
        """Return whether it is too old, and those who read are told so."""

    def headers(self) -> dict[str, str]:
        """Return what tells them."""

    def check(self) -> None:
        """Raise TooOld if it is too old."""

    def close(self) -> None:
        """Look no more."""


class Fetching(Protocol):
    """Gets blobs that the log names and that are not here, from another node."""

    def stream(self, digest: bytes, size: int, *, damaged: bool) -> AsyncIterator[Frame]:
        """Have a blob fetched, also if there is one, that is *damaged*; yield what :mod:`server.growing` reads.

        Raises:
            Unavailable, StorageFull: it can not be had; perhaps after some of it came.
        """

    async def whole(self, digest: bytes, size: int = 0, *, damaged: bool) -> None:
        """Return when a blob of *size* bytes (0 = not known) is here; raises as :meth:`stream`."""

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
    directories: Directories
    spool: Spool
    mirrors: Mirrors
    news: News
    batches: Batches
    member: str  # id of this node, for X-Devpi-Uuid
    origin: str
    forward: Forward | None = None  # of a replica, whose primary carries out what changes something
    through: Through | None = None  # the same, which fetches what mirrors have not fetched yet
    standing: Standing | None = None  # of a replica
    fetching: Fetching | None = None  # of a replica; elsewhere what is missing is lost
    staleness: Staleness | None = None  # of a replica whose copy may not be of any age
