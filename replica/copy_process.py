"""The process that copies a log anew after the node left the one before; until that is done nothing is served."""

import os
import time

import structlog
import uvloop

from replica import first_copy
from replica.config import config_of
from server import locks, roles
from server.child import Start
from server.process import until_death_of_parent

TELL_S = 5.0  # between two words on how far it is

logger = structlog.get_logger()


class _Told:
    """Logs progress now and then."""

    def __init__(self) -> None:
        self._due = 0.0

    def progress(self, done: int, total: int) -> None:
        """Tell how many entries are here."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + TELL_S
            logger.info("copying entries", done=done, total=total)

    @staticmethod
    def trouble(reason: str) -> None:
        """Tell why it waits."""
        logger.warning("copying waits", reason=reason)


async def serve(start: Start) -> None:
    """Copy, and end with the code that makes the node go on as a replica."""
    config = config_of(start)
    told = _Told()

    async def copied() -> None:
        with locks.of_writer(config.layout):
            await first_copy.run(config, told.progress, told.trouble)
        os._exit(roles.CHANGED)

    await until_death_of_parent(copied(), start)


def main(start: Start) -> None:
    """Copy; it stands in for the writer, so it waits for nobody."""
    uvloop.run(serve(start))
