"""What a new token shall be limited to, as a JSON body or a command line says it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from changelog.errors import InvalidForm
from changelog.names import IndexName, ProjectName, UserName, index_name, project_name
from changelog.records import NONE, Record, new_record
from server.caveats import NEVER, PERMISSIONS, verbs_of
from server.limits import VERBS
from server.token_commands import CreateToken

DEFAULT_LIFE_S = 366 * 86_400  # as devpi-tokens has it: a year
MAX_TIME = 253_402_300_799  # seconds since 1970: the end of the year 9999
MAX_ITEMS = 100  # of a list
MAX_DESCRIPTION = 200  # characters
KEYS = ("verbs", "indexes", "projects", "not_before", "expires", "description")
DEVPI_KEYS = ("allowed", *KEYS[1:])


@frozen
class TokenWish:
    """The limits of a new token; empty lists and 0 are none."""

    verbs: tuple[str, ...]
    indexes: tuple[IndexName, ...]
    projects: tuple[ProjectName, ...]
    not_before: int  # seconds since 1970
    expires: int  # seconds since 1970
    description: str

    def command(self, user: UserName, token: str, secret: bytes) -> tuple[CreateToken, tuple[Record, ...]]:
        """Return the command with its private records; *token* is the id, *secret* as in TokenCreated."""
        record = new_record(self.description.encode()) if self.description else None
        commitment = NONE if record is None else record.commitment
        limits = (self.verbs, self.indexes, self.projects, self.not_before, self.expires)
        return CreateToken(token, user, secret, *limits, commitment), () if record is None else (record,)


def parse(body: Mapping[str, Any], keys: tuple[str, ...] = KEYS) -> TokenWish:
    """Return what *body* asks for, whose keys may be *keys*; without ``expires`` it is good for a year.

    Raises:
        InvalidForm, InvalidName: it can not be meant.
    """
    unknown = sorted(body.keys() - set(keys))
    if unknown:
        raise InvalidForm(f"unknown keys of a token: {', '.join(unknown)[:200]}")
    expires = _time(body, "expires") or int(time.time()) + DEFAULT_LIFE_S
    if body.get("expires") == NEVER:
        expires = 0
    elif expires <= time.time():
        raise InvalidForm(f"a token can not expire in the past: {expires}")
    return TokenWish(
        _verbs(_list(body, keys[0], str), keys[0]),
        _list(body, "indexes", index_name),
        _list(body, "projects", project_name),
        _time(body, "not_before"),
        expires,
        _description(body),
    )


def _verbs(given: tuple[str, ...], key: str) -> tuple[str, ...]:
    verbs = verbs_of(given)
    known = {*verbs, *(name for verb in verbs for name in PERMISSIONS[verb])}
    for name in given:
        if name in known:
            continue
        whole = next((names for names in PERMISSIONS.values() if name in names), None)
        cure = f"only with {', '.join(sorted(whole - {name}))}" if whole else f"not one of {', '.join(VERBS)}"
        raise InvalidForm(f"{key} of a token can not have {name[:100]!a}: {cure}")
    return verbs


def _list(body: Mapping[str, Any], key: str, item: Callable[[str], Any]) -> tuple[Any, ...]:
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not 0 < len(value) <= MAX_ITEMS or not all(isinstance(it, str) for it in value):
        raise InvalidForm(f"{key} of a token must be a list of 1 to {MAX_ITEMS} texts, or left out for all")
    return tuple(sorted({item(text) for text in value}))


def _time(body: Mapping[str, Any], key: str) -> int:
    value = body.get(key)
    if value is None or (key == "expires" and value == NEVER):
        return 0
    if type(value) is not int or not 0 < value <= MAX_TIME:
        hint = f' or "{NEVER}"' if key == "expires" else ""
        raise InvalidForm(f"{key} of a token must be seconds since 1970{hint}, not {value!a:.100}")
    return value


def _description(body: Mapping[str, Any]) -> str:
    value = body.get("description")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION or not value.isprintable():
        raise InvalidForm(f"description of a token must be one line of at most {MAX_DESCRIPTION} characters")
    return value
