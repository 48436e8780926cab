"""Requests that are not delivered once they are given up."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger of socket(7): on, for no time at all

Sent = list[tuple[ResponseHandler, asyncio.Transport]]

_under_way: ContextVar[Sent] = ContextVar("_under_way")
# Whose request each connection had last; by protocol, as uvloop's transport of TLS takes no weak reference.
_last_sent: WeakKeyDictionary[ResponseHandler, Sent] = WeakKeyDictionary()


class Revocable(aiohttp.ClientRequest):
    """A request that ``revoked_on_failure`` can take back, as far as it has not left this machine."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it; the kernel keeps nothing for later of a connection that is closed."""
        transport, protocol = conn.transport, conn.protocol
        if transport is not None and protocol is not None:
            link = transport.get_extra_info("socket")
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            sent = _under_way.get([])
            sent.append((protocol, transport))
            _last_sent[protocol] = sent
        return await super().send(conn)


@contextmanager
def revoked_on_failure() -> Iterator[None]:
    """Drop what is unsent of the requests made within, if this is left by an exception.

    An ordinary close goes on sending, for a quarter of an hour if the road is down: a write would take effect long
    after its sender was told that it failed. What the other side has got already can not be taken back.
    """
    sent = Sent()
    token = _under_way.set(sent)
    try:
        yield
    except BaseException:
        for protocol, transport in sent:
            if _last_sent.get(protocol) is sent:  # else it was answered, and the connection went to another request
                transport.abort()
        raise
    finally:
        _under_way.reset(token)
