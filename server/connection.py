"""The other end of a line: a process that answers questions."""

import asyncio
from typing import Protocol

import structlog

from changelog.errors import InvalidEntry
from server.wire import Frame, Frames

logger = structlog.get_logger()


class Service(Protocol):
    """Who answers."""

    def take(self, connection: "Connection", message: Frame) -> None:
        """Begin to answer *message*: number, kind, items."""


class Connection(asyncio.Protocol):
    """One process that asks."""

    def __init__(self, service: Service) -> None:
        """Hand messages to *service*."""
        self._service = service
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = transport  # type: ignore[assignment] # of a socket, so it writes; uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        """Hand on whole messages; who sends nonsense is cut off."""
        try:
            for message in self._frames.feed(data):
                self._service.take(self, message)
        except InvalidEntry as error:
            logger.warning("message refused", reason=str(error))
            if self._transport is not None:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop answers to a worker that is gone."""
        self._transport = None
        del exc

    @property
    def is_open(self) -> bool:
        """Whether somebody is there to answer to."""
        return self._transport is not None

    def send(self, frame: bytes) -> None:
        """Send an answer."""
        if self._transport is not None:
            self._transport.write(frame)
