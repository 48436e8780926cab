"""Positions: where in the history a write stands, and reads that must not be older.

A position is ``EPOCH:SERIAL``, as ``1.1:42``: entry 42, written in epoch 1.1. Every answer to a write has it in
``X-Ledgerpi-Position``. A read may say the least position that it wants to see, in ``X-Ledgerpi-Min-Position`` or, as
installers can set no header, before its path: ``/+min/1.1:42/root/dev/+simple/``.
"""

import re

from aiohttp import web
from attrs import frozen
from yarl import URL

from changelog import log
from changelog.codec import decode
from changelog.errors import Conflict, InvalidForm, InvalidName, NotYet
from changelog.tables import Store
from changelog.views.cluster import MEMBER_BITS, shown_epoch
from server.parts import Parts

POSITION = "X-Ledgerpi-Position"
MIN_POSITION = "X-Ledgerpi-Min-Position"
PREFIXES = ("/+min/", "/%2Bmin/", "/%2bmin/")  # pip escapes the plus
WAIT_S = 5.0  # for entries that are not here yet

_TEXT = re.compile(r"([0-9]{1,10})\.([0-9]{1,4}):([0-9]{1,18})", re.ASCII)


@frozen
class Position:
    """An entry of the log."""

    epoch: int
    serial: int

    def __str__(self) -> str:
        """Return it as clients see it."""
        return f"{shown_epoch(self.epoch)}:{self.serial}"


def parse(text: str) -> Position:
    """Return the position that *text* says, or raise InvalidForm."""
    found = _TEXT.fullmatch(text.strip())
    if found is None or int(found[2]) >= 1 << MEMBER_BITS:
        raise InvalidForm(f"not a position: {text[:100]!a}; one is like 1.1:42")
    return Position((int(found[1]) << MEMBER_BITS) + int(found[2]), int(found[3]))


def of_head(store: Store) -> Position:
    """Return the position of the last entry."""
    head = log.head(store)
    return Position(head.epoch, head.size)


def has_prefix(request: web.BaseRequest) -> bool:
    """Return whether the path begins with a position."""
    return request.raw_path.startswith(PREFIXES)


def behind_prefix(path: str) -> str:
    """Return what follows the position that *path* begins with, or *path* if it does not."""
    return "/" + "".join(path.split("/", 3)[3:]) if path.startswith(PREFIXES) else path


def wanted(request: web.BaseRequest) -> Position | None:
    """Return the least position that a request wants to see, None if it does not say.

    Raises:
        InvalidForm: what it says is none.
    """
    if has_prefix(request):
        return parse(request.raw_path.split("/", 3)[2].replace("%3A", ":").replace("%3a", ":"))
    said = request.headers.get(MIN_POSITION)
    return None if said is None else parse(said)


def without_prefix(request: web.BaseRequest) -> web.BaseRequest:
    """Return the request for what follows the prefix."""
    if not has_prefix(request):
        return request
    rest = behind_prefix(request.raw_path)
    if rest.startswith("//"):  # a URL would take what follows for a host
        raise InvalidName("a path segment is empty")
    return request.clone(
        rel_url=URL(rest, encoded=True), scheme=request.scheme, host=request.host, remote=request.remote or ""
    )


async def reached(parts: Parts, position: Position, timeout_s: float = WAIT_S) -> None:
    """Return when this node has *position*, after *timeout_s* at the latest; a snapshot begun then sees it.

    Raises:
        NotYet: it did not come in time.
        Conflict: this node has another entry there: the one meant was lost when a primary was replaced.
    """
    if not await parts.news.beyond(position.serial - 1, timeout_s):
        raise NotYet(f"this node does not have {position} yet")
    with parts.reader.snapshot() as store:
        raw = log.entry(store, position.serial)
    if raw is None or decode(raw, position.serial)[1].epoch != position.epoch:
        raise Conflict(f"entry {position.serial} is not of epoch {shown_epoch(position.epoch)} here")
