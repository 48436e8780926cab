"""A client of upstreams that loses its patience early, and names that lead where a test wants."""

import socket
from ipaddress import IPv4Network

from aiohttp.abc import AbstractResolver, ResolveResult

from server.upstream.client import Credentials, Limits, UpstreamClient

LOOPBACK = [IPv4Network("127.0.0.1/32")]
HASTY = Limits(connect_s=1.0, first_byte_s=0.3, idle_s=0.3, total_s=60.0, max_redirects=3)
PAGE = b"<!DOCTYPE html>" * 100
MIB = 1 << 20


class Names(AbstractResolver):
    """Resolves every name to the addresses given, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self.addresses
        ]

    async def close(self) -> None:
        pass


async def read(
    client: UpstreamClient,
    url: str,
    credentials: Credentials | None = None,
    *,
    max_bytes: int | None = MIB,
    total_s: float | None = 10.0,
    keep: bool = True,
) -> tuple[int, str, bytes]:
    """Return status, final URL and body of an answer; without *keep*, the body is read and dropped."""
    async with client.get(url, {"Accept-Encoding": "gzip"}, credentials, total_s=total_s) as answer:
        pieces = [piece async for piece in answer.body(max_bytes) if keep]
        return answer.status, answer.url, b"".join(pieces)
