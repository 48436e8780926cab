"""What front servers say of a request: where clients reach this node, and who asks.

Only those are believed that the operator trusts, by their addresses, and nodes of the same cluster, which show that
they follow the log. What anybody else says in such a header is as if it was not there.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from aiohttp import web
from yarl import URL

from changelog.errors import Gone, InvalidForm, Unauthenticated
from changelog.reader import Reader
from changelog.tables import Store
from server import followers

OUTSIDE = web.RequestKey("outside", str)  # where clients reach this node, as one who is believed says
SENDER = web.RequestKey("sender", str)  # how a front server that is believed sends files in our place

OUTSIDE_URL = "X-Outside-Url"
FORWARDED_FOR = "X-Forwarded-For"
REAL_IP = "X-Real-Ip"
PROTO, HOST = "X-Forwarded-Proto", "X-Forwarded-Host"
FOLLOWER = "X-Ledgerpi-Follower"  # of a replica that hands a request on: the token by which it follows the log
SENDFILE = "X-Sendfile-Type"
HEADERS = (OUTSIDE_URL, FORWARDED_FOR, REAL_IP, PROTO, HOST, FOLLOWER, SENDFILE)

_URL = re.compile(r"https?://[A-Za-z0-9._~\[\]:-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_HOST = re.compile(r"[A-Za-z0-9._~-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

Networks = Sequence[IPv4Network | IPv6Network]
IsFollower = Callable[[str], bool]


class Proxies:
    """Reads requests as those in front of this node mean them."""

    def __init__(self, trusted: Networks, outside_url: str, reader: Reader) -> None:
        """Believe *trusted* addresses; *outside_url* is where clients reach this node if none of them says."""
        self._trusted = tuple(trusted)
        self._outside = outside_url
        self._reader = reader

    def seen(self, request: web.BaseRequest) -> web.BaseRequest:
        """Return the request as its client made it: address, scheme, host, and the path without a prefix.

        Raises:
            InvalidForm: one who is believed says what can not be meant.
        """
        headers = request.headers
        if not any(name in headers for name in HEADERS):
            return _without(request, self._outside) if self._outside else request
        if FOLLOWER in headers and self._follows(headers[FOLLOWER]):
            _note(request, headers.get(OUTSIDE_URL, ""))
            return request.clone(remote=headers.get(FORWARDED_FOR) or request.remote or "")
        if not self._is_trusted(request.remote or ""):
            return _without(request, self._outside)
        outside = _note(request, headers.get(OUTSIDE_URL, ""))
        request[SENDER] = headers.get(SENDFILE, "")
        return _without(self._from_outside(request), outside or self._outside)

    def _from_outside(self, request: web.BaseRequest) -> web.BaseRequest:
        headers = request.headers
        scheme, host = _last(headers.get(PROTO, "")) or request.scheme, _last(headers.get(HOST, "")) or request.host
        if scheme not in ("http", "https"):
            raise InvalidForm(f"{PROTO} is neither http nor https: {scheme[:100]!a}")
        if host != request.host and not _HOST.fullmatch(host):
            raise InvalidForm(f"{HOST} is no host: {host[:100]!a}")
        return request.clone(scheme=scheme, host=host, remote=self._client(request))

    def _client(self, request: web.BaseRequest) -> str:
        """Return the address of the client: the real one, or the last of those forwarded that no trusted proxy has."""
        hops = [hop.strip() for hop in ",".join(request.headers.getall(FORWARDED_FOR, ())).split(",")]
        real = request.headers.get(REAL_IP, "").strip()
        for hop in reversed([real] if real else hops):
            if not _is_address(hop):
                break  # who said so can not be told apart from a client that made it up
            if not self._is_trusted(hop):
                return hop
        return request.remote or ""

    def _is_trusted(self, address: str) -> bool:
        if not _is_address(address):
            return False
        parsed = ip_address(address)
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._trusted)

    def _follows(self, authorization: str) -> bool:
        with self._reader.snapshot() as store:
            return _is_follower(store, authorization)


def _is_follower(store: Store, authorization: str) -> bool:
    try:
        followers.check(store, followers.of(store, authorization))
    except (Unauthenticated, Gone):
        return False
    return True


def _note(request: web.BaseRequest, outside: str) -> str:
    """Remember and return where clients reach this node."""
    if outside and not _URL.fullmatch(outside):
        raise InvalidForm(f"{OUTSIDE_URL} is no URL: {outside[:200]!a}")
    if outside:
        request[OUTSIDE] = outside.rstrip("/")
    return outside


def _prefix(url: str) -> str:
    return urlsplit(url).path.rstrip("/")


def without_prefix(path: str, outside: str) -> str:
    """Return what stands in *path* behind that of the URL *outside*, where the front server left it there."""
    prefix = _prefix(outside)
    if not prefix or not path.startswith(prefix) or path[len(prefix) : len(prefix) + 1] not in ("/", "?", ""):
        return path
    rest = path[len(prefix) :]
    return rest if rest.startswith("/") else f"/{rest}"


def _without(request: web.BaseRequest, outside: str) -> web.BaseRequest:
    """Return the request without the path of the URL *outside*."""
    rest = without_prefix(request.raw_path, outside)
    if rest == request.raw_path:
        return request
    if rest.startswith("//"):  # a URL would take what follows for a host
        raise InvalidForm("a path segment is empty")
    return request.clone(
        rel_url=URL(rest, encoded=True), scheme=request.scheme, host=request.host, remote=request.remote or ""
    )


def _last(text: str) -> str:
    """Return what the nearest proxy said of a header to which each adds a value."""
    return text.rpartition(",")[2].strip()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
