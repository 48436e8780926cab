"""Logs of this program's processes: structlog events on standard error, as JSON lines or, on a terminal, for people."""

import io
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog


class Lines(io.TextIOBase):
    """A stream whose lines are dropped when they can not be written: a full disk of logs must not fail a request."""

    def __init__(self, stream: TextIO) -> None:
        """Write to *stream*."""
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Write a whole line, or nothing."""
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)


def configure_logs() -> None:
    """Set structlog up for this process."""
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Lines(sys.stderr))),
        cache_logger_on_first_use=True,
    )
