"""A file as a dump describes it, read and bounded."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from changelog.errors import InvalidForm, InvalidName
from changelog.names import FileName, UserName, file_name, user_name
from ops.devpi.parked import FILE, KINDS

MAX_PATH = 4_096  # bytes
MAX_ACTIONS = 1_000  # of a file's log
MAX_TEXT = 200  # characters of a name in a log
_NO_PARTS = frozenset({"", ".", ".."})
_HEX = re.compile(r"[0-9a-f]{8,128}", re.ASCII)
_HTTP_DATE = re.compile(r"\w{3}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_WHEN_PARTS = 6  # year to second
_SPEC_PARTS = 5  # of the path of a test result: user, index, project, digest, name


class Action(NamedTuple):
    """A line of a file's log."""

    what: str  # upload, push, overwrite
    who: str  # "" = nobody
    when: int  # microseconds, 0 = not said
    src: str
    dst: str
    times: int  # how often it was replaced, 0 = not said


class Described(NamedTuple):
    """A file of a dump. Nothing it says of itself was checked against the bytes."""

    relpath: str  # "/" between parts, none of them empty, "." or ".."
    kind: bytes  # of ops.devpi.parked
    filename: FileName
    hashes: dict[str, str]  # hex by algorithm
    modified: int | None  # microseconds
    actions: tuple[Action, ...] | None  # None = the dump has no log
    belongs_to: str  # a test result: the name of its file
    url: str  # a mirror's file: where upstream has it


def described(desc: dict[str, Any]) -> Described:
    """Return what the description *desc* in ``dataindex.json`` says.

    Raises:
        InvalidForm, InvalidName: it can not be meant.
    """
    relpath = _relpath(desc.get("relpath"))
    mapping = desc.get("entrymapping")
    mapping = mapping if isinstance(mapping, dict) else {}
    kind = KINDS[desc["type"]]
    return Described(
        relpath,
        kind,
        file_name(relpath.rpartition("/")[2]),
        _hashes(mapping, relpath, is_file=kind == FILE),
        _moment(mapping.get("last_modified")),
        _actions(desc.get("log")),
        str(desc["for_entrypath"]).rpartition("/")[2] if "for_entrypath" in desc else "",
        mapping["url"] if isinstance(mapping.get("url"), str) else "",
    )


def uploader(actions: tuple[Action, ...] | None) -> UserName:
    """Return who uploaded a file last, "" if nobody says so."""
    who = next((action.who for action in reversed(actions or ()) if action.what == "upload"), "")
    try:
        return user_name(who)
    except InvalidName:  # devpi's own words, as <import>
        return UserName("")


def _relpath(path: object) -> str:
    if not isinstance(path, str) or "\0" in path or "\\" in path or len(path) > MAX_PATH:
        raise InvalidForm("the path of a file is no relative path")
    parts = path.split("/")
    if not _NO_PARTS.isdisjoint(parts):
        raise InvalidForm(f"the path leads out of the dump, or is none: {path[:MAX_TEXT]!a}")
    return path


def _hashes(mapping: dict[str, Any], relpath: str, *, is_file: bool) -> dict[str, str]:
    """Return the digests; those of a test result that are its file's, which devpi-server 6.5 to 6.9 wrote, are none."""
    said = mapping.get("hashes")
    found = dict(said) if isinstance(said, dict) else {}
    found |= {"md5": mapping["md5"]} if "md5" in mapping else {}
    algorithm, equals, digest = str(mapping.get("hash_spec") or "").partition("=")
    found |= {algorithm: digest} if equals else {}
    parts = relpath.split("/")
    if not is_file and len(parts) == _SPEC_PARTS and parts[3].rpartition("=")[2] in found.values():
        return {}
    for name, text in found.items():
        if not isinstance(text, str) or not _HEX.fullmatch(text):
            raise InvalidForm(f"the {name[:MAX_TEXT]} digest is not hexadecimal")
    return found


def _moment(text: object) -> int | None:
    """Return the microseconds of an HTTP date (RFC 9110), or None."""
    if not isinstance(text, str):
        return None
    try:
        if match := _HTTP_DATE.fullmatch(text):  # as devpi-server writes it; the other way takes ten times as long
            day, month, year, *clock = match.groups()
            hour, minute, second = map(int, clock)
            number = _MONTHS.index(month) // 3 + 1
            return _microseconds(datetime(int(year), number, int(day), hour, minute, second, tzinfo=UTC))
        return _microseconds(parsedate_to_datetime(text[:MAX_TEXT]))
    except (ValueError, OverflowError, TypeError):
        return None


def _microseconds(moment: datetime) -> int | None:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = int(moment.timestamp())
    return seconds * 1_000_000 if seconds >= 0 else None


def _actions(log: object) -> tuple[Action, ...] | None:
    if not isinstance(log, list):
        return None
    return tuple([_action(line) for line in log[:MAX_ACTIONS] if isinstance(line, dict)])


def _action(line: dict[str, Any]) -> Action:
    count = line.get("count")
    return Action(
        _text(line.get("what")),
        _text(line.get("who")),
        _when(line.get("when")),
        _text(line.get("src")),
        _text(line.get("dst")),
        count if type(count) is int and 0 <= count < 1 << 31 else 0,
    )


def _text(text: object) -> str:
    return text[:MAX_TEXT] if isinstance(text, str) else ""


def _when(parts: object) -> int:
    """Return the microseconds of year, month, day, hour, minute, second; 0 if they are none."""
    if not isinstance(parts, list) or len(parts) < _WHEN_PARTS or set(map(type, parts)) != {int}:
        return 0
    year, month, day, hour, minute, second = parts[:_WHEN_PARTS]
    try:
        return _microseconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC)) or 0
    except (ValueError, OverflowError):
        return 0
