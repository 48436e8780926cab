"""A link of loopback on which everything takes its time: ``python -m ops.bench.slow_link PORT TARGET DELAY``.

Each byte arrives *DELAY* seconds after it was sent, whatever comes with it; the first ones of a connection
also wait for the handshake, once to and fro. The link is as wide as loopback, and nobody on it starts slowly.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

import uvloop

from ops.bench.processes import HOST, BenchError, free_port

_PIECE = 1 << 16  # bytes
_AHEAD = 1 << 10  # pieces that are on the way
_LISTENING = 1 << 10


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Carry one direction to its end."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)

    async def arrive() -> None:
        while True:
            due, piece = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                return
            writer.write(piece)
            await writer.drain()

    async with asyncio.TaskGroup() as group:
        group.create_task(arrive())
        piece = b"-"
        while piece:
            piece = await reader.read(_PIECE)
            await on_the_way.put((loop.time() + delay_s, piece))
    writer.write_eof()


async def serve(port: int, target: int, delay_s: float) -> asyncio.Server:
    """Listen on *port* and return; connections are carried to the port *target*."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay_s)  # SYN and its answer
        try:
            there = await asyncio.open_connection(HOST, target)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(reader, there[1], delay_s))
                group.create_task(_carry(there[0], writer, delay_s))
        except* OSError:
            pass  # one side is gone, and takes the other with it
        finally:
            there[1].close()
            writer.close()

    return await asyncio.start_server(connected, HOST, port, backlog=_LISTENING)


async def _serve_on(port: int, target: int, delay_s: float) -> None:
    server = await serve(port, target, delay_s)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextmanager
def slow_link(target: int, delay_s: float) -> Iterator[str]:
    """Yield the URL of a link to the port *target*, on which each way takes *delay_s*."""
    port = free_port()
    command = [sys.executable, "-m", "ops.bench.slow_link", str(port), str(target), str(delay_s)]
    with Popen(command, stdout=PIPE) as process:  # noqa: S603 - this file
        try:
            if process.stdout is None or not process.stdout.readline():
                raise BenchError("the slow link did not come up")
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    uvloop.run(_serve_on(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
