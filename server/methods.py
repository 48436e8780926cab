"""Methods that HTTP does not know: devpi's client sends PUSH, which the parser takes for no request at all."""

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

PUSH = b"PUSH "
POST = b"POST "


class PushAsPost(web.RequestHandler):
    """A connection on which PUSH means POST; the same URL takes both for the same."""

    __slots__ = ("_last",)

    def __init__(self, *args: object, **options: object) -> None:
        """Begin before the first request."""
        super().__init__(*args, **options)  # type: ignore[arg-type] # whatever aiohttp wants
        self._last: StreamReader = EMPTY_PAYLOAD  # the body of the newest request

    def data_received(self, data: bytes) -> None:
        """Take bytes; those that begin a request are the first behind the whole body of the one before."""
        if data[:5] == PUSH and self._last.is_eof() and not self._buffer_paused:
            data = POST + data[5:]
        super().data_received(data)
        if self._messages:
            self._last = self._messages[-1][1]
