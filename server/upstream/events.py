"""Walks through the events of a JSON parser, keeping only what a simple page can mean."""

from collections.abc import Callable, Iterable, Iterator
from decimal import DecimalException
from typing import Final

import ijson  # type: ignore[import-untyped]

from server.upstream import fields
from server.upstream.files import FIELDS
from server.upstream.page import MAX_FILES, InvalidPage, shown

_Event = tuple[str, object]

AGAIN: Final = object()  # the array begins anew: of equal keys the last one counts
MAX_DEPTH = 1_000  # of nested values; json.loads takes no more

_MAX_SILENT = 64  # pieces without an event: a text of 4 MiB
_TOP = frozenset({"meta", "name", "versions", "project-status"})
_MEMBERS = FIELDS | {"name"}  # of a file or a listed project
_INNER = fields.DIGESTS | {
    *("api-version", "_last-serial", "project-status", "project-status-reason", "status", "reason"),
}


def items_of_events(pieces: Iterable[bytes], key: str, top: dict[str, object]) -> Iterator[object]:
    """Yield the items of the array *key*, each with the members that a file or a listed project may have.

    AGAIN comes before the first item, and again if the key does. When all are read, *top* has those other
    members of the page that mean something.

    Raises:
        InvalidPage: it is not JSON, no object, has no such array, or is nested too deep.
    """
    events, is_array = _events(pieces), False
    if next(events)[0] != "start_map":
        raise InvalidPage("not a page: an object was expected")
    for event, name in events:
        if event == "end_map":
            break
        following = next(events)
        if name == key:
            yield AGAIN
            is_array = following[0] == "start_array"
        if name == key and is_array:
            yield from _items(events)
        elif name in _TOP:
            top[str(name)] = _inner(following, events)
        else:
            _scalar(following, events)
    for _ in events:  # the parser refuses whatever follows
        pass
    if not is_array:
        raise InvalidPage(f"not a page: an object with an array {key!r} was expected")


def _items(events: Iterator[_Event]) -> Iterator[object]:
    for event, value in events:
        if event == "end_array":
            return
        yield _members(events) if event == "start_map" else _scalar((event, value), events)


def _members(events: Iterator[_Event]) -> dict[str, object]:
    """Return the members of the object that has begun: texts and numbers, and objects of such."""
    found: dict[str, object] = {}
    for event, name in events:
        if event == "end_map":
            break
        following = next(events)
        if name not in _MEMBERS:
            _scalar(following, events)
        else:
            value = following[1]
            found[str(name)] = value if value is not None else _inner(following, events)
    return found


def _inner(start: _Event, events: Iterator[_Event]) -> object:
    """Return the value that *start* begins, of one level at most: what is deeper is left empty."""
    if start[0] == "start_map":
        return _inner_object(events)
    return _inner_array(events) if start[0] == "start_array" else start[1]


def _inner_object(events: Iterator[_Event]) -> dict[str, object]:
    found: dict[str, object] = {}
    for event, name in events:
        if event == "end_map":
            break
        value = _scalar(next(events), events)
        if str(name).lower() in _INNER:
            found[str(name)] = value
    return found


def _inner_array(events: Iterator[_Event]) -> list[object]:
    found: list[object] = []
    for event in events:
        if event[0] == "end_array":
            break
        if len(found) > MAX_FILES:
            raise InvalidPage(f"not a page: an array of more than {MAX_FILES} members")
        found.append(_scalar(event, events))
    return found


def _scalar(start: _Event, events: Iterator[_Event]) -> object:
    """Return the value that *start* begins, an empty object or array in place of one with anything in it."""
    if not start[0].startswith("start_"):
        return start[1]
    depth = 1
    for event, _ in events:
        if event.startswith("start_"):
            depth += 1
        elif event.startswith("end_"):
            depth -= 1
        if depth > MAX_DEPTH:
            raise InvalidPage(f"not a page: nested more than {MAX_DEPTH} deep")
        if not depth:
            break
    return {} if start[0] == "start_map" else []


def _events(pieces: Iterable[bytes]) -> Iterator[_Event]:
    found = ijson.sendable_list()
    parser = ijson.basic_parse_coro(found)
    silent = 0
    for piece in pieces:
        _parse(parser.send, piece)
        silent = 0 if found else silent + 1
        if silent > _MAX_SILENT:
            raise InvalidPage("not a page: a text of more than 4 MiB")
        yield from found
        found.clear()
    _parse(parser.close)
    yield from found


def _parse(step: Callable[..., object], *piece: bytes) -> None:
    """Take one step of a parser; after an error its events are not to be touched."""
    try:
        step(*piece)
    except (ijson.JSONError, ValueError, DecimalException) as error:  # not UTF-8; an exponent beyond all bounds
        said = str(error).replace("\\n", "\n").partition("\n")[0]  # yajl goes on with a piece of the page
        raise InvalidPage(f"not JSON: {shown(said)}") from error
