"""What the caveats of a macaroon say: those of devpi-tokens (``key=value``) and those of pypitoken (JSON).

A caveat that is not understood makes the whole token worthless: it is there to forbid something.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

from attrs import frozen

from changelog.errors import Unauthenticated
from changelog.names import normalize
from server.limits import ADMIN, DELETE, NO_LIMITS, READ, TEST, UPLOAD, VERBS, Limits

PERMISSIONS: dict[str, frozenset[str]] = {  # verb: devpi's permissions, all of which it takes
    READ: frozenset({"pkg_read"}),
    UPLOAD: frozenset({"upload"}),
    TEST: frozenset({"toxresult_upload"}),
    DELETE: frozenset({"del_entry", "del_project", "del_verdata"}),
    ADMIN: frozenset({"index_create", "index_delete", "index_modify"}),
}
NEVER = "never"
MAX_SHOWN = 100  # characters of a caveat in a message


@frozen
class Narrowing:
    """What one caveat, or all of them, leave."""

    limits: Limits = NO_LIMITS
    not_before: float = 0.0  # seconds since 1970
    expires: float = inf  # seconds since 1970

    def also(self, other: "Narrowing") -> "Narrowing":
        """Return what both leave."""
        return Narrowing(
            self.limits.narrowed(other.limits),
            max(self.not_before, other.not_before),
            min(self.expires, other.expires),
        )


def read(caveats: Iterable[bytes]) -> Narrowing:
    """Return what *caveats* leave together.

    Raises:
        Unauthenticated: one is not understood.
    """
    left = Narrowing()
    for caveat in caveats:
        left = left.also(_read(caveat))
    return left


def verbs_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the verbs that *names* of ours and of devpi's permissions stand for; a part of a verb is none."""
    given = set(names)
    return tuple(verb for verb in VERBS if verb in given or PERMISSIONS[verb] <= given)


def _read(caveat: bytes) -> Narrowing:
    try:
        text = caveat.decode()
        key, equals, value = text.partition("=")
        if equals and key in _DEVPI:
            return _DEVPI[key](value)
        return _of_json(json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unauthenticated(f"the token has a restriction that is not known here: {_shown(caveat)}") from error


def _of_json(plain: Any) -> Narrowing:  # noqa: ANN401 - JSON
    match plain:
        case [0, expires, not_before]:
            return Narrowing(not_before=_time(not_before), expires=_time(expires))
        case [1, projects]:
            return _projects(projects)
        case {"nbf": not_before, "exp": expires, **others} if not others:
            return Narrowing(not_before=_time(not_before), expires=_time(expires))
        case {"version": 1, "permissions": "user", **others} if not others:
            return Narrowing()
        case {"version": 1, "permissions": {"projects": projects, **more}, **others} if not (more or others):
            return _projects(projects)
    raise ValueError(plain)


def _projects(names: Sequence[str]) -> Narrowing:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(names)
    return Narrowing(Limits(projects=tuple(normalize(name.strip()) for name in names)))


def _time(number: int) -> float:
    if type(number) is not int:
        raise TypeError(number)
    return float(number)


def _items(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(","))


_DEVPI: dict[str, Callable[[str], Narrowing]] = {
    "allowed": lambda value: Narrowing(Limits(verbs=verbs_of(_items(value)))),
    "expires": lambda value: Narrowing(expires=inf if value == NEVER else float(int(value))),
    "indexes": lambda value: Narrowing(Limits(indexes=_items(value))),
    "not_before": lambda value: Narrowing(not_before=float(int(value))),
    "projects": lambda value: _projects(value.split(",")),
}


def _shown(caveat: bytes) -> str:
    return ascii(caveat.decode("utf-8", "replace")[:MAX_SHOWN])
