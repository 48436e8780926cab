"""The JSON form of simple pages (PEP 691, 700, 714, 740, 792).

What is small is parsed at once, which is three times as fast. What is large or odd is parsed event by event
(yajl): its memory is bounded and the interpreter is never held for long. Both give the same.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, DecimalException
from itertools import chain
from typing import NoReturn

from changelog import names
from changelog.errors import InvalidName
from changelog.names import ProjectName
from server.upstream import fields
from server.upstream.events import AGAIN, items_of_events
from server.upstream.files import Files
from server.upstream.page import MAX_FILES, InvalidPage, UpstreamPage, shown
from server.upstream.read_version import check_version

SMALL = 4 << 20  # bytes of a body that is parsed at once

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 2_000  # half of what Python takes: one piece has it, however a number is cut
_SAMPLE = b"0" * 31  # what is left of it in every 64th byte


def read_project(pieces: Iterator[bytes], url: str, project: ProjectName) -> UpstreamPage:
    """Return the page of *project*; *url* is what its links are relative to, or raise InvalidPage."""
    files = Files(project, url)
    top: dict[str, object] = {}
    for item in _items(pieces, "files", top):
        if item is AGAIN:
            files = Files(project, url)
        else:
            files.add(item)
    meta = _meta(top)
    _check_name(top.get("name"), project)
    status, reason = _status(top.get("project-status"), meta)
    versions = top.get("versions")
    if isinstance(versions, list) and len(versions) > MAX_FILES:
        raise InvalidPage(f"the page of {project} has more than {MAX_FILES} versions")
    return UpstreamPage(
        files=files.all(versions),
        status=fields.status(status),
        reason=fields.reason(reason),
        serial=fields.serial(meta.get("_last-serial")),
        left_out=tuple(files.left_out),
    )


def read_list(pieces: Iterator[bytes]) -> Iterator[ProjectName]:
    """Yield the names of a project list as they come; raises InvalidPage at the piece that is none."""
    top: dict[str, object] = {}
    for item in _items(pieces, "projects", top):
        said = item.get("name") if isinstance(item, dict) else None
        if isinstance(said, str):
            try:
                yield names.project_name(said)
            except InvalidName:
                continue
    _meta(top)


def _items(pieces: Iterator[bytes], key: str, top: dict[str, object]) -> Iterator[object]:
    """Yield the items of the array *key*; when all are read, *top* has the other members."""
    checked, size = _checked(pieces), 0
    held: list[bytes] = []
    for piece in checked:
        held.append(piece)
        size += len(piece)
        if size > SMALL:
            return items_of_events(chain(held, checked), key, top)
    return _items_at_once(held, key, top)


def _checked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass on pieces without what the two parsers take differently, or take badly."""
    for piece in pieces:
        if b"\v" in piece or b"\f" in piece:
            raise InvalidPage("not JSON: a vertical tab or form feed")
        if _SAMPLE in piece[::64].translate(_ZEROS) and _LONG_NUMBER in piece.translate(_ZEROS):
            raise InvalidPage(f"not a page: a number of more than {len(_LONG_NUMBER)} digits")
        yield piece


def _items_at_once(held: list[bytes], key: str, top: dict[str, object]) -> Iterator[object]:
    body = b"".join(held)
    if b"\\u" in body and _SURROGATE.search(body):
        return items_of_events(iter(held), key, top)
    try:
        page = json.loads(body.decode(), parse_constant=_refuse, parse_float=Decimal)
    except RecursionError:
        return items_of_events(iter(held), key, top)
    except (ValueError, DecimalException) as error:
        raise InvalidPage(f"not JSON: {shown(str(error))}") from error
    if not isinstance(page, dict) or not isinstance(page.get(key), list):
        raise InvalidPage(f"not a page: an object with an array {key!r} was expected")
    top.update(page)
    return iter(page[key])


def _refuse(constant: str) -> NoReturn:
    raise InvalidPage(f"not JSON: {constant}")


def _meta(top: dict[str, object]) -> dict[str, object]:
    meta = top.get("meta")
    if meta is None:
        return {}  # PEP 691 demands it; nothing is lost without
    if not isinstance(meta, dict):
        raise InvalidPage(f"not a page: its 'meta' is {shown(meta)}")
    check_version(meta.get("api-version"))
    return meta


def _check_name(said: object, project: ProjectName) -> None:
    try:
        found = names.project_name(said if isinstance(said, str) else "")
    except InvalidName:
        found = None
    if found != project:
        raise InvalidPage(f"not the page of {project}: its 'name' is {shown(said)}")


def _status(said: object, meta: dict[str, object]) -> tuple[object, object]:
    """Return status and reason; the example of PEP 792 has them in ``meta``, its text does not."""
    if isinstance(said, dict):
        return said.get("status"), said.get("reason")
    return meta.get("project-status"), meta.get("project-status-reason")
