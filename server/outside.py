"""The URL that clients know this server by."""

from urllib.parse import quote

from aiohttp import web

from server.parts import Parts
from server.proxies import OUTSIDE

ABSOLUTE = "X-Devpi-Absolute-Urls"


def outside_url(parts: Parts, request: web.BaseRequest) -> str:
    """Return scheme, host and prefix for absolute URLs, without a slash at the end.

    ``X-Outside-Url`` of a front server that is believed wins, then ``--outside-url``, then the address that was asked.
    """
    told = request.get(OUTSIDE) or parts.config.outside_url
    return told.rstrip("/") if told else f"{request.scheme}://{request.host}"


def link_base(parts: Parts, request: web.BaseRequest) -> str:
    """Return what links to files on a page begin with, which may stand in HTML and JSON; "" = they are relative."""
    if not parts.config.absolute_urls and ABSOLUTE not in request.headers:
        return ""
    return quote(outside_url(parts, request), safe=":/[]@%")
