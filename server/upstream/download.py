"""A download as those see it who wait for it, in this process and in the workers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from server.connection import Connection
from server.wire import PART, framed

Told = Callable[[], None]  # called when there is news


@define
class Download:
    """A download under way: *path* grows to *total* bytes; None: nothing came yet, or it is a blob, or *held*."""

    path: Path | None
    total: int | None = None
    received: int = 0  # bytes that may be read from *path*
    held: bytes = b""  # all of a small file that came at once
    sha256: bytes = b""  # once all is there and checked
    error: Exception | None = None
    watchers: list[Told] = field(factory=list)

    @property
    def ended(self) -> bool:
        """Whether it came to its end, good or bad."""
        return bool(self.sha256) or self.error is not None

    def tell(self) -> None:
        """Wake all who watch."""
        for told in self.watchers:
            told()


async def hand_on(connection: Connection, number: int, download: Download) -> tuple[object, ...]:
    """Tell how far a download is, whenever it gets further, and return what is to be told of its good end.

    A worker reads that with :mod:`server.growing`. Raises what the download ended with.
    """
    news = asyncio.Event()
    download.watchers.append(news.set)
    try:
        while not download.ended:
            if download.path is not None:
                total = -1 if download.total is None else download.total
                connection.send(framed(number, PART, str(download.path), total, download.received))
            await news.wait()
            news.clear()
    finally:
        download.watchers.remove(news.set)
    if download.error is not None:
        raise download.error
    path = "" if download.path is None else str(download.path)
    return (path, download.total, download.received, download.sha256, download.held)
