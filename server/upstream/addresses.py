"""Which addresses an upstream may have, and connections to no others."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from server.upstream.failures import UpstreamFailed, UpstreamRefused

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

CONNECTIONS = 128
CONNECTIONS_PER_HOST = 32  # host, port and proxy
KEEP_ALIVE_S = 30.0

_UNICAST = IPv6Network("2000::/3")  # the rest of IPv6 is special or not given out (RFC 4291 section 2.4)
_NAT64 = IPv6Network("64:ff9b::/96")  # carries IPv4 (RFC 6052)
_SPECIAL = (  # global to ipaddress, or to that of some Python
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, deprecated (RFC 7526)
    IPv6Network("2002::/16"),  # 6to4, deprecated; carries IPv4 (RFC 3056)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
)
_NAME = re.compile(r"(?=.{1,254}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")  # RFC 1035 section 2.3.4, and _
_LIKE_IPV4 = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)\.?")  # as browsers decide, and what inet_aton may take


def is_public(address: Address) -> bool:
    """Tell whether *address* is one of the internet, and so is the IPv4 address that it may carry."""
    if not address.is_global or address.is_multicast or any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv4Address):
        return True
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _UNICAST  # which leaves out ::ffff:0:0/96 (mapped IPv4) and ::/96: nobody needs these spellings


def is_allowed(address: Address, networks: Networks) -> bool:
    """Tell whether *address* may be connected to: it is public, or in one of *networks* as it is spelled."""
    return any(address in network for network in networks) or is_public(address)


def literal(host: str) -> Address | None:
    """Return the address that *host*, without brackets, spells; None if it is a name.

    Raises:
        UpstreamRefused: it is neither, or an address in another than the usual form (as 0x7f.1, or with a zone),
            which another program, as a proxy, may read otherwise.
    """
    try:
        if ":" in host:
            address = IPv6Address(host)
            if address.scope_id is None:
                return address
        elif _LIKE_IPV4.fullmatch(host):
            return IPv4Address(host)
        elif _NAME.fullmatch(host):
            return None
    except ValueError:
        pass
    raise UpstreamRefused(f"neither a name nor a plain address: {host}")


def check_literal(host: str, networks: Networks) -> None:
    """Raise UpstreamRefused if *host* is an address that may not be connected to."""
    address = literal(host)
    if address is not None and not is_allowed(address, networks):
        raise UpstreamRefused(f"address not allowed: {address}")


class GuardedResolver(AbstractResolver):
    """Answers with those addresses of another resolver that are allowed."""

    def __init__(self, resolver: AbstractResolver, networks: Networks) -> None:
        self._resolver = resolver
        self._networks = networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the allowed addresses of *host*; UpstreamRefused if there are only others, OSError if none."""
        found = await self._resolver.resolve(host, port, family)
        if not found:
            raise OSError(None, "no address")
        allowed = [each for each in found if is_allowed(ip_address(each["host"]), self._networks)]
        if not allowed:
            raise UpstreamRefused(f"address not allowed: {found[0]['host']} of {host}")
        return allowed

    async def close(self) -> None:
        """Close the other resolver."""
        await self._resolver.close()


class GuardedConnector(aiohttp.TCPConnector):
    """Connects, within *connect_s*, to allowed addresses; to any if *networks* is None, as to a proxy.

    A name is resolved once for each connection, and the address that was checked is the one connected to.
    """

    def __init__(
        self, resolver: AbstractResolver, networks: Networks | None, connect_s: float, context: ssl.SSLContext
    ) -> None:
        self._networks = networks
        self._connect_s = connect_s
        super().__init__(
            resolver=resolver if networks is None else GuardedResolver(resolver, networks),
            use_dns_cache=False,
            socket_factory=self._socket,
            ssl=context,
            limit=CONNECTIONS,
            limit_per_host=CONNECTIONS_PER_HOST,
            keepalive_timeout=KEEP_ALIVE_S,
        )

    def _socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Return a socket for *info*; nothing is connected to that does not pass here, literal addresses neither."""
        family, kind, protocol, _, address = info
        if self._networks is not None and not is_allowed(ip_address(address[0]), self._networks):
            raise PermissionError(errno.EACCES, "address not allowed")
        return socket.socket(family, kind, protocol)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's interface
    ) -> aiohttp.connector.Connection:
        """Return a connection on which nothing has come unasked: that would pass for the answer to *req*."""
        while True:
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as above
    ) -> ResponseHandler:
        # aiohttp's own limits count each address of a host anew, or the wait for a free connection too
        try:
            async with asyncio.timeout(self._connect_s):
                return await super()._create_connection(req, traces, timeout)
        except TimeoutError as error:
            raise UpstreamFailed(f"no connection within {self._connect_s:g} s to {req.host}") from error
