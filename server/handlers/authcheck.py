"""``+authcheck``: whether a front server that lets nobody in without a login may let a request pass."""

from collections.abc import Callable

from aiohttp import web

from changelog.errors import InvalidName, Refused, Unauthenticated
from server.outside import outside_url
from server.parts import Parts
from server.positions import behind_prefix
from server.proxies import without_prefix
from server.requests import path_segments

ORIGINAL = "X-Original-Uri"  # the path that the client asks the front server for
OPEN = frozenset({"+api", "*/+api", "*/*/+api", "+login"})  # needed to log in

ShapeOf = Callable[[list[str]], str | None]


async def get(parts: Parts, request: web.BaseRequest, shape_of: ShapeOf) -> web.Response:
    """Answer 200 if the request may pass, 401 if its client has to log in, 403 if nothing answers at that path.

    *shape_of* returns the shape of a path, None if there is no such route. devpi's client, which would throw its login
    away at 401, gets 403.
    """
    shape = _shape(parts, request, shape_of)
    if shape in OPEN:
        return web.Response()
    try:
        await _check_login(parts, request)
    except Unauthenticated as error:
        if "devpi-client" in request.headers.get("User-Agent", ""):
            raise Refused(str(error)) from error
        raise
    return web.Response()


async def _check_login(parts: Parts, request: web.BaseRequest) -> None:
    caller = await parts.auth.caller(request.headers, request.remote or "")
    if not caller.user:
        raise Unauthenticated("who you are must be known")


def _shape(parts: Parts, request: web.BaseRequest, shape_of: ShapeOf) -> str:
    path = behind_prefix(without_prefix(request.headers.get(ORIGINAL, request.raw_path), outside_url(parts, request)))
    try:
        shape = shape_of(path_segments(path)[0])
    except InvalidName as error:
        raise Refused(f"nothing answers there: {error}") from error
    if shape is None:
        raise Refused(f"nothing answers there: {path[:200]}")
    return shape
