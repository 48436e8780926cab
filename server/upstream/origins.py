"""Where upstream requests go: URLs as they are written, without what is secret in them, and who is behind them."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from attrs import field, frozen
from yarl import URL

from server.upstream.failures import UpstreamRefused

SCHEMES = ("http", "https")
MIN_TOKEN = 12  # characters of a path segment that may be a token

_AS_WRITTEN = "".join(map(chr, range(0x21, 0x7F)))  # also %: what is encoded stays as it is encoded
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")
_USERINFO = re.compile(r"\A((?:(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)?+)(?:[^/?#]*:.*|[^/?#]*)@", re.DOTALL)


class Origin(NamedTuple):
    """Whom a URL speaks to (RFC 6454 section 4)."""

    scheme: str
    host: str  # lower case
    port: int


@frozen
class Credentials:
    """A user and password, sent as Basic (RFC 7617) to *origin* and nobody else."""

    user: str
    password: str = field(repr=False)
    origin: Origin


def split_credentials(url: str) -> tuple[str, Credentials | None]:
    """Return *url* without its userinfo, and that, percent-decoded; UpstreamRefused if *url* can not be asked."""
    scheme, userinfo, rest = _parts(url)
    bare = scheme + rest
    user, _, password = userinfo.partition(":")
    credentials = Credentials(unquote(user), unquote(password), origin_of(bare)) if userinfo else None
    return bare, credentials


def masked(url: str) -> str:
    """Return *url* for logs and messages: userinfo, the values of its query and the fragment are hidden.

    A password with a raw slash is hidden too, and with it what only looks like one.
    """
    shown = _USERINFO.sub(r"\1***@", url, count=1)
    path, question, _ = shown.partition("#")[0].partition("?")
    return path + ("?***" if question else "")


def tokens(url: str) -> tuple[str, ...]:
    """Return the segments in the path of *url* that are so long that they may be tokens."""
    path = url.partition("//")[2].partition("/")[2]
    return tuple(segment for segment in re.split(r"[/?#]", path) if len(segment) >= MIN_TOKEN)


def parsed(url: str) -> URL:
    """Return *url* as it goes out: every printable ASCII character as written, without userinfo and fragment.

    Raises:
        UpstreamRefused: it has another scheme than http and https, no host, or is no URL.
    """
    scheme, _, rest = _parts(url)
    try:
        result = URL(quote(scheme + rest.partition("#")[0], _AS_WRITTEN, errors="surrogateescape"), encoded=True)
        usable = result.scheme in SCHEMES and bool(result.raw_host) and result.port
    except ValueError:
        usable = False
    if not usable:
        raise UpstreamRefused(f"not an http or https URL: {masked(url)}")
    return result


def joined(base: URL, location: str) -> URL:
    """Return where *location*, the value of a Location header on the answer from *base*, leads."""
    text = quote(location.strip(), _AS_WRITTEN, errors="surrogateescape")
    try:
        target = str(base.join(URL(text, encoded=True)))
    except ValueError:
        raise UpstreamRefused(f"redirect to no URL: {masked(location)}") from None
    return parsed(target)


def origin(url: URL) -> Origin:
    """Return the origin of *url*, one that was parsed here."""
    return Origin(url.scheme, (url.raw_host or "").lower(), url.port or 0)


def origin_of(url: str) -> Origin:
    """Return the origin of *url*, to make Credentials with; UpstreamRefused as in :func:`parsed`."""
    return origin(parsed(url))


def _parts(url: str) -> tuple[str, str, str]:
    """Return the scheme with its slashes, the userinfo, and what follows the ``@``."""
    scheme = match[0] if (match := _SCHEME.match(url)) else ""
    rest = url[len(scheme) :]
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    userinfo, _, host = rest[:end].rpartition("@")
    return scheme, userinfo, host + rest[end:]
