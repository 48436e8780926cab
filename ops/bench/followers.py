"""Many streams of a changelog in one process: ``python -m ops.bench.followers URL SIZE TOKENS``.

It prints a line when all have what is there. Then it reads a size from its input, and prints a line when all have that
many entries. What comes is read, not verified: this stands for the load that replicas are, not for their work.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import aiohttp
import click
from attrs import Factory, define, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.copying import Batch, Known
from changelog.tree import EMPTY_ROOT
from ops.bench.processes import BenchError
from replica import tail
from replica.credentials import Credentials, by_token
from replica.tail import Source
from server import replica_token
from server.stream import Cursor

_LEVEL = "level"


@define
class _Levels:
    """How far each stream is."""

    sizes: list[int]
    moved: asyncio.Condition = Factory(asyncio.Condition)

    async def reach(self, size: int) -> None:
        """Wait until every stream has *size* entries."""
        async with self.moved:
            await self.moved.wait_for(lambda: min(self.sizes) >= size)


async def _follow(session: aiohttp.ClientSession, source: Source, levels: _Levels, number: int) -> None:
    cursor = Cursor(source.credentials.origin, Known(0, EMPTY_ROOT))
    async with aclosing(tail.follow(session, source, cursor)) as stream:
        async for item in stream:
            if isinstance(item, Batch):
                levels.sizes[number] = item.last
                async with levels.moved:
                    levels.moved.notify_all()


def _shown(token: str) -> Credentials:
    return by_token(replica_token.read(token), Ed25519PrivateKey.generate())


async def _run(url: str, size: int, tokens: Sequence[str]) -> None:
    levels = _Levels([0] * len(tokens))
    async with tail.open_session(limit=0) as session, asyncio.TaskGroup() as group:
        streams = [
            group.create_task(_follow(session, Source(url, _shown(token)), levels, number))
            for number, token in enumerate(tokens)
        ]
        await levels.reach(size)
        click.echo(_LEVEL)
        await levels.reach(int(await asyncio.to_thread(sys.stdin.readline)))
        click.echo(_LEVEL)
        for stream in streams:
            stream.cancel()


@frozen
class Followers:
    """The process, while it follows."""

    process: "Popen[str]"

    def wait(self) -> None:
        """Return when all streams have what they wait for.

        Raises:
            BenchError: one of them ended.
        """
        if self.process.stdout is None or self.process.stdout.readline() != f"{_LEVEL}\n":
            raise BenchError("a stream of the changelog ended too early")

    def reach(self, size: int) -> None:
        """Return when all streams have *size* entries."""
        if self.process.stdin is not None:
            self.process.stdin.write(f"{size}\n")
            self.process.stdin.flush()
        self.wait()


@contextmanager
def following(url: str, size: int, tokens: Path) -> Iterator[Followers]:
    """Follow the node at *url* by the tokens in a file, a line each; begin when all have *size* entries."""
    command = [sys.executable, "-m", "ops.bench.followers", url, str(size), str(tokens)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:  # noqa: S603 - this file
        try:
            followers = Followers(process)
            followers.wait()
            yield followers
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_text().split()))
