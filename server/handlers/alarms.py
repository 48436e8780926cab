"""``+alarms``: files of which upstream claims other bytes than before, until an owner accepts them."""

from contextlib import suppress

from aiohttp import web

from changelog.errors import InvalidForm, NotFound
from changelog.names import file_name, project_name, sha256_hex
from changelog.views import fetched
from server.answers import enveloped, message
from server.handlers.freshness import settled
from server.limits import READ
from server.parts import Parts
from server.readers import reader_of
from server.requests import index_of, json_object
from server.upstream_commands import AcceptHash

KEYS = {"project", "filename", "sha256"}


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """List the alarms of a mirror, those about projects that the reader's token is for."""
    name, reader = index_of(segments), reader_of(request)
    with parts.reader.snapshot() as store:
        index = parts.sources.own(store, name)[1]
        found = [
            {
                "project": project,
                "filename": filename,
                "since": alarm.since,
                "known": alarm.known.hex(),
                "claimed": alarm.claimed.hex(),
                "accepted": alarm.accepted,
            }
            for project, filename, alarm in fetched.alarms(store, index)
            if reader.may(READ, name, project)
        ]
    return enveloped("list:alarm", found)


async def accept(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Accept the bytes that upstream claims: ``{"project": …, "filename": …, "sha256": …}``; the page is asked anew."""
    name, body = index_of(segments), await json_object(request)
    if body.keys() != KEYS or not all(isinstance(value, str) for value in body.values()):
        raise InvalidForm(f"the body must be an object of texts with the keys {', '.join(sorted(KEYS))}")
    project, filename = project_name(body["project"]), file_name(body["filename"])
    caller = await parts.auth.caller(request.headers, request.remote or "")
    await parts.submit(caller, AcceptHash(name, project, filename, sha256_hex(body["sha256"])))
    with suppress(NotFound):  # with a token that is not for reading; then it is asked when the page expires
        await settled(parts, request, name, project, force=True)
    return message(f"{filename} may have SHA-256 {body['sha256']} in {name}")
