"""Who reads: asked before a handler, wherever a path begins with an index, so that no route can forget it.

Where everybody may read the index and all its bases, credentials are not looked at, and answers may be kept for all.
"""

from aiohttp import web

from changelog.errors import LedgerpiError
from changelog.names import IndexName, ProjectName
from changelog.tables import Store
from server import followers
from server.auth import credentials
from server.commands import NOBODY, REPLICA, Caller
from server.parts import Parts
from server.requests import body_bytes, index_of

READER = web.RequestKey("reader", Caller)  # of a request whose answer is for nobody else
CREDENTIALS = "Authorization, X-Devpi-Auth"  # what such an answer varies by
OWNERS = ("PUT", "DELETE")  # of an index: only its owner may, and nobody else learns whether there is one
MAX_TAKEN = 64 << 10  # bytes of a body that is read though it is refused
READS = ("GET", "HEAD")
WHOSE = ("", "public", "private")  # words of Cache-Control


async def admit(parts: Parts, request: web.BaseRequest, segments: list[str], *, reads: bool) -> None:
    """Check that who sends *request* may know of the index that the path begins with, and note who it is.

    One that *reads* may do that too; what else the caller may is asked by who does it.

    Raises:
        Unauthenticated: who it is has to be known, or the credentials are wrong.
        NotFound: there is no such index, as far as the caller may know.
        Refused: the caller's token is not for reading.
        TooOld: the credentials can not be checked.
    """
    if not _begins_with_index(segments) or (len(segments) == 2 and request.method in OWNERS):  # noqa: PLR2004
        return
    name = index_of(segments)
    with parts.reader.snapshot() as store:
        if parts.sources.are_public(store, name):
            return
    try:
        caller = await _caller(parts, request)
        with parts.reader.snapshot() as store:
            parts.sources.check(store, name, caller, reads=reads)
    except LedgerpiError:
        await _take_small_body(request)
        raise
    request[READER] = caller


def reader_of(request: web.BaseRequest) -> Caller:
    """Return for whom an answer is made: nobody in particular where everybody may read."""
    reader: Caller = request.get(READER, NOBODY)
    return reader


def keep_private(answer: web.StreamResponse) -> None:
    """Let no cache that several share keep *answer*, and none give it to another."""
    headers = answer.headers
    said = [word.strip() for word in headers.get("Cache-Control", "").split(",")]
    if "no-store" in said:
        return
    headers["Cache-Control"] = ", ".join(["private", *(word for word in said if word not in WHOSE)])
    headers["Vary"] = f"{headers['Vary']}, {CREDENTIALS}" if "Vary" in headers else CREDENTIALS


def check_project(parts: Parts, request: web.BaseRequest, store: Store, index: IndexName, project: ProjectName) -> None:
    """Raise NotFound where a file of *project* would be read by a token that is not for it."""
    if request.method in READS:
        parts.sources.order(store, index, reader_of(request), project)


async def _take_small_body(request: web.BaseRequest) -> None:
    """Read a body that is soon there, as who handles such a request would have: a PUSH may follow it at once."""
    is_small = (request.content_length or MAX_TAKEN + 1) <= MAX_TAKEN
    if request.can_read_body and is_small and "Expect" not in request.headers:
        await body_bytes(request, MAX_TAKEN)


async def _caller(parts: Parts, request: web.BaseRequest) -> Caller:
    """Return who asks: a user, or another node of the cluster, which enforces the same."""
    authorization = request.headers.get("Authorization", "")
    is_bearer = authorization[:7].lower() == "bearer "
    if is_bearer and credentials(request.headers) is None:  # it is no user's token
        with parts.reader.snapshot() as store:
            followers.of(store, authorization)
        return Caller(REPLICA, 0)
    return await parts.auth.caller(request.headers, request.remote or "")


def _begins_with_index(segments: list[str]) -> bool:
    return len(segments) > 1 and segments[0][0] != "+" and segments[1][0] != "+"
