"""Which handler answers what: a table by the shape of the path and the method.

A shape is the path with every segment that does not begin with ``+`` replaced by ``*``; segments with ``+`` are
reserved and never names.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.handlers import (
    alarms,
    authcheck,
    changelog,
    cluster,
    documentation,
    explain,
    files,
    health,
    indexes,
    mirror_files,
    projects,
    pushes,
    results,
    simple,
    status,
    tokens,
    users,
    xmlrpc,
)
from server.parts import Parts
from server.requests import path_segments

Handler = Callable[[Parts, web.BaseRequest, list[str]], Awaitable[web.StreamResponse]]

REFRESH = "*/*/+simple/*/refresh"  # the one path with a word of its own that is no name
DOCUMENTATION = ("*/*/*/*/+doc", "*/*/*/*/+d")  # whatever follows is a path inside a documentation


async def _authcheck(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    return await authcheck.get(parts, request, lambda segments: form if (form := shape(segments)) in ROUTES else None)


ROUTES: dict[str, dict[str, Handler]] = {
    "": {"GET": users.everyone},
    "+api": {"GET": status.api},
    "*/+api": {"GET": status.api},
    "*/*/+api": {"GET": status.api},
    "+login": {"POST": status.login},
    "+authcheck": {"GET": _authcheck},
    "+status": {"GET": status.status},
    "+health": {"GET": health.get},
    "+health/*": {"GET": health.ask},
    "+changelog": {"GET": changelog.stream},
    "+blob/*": {"GET": changelog.blob},
    "+blobs": {"POST": changelog.blobs},
    "+join": {"POST": cluster.join},
    "+ack": {"POST": cluster.ack},
    "+promise": {"GET": cluster.get_promise, "POST": cluster.give_promise},
    "*": {"GET": users.get, "PUT": users.create, "PATCH": users.modify, "DELETE": users.delete},
    "*/+tokens": {"GET": tokens.get_all, "POST": tokens.create},
    "*/+tokens/*": {"GET": tokens.get, "DELETE": tokens.revoke},
    "*/+token-create": {"POST": tokens.create_macaroon},
    "*/*": {
        "GET": indexes.get,
        "PUT": indexes.create,
        "PATCH": indexes.modify,
        "DELETE": indexes.delete,
        "POST": pushes.post,
    },
    "*/*/+simple": {"GET": simple.project_list},
    "*/*/+simple/*": {"GET": simple.project_page},
    REFRESH: {"POST": simple.refresh},
    "*/*/+explain/*": {"GET": explain.get},
    "*/*/+alarms": {"GET": alarms.get, "POST": alarms.accept},
    "*/*/+f/*/*/*": {"GET": files.get, "POST": results.post, "DELETE": files.delete, "PATCH": files.yank},
    "*/*/+e/*/*": {"GET": mirror_files.get, "DELETE": mirror_files.delete_by_location},
    "*/*/*": {
        "GET": projects.get_project,
        "DELETE": projects.delete_project,
        "PATCH": projects.set_status,
    },
    "*/*/*/*": {
        "GET": projects.get_version,
        "DELETE": projects.delete_version,
        "PATCH": projects.yank_version,
    },
    DOCUMENTATION[0]: {"GET": documentation.get},
    DOCUMENTATION[1]: {"GET": documentation.get_framed},
    "*/*/*/*/+toxresults/*": {"GET": results.listed},
    "*/*/*/*/+toxresults/*/*": {"GET": results.get},
}

# What a node answers that may not be read because its copy of the log is too old.
ALWAYS = frozenset(
    {
        "+api",
        "*/+api",
        "*/*/+api",
        "+login",
        "+authcheck",
        "+status",
        "+health",
        "+health/*",
        "+changelog",
        "+blob/*",
        "+blobs",
        "+promise",
    }
)

# What a replica answers itself though its method says that something changes.
OWN = frozenset({"/+promise", "/+blobs"})
READS = ("GET", "HEAD", "OPTIONS")


def shape(segments: list[str]) -> str:
    """Return the shape of a path."""
    begin = "/".join(["*"] * 4 + segments[4:5])
    if begin in DOCUMENTATION and all(part[0] != "+" for part in segments[:4]):
        return begin
    plain = "/".join([part if part[0] == "+" else "*" for part in segments])
    return REFRESH if plain == "*/*/+simple/*/*" and segments[4] == "refresh" else plain


def is_search(request: web.BaseRequest) -> bool:
    """Return whether a request is the search of an old pip, by XML-RPC to an index; raises InvalidName."""
    is_call = request.method == "POST" and request.content_type == xmlrpc.MEDIA_TYPE
    return is_call and shape(path_segments(request.raw_path)[0]) == "*/*"


def is_own(request: web.BaseRequest) -> bool:
    """Return whether a replica answers itself: reads, a search too, and what is about the node; raises InvalidName."""
    return request.method in READS or request.raw_path in OWN or is_search(request)
