"""Reading requests: paths, JSON bodies, names; all bounds of outside text that are not names' own."""

import json
import math
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from aiohttp import web

from changelog.errors import InvalidForm, InvalidName, TooLarge
from changelog.names import IndexName, ProjectName, Version, index_part, project_name, user_name, version

SERIAL = web.RequestKey("serial", int)  # of a request whose answer is made at this head and depends on no credential
UNTIL = web.RequestKey("until", float)  # of one whose answer changes then, seconds since 1970, without a commit
MAX_PATH = 2_048  # characters
MAX_JSON = 2 << 20  # bytes
MAX_DEPTH = 32
MAX_INTEGER = 1 << 63


def path_segments(raw: str) -> tuple[list[str], bool]:
    """Return the decoded segments of a raw request target and whether it ends in a slash.

    Raises:
        InvalidName: a segment is empty, a dot segment, not UTF-8, or has a slash or a control character in it.
    """
    path = raw.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = urlsplit(path).path or "/"
    if len(path) > MAX_PATH:
        raise InvalidName(f"the path has {len(path)} characters, at most {MAX_PATH}")
    slash = path.endswith("/")
    inner = path.strip("/") if slash else path[1:]
    if not inner:
        return [], True
    return [_segment(part) if _is_odd(part) else part for part in inner.split("/")], slash


def index_of(segments: list[str]) -> IndexName:
    """Return the index that the first two segments name, or raise InvalidName."""
    return IndexName(f"{user_name(segments[0])}/{index_part(segments[1])}")


def project_of(text: str) -> ProjectName:
    """Return a project's name from a path, or raise InvalidName."""
    return project_name(text)


def version_of(text: str) -> Version:
    """Return a version from a path, or raise InvalidName."""
    return version(text)


async def body_bytes(request: web.BaseRequest, most: int) -> bytes:
    """Return the body, or raise TooLarge if it has over *most* bytes."""
    if (request.content_length or 0) > most:
        raise TooLarge(f"a body of {request.content_length} bytes, at most {most}")
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > most:
            raise TooLarge(f"a body of over {most} bytes")
    return bytes(body)


async def json_object(request: web.BaseRequest) -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises:
        InvalidForm: it is none, is nested over 32 deep, or has a number beyond 64 bit or a surrogate.
        TooLarge: it is over 2 MiB.
    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise InvalidForm("the body must be a JSON object")
    return body


async def json_body(request: web.BaseRequest) -> Any:  # noqa: ANN401 - whatever JSON says
    """Return the body as JSON; raises as :func:`json_object`."""
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > MAX_JSON:
            raise TooLarge(f"a JSON body of over {MAX_JSON} bytes")
    try:
        body = json.loads(bytes(raw).decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidForm("the body is no JSON") from error
    _check_plain(body, MAX_DEPTH)
    return body


def accept_of(request: web.BaseRequest) -> str:
    """Return the Accept header, ``*/*`` if there is none."""
    return request.headers.get("Accept", "*/*")


def _is_odd(part: str) -> bool:
    return not part or "%" in part or part in {".", ".."} or not part.isascii() or not part.isprintable()


def _segment(part: str) -> str:
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError as error:
        raise InvalidName(f"a path segment is not UTF-8: {part[:200]!a}") from error
    if text in {"", ".", ".."} or "/" in text or not text.isprintable():
        raise InvalidName(f"not a path segment: {text[:200]!a}")
    return text


def _no_constant(text: str) -> float:
    raise ValueError(f"not JSON: {text}")


def _check_plain(value: object, depth: int) -> None:
    if depth < 0:
        raise InvalidForm(f"JSON nested over {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(key, depth - 1)
            _check_plain(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, depth - 1)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER:
        raise InvalidForm("an integer beyond 64 bit")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidForm("a number beyond 64 bit")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidForm(f"text with surrogates: {text[:100]!a}") from error
