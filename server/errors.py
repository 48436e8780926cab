"""The one table from errors to HTTP."""

import html
import json

from aiohttp import web

from changelog import errors
from changelog.errors import LedgerpiError, TooManyAttempts, Unauthenticated, Unavailable
from server.render.ranges import RangeNotSatisfiable

STATUS: dict[type[Exception], int] = {
    errors.InvalidInput: 400,
    errors.Unauthenticated: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    RangeNotSatisfiable: 416,
    errors.TooManyAttempts: 429,
    errors.Damaged: 500,
    errors.Unavailable: 502,
    errors.OutcomeUnknown: 503,
    errors.NotPrimary: 503,
    errors.NotReplicated: 503,
    errors.NotYet: 503,
    errors.TooOld: 503,
    errors.StorageFull: 507,
}
MAX_REASON = 200  # characters of a reason phrase
ALLOWED_IN_REASON = range(32, 127)  # printable ASCII


def status_of(error: LedgerpiError) -> int:
    """Return the status of the nearest class of *error* that has one."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def reason_phrase(text: str) -> str:
    """Return *text* as a reason phrase: printable ASCII, at most 200 characters."""
    return "".join(c if ord(c) in ALLOWED_IN_REASON else "?" for c in text[:MAX_REASON])


def response(error: LedgerpiError, accept: str, *, reason: bool) -> web.Response:
    """Return the answer that carries *error*: JSON where the client takes it, else a small page.

    *reason* puts the text into the reason phrase too, where uploads' clients read it. A 502 has it there always:
    installers print it, and who asks by HEAD reads nothing else.
    """
    status, message = status_of(error), str(error)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Basic realm="pypi"'
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = error.content_range
    if status == 503:  # noqa: PLR2004 - Service Unavailable
        headers["Retry-After"] = "1"
    phrase = reason_phrase(message) if reason or isinstance(error, Unavailable) else None
    if "application/json" in accept and not reason:
        body, kind = json.dumps({"message": message}, indent=2) + "\n", "application/json"
    elif reason:
        body, kind = message + "\n", "text/plain"
    else:
        title = f"{status} {reason_phrase(message)}"
        body, kind = _PAGE.format(html.escape(title), html.escape(message)), "text/html"
    return web.Response(
        status=status,
        reason=phrase,
        body=body.encode("utf-8", "replace"),
        headers={**headers, "Content-Type": kind if kind == "application/json" else f"{kind}; charset=utf-8"},
    )


_PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>
"""
