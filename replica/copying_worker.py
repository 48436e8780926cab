"""A worker of a node that copies its log anew: it has nothing to serve yet, and says so instead of letting wait."""

import asyncio
import signal

import uvloop
from aiohttp import web

from changelog.errors import NotYet
from server import tls
from server.accept import Acceptor, CountedServer
from server.child import Start
from server.errors import response
from server.http_logs import leave_out_slips

GRACE_S = 1.0  # for answers under way at the end


async def serve(start: Start) -> None:
    """Answer until SIGTERM, or until the supervisor dies."""
    counts, stop, own = start.own_counts, asyncio.Event(), tls.of(start.config)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = CountedServer(counts, _refuse)
    acceptor = Acceptor(start.listening, counts, server, None if own is None else own.context)
    start.tell_ready()
    ends = [asyncio.ensure_future(end) for end in (start.death_of_parent(), stop.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    await acceptor.close()
    server.pre_shutdown()
    await server.shutdown(GRACE_S)
    if own is not None:
        own.close()


async def _refuse(request: web.BaseRequest) -> web.StreamResponse:
    error = NotYet("this node copies the log of another primary; it has no page until that is done")
    return response(error, request.headers.get("Accept", "*/*"), reason=request.method == "POST")


def main(start: Start) -> None:
    """Run the worker; it waits for no table."""
    leave_out_slips()
    start.listening.settimeout(0)
    uvloop.run(serve(start))
