"""The URL that clients know this server by."""

from aiohttp import web

from server.parts import Parts


def outside_url(parts: Parts, request: web.BaseRequest) -> str:
    """Return scheme, host and prefix for absolute URLs, without a slash at the end.

    ``X-Outside-Url`` of a front server wins, then ``--outside-url``, then the address that was asked.
    """
    told = request.headers.get("X-Outside-Url") or parts.config.outside_url
    return told.rstrip("/") if told else f"{request.scheme}://{request.host}"
