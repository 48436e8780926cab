"""What aiohttp logs by itself, without the slips of clients."""

import logging

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError


def leave_out_slips() -> None:
    """Let aiohttp log no traceback of a request that is no HTTP: it is answered 400, and any stranger can send it."""
    logging.getLogger("aiohttp.server").addFilter(_is_no_slip)


def _is_no_slip(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError)
