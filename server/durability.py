"""How durable a write is to be before it is answered: on the primary's disk, or on those of some voters too.

``local`` or ``replicas=N``; a request says it in ``X-Ledgerpi-Durability``, else an index in its option ``durability``,
else the cluster's setting holds. A write that waits for voters waits for at least as many as the cluster's setting
says, for a promotion counts on that.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar

from changelog.errors import InvalidOption
from changelog.names import IndexName
from changelog.tables import Store
from changelog.views import indexes, voting
from server.commands import UPSTREAM, ModifyIndex, Request

HEADER = "X-Ledgerpi-Durability"
OPTION = "durability"  # of an index
NOT_SAID = -1
LOCAL = "local"

wanted: ContextVar[int] = ContextVar("wanted", default=NOT_SAID)  # by the request under way

_REPLICAS = re.compile(r"replicas=([0-9]{1,4})", re.ASCII)


def parse(text: str) -> int:
    """Return the number of voters besides the primary that *text* wants, 0 = none.

    Raises:
        InvalidOption: it says no durability.
    """
    found = _REPLICAS.fullmatch(text)
    if text != LOCAL and (found is None or not int(found[1])):
        raise InvalidOption(f"not a durability: {text[:100]!a}; one is local, or replicas=1 and more")
    return 0 if found is None else int(found[1])


def note(headers: Mapping[str, str]) -> None:
    """Note what a request with *headers* wants; raises InvalidOption as :func:`parse`."""
    wanted.set(parse(headers[HEADER]) if HEADER in headers else NOT_SAID)


def replicas(store: Store, request: Request) -> int:
    """Return how many voters besides the primary have to have what *request* writes, before it is answered.

    Raises:
        InvalidOption: there are not so many.
    """
    if request.caller.user == UPSTREAM:  # can be fetched again
        return 0
    number = _said(store, request)
    others = min(len(setting.voters) - 1 for setting in voting.find(store).settings)
    if number > others:
        raise InvalidOption(
            f"durability replicas={number} can not be had: there are {others} voters besides the primary"
        )
    return max(number, voting.required(store)) if number else 0


def _said(store: Store, request: Request) -> int:
    if request.replicas != NOT_SAID:
        return request.replicas
    if isinstance(request.command, ModifyIndex):  # it may be what makes the option one that can be had again
        return voting.required(store)
    name = getattr(request.command, "index", None)
    row = indexes.find(store, IndexName(name)) if isinstance(name, str) else None
    said = "" if row is None else row.option(OPTION, "")
    return parse(said) if isinstance(said, str) and said else voting.required(store)
