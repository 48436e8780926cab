"""A worker's line to the process that fetches files."""

from collections.abc import AsyncIterator

from replica.config import ReplicaConfig
from server.line import Line
from server.wire import Frame

FETCHING = "process that fetches files"  # in messages


class FetchingLine:
    """Has blobs fetched that are not here; as :class:`server.parts.Fetching` says."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Talk to the process of this node."""
        self._line = Line(config.fetch_socket, FETCHING)

    def stream(self, digest: bytes, size: int, *, damaged: bool) -> AsyncIterator[Frame]:
        """Have a blob fetched and yield how far that is."""
        return self._line.stream("file", digest, size, damaged)

    async def whole(self, digest: bytes, size: int = 0, *, damaged: bool) -> None:
        """Return when a blob is here."""
        await self._line.ask("whole", digest, size, damaged)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()
