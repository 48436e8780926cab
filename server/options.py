"""Options of indexes and texts of users, from JSON as devpi's clients send it, and back."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from changelog.errors import InvalidOption
from changelog.events.indexes import Option, OptionValue
from changelog.names import IndexName, index_name, project_name, user_name
from changelog.views.indexes import STAGE, Index
from server.permissions import ANONYMOUS, AUTHENTICATED, owner_of

TEXTS = ("title", "description", "custom_data")  # free text: private records
IGNORED = ("projects", "type")  # what the client echoes
PROFILE = ("email", *TEXTS)
PROFILE_IGNORED = ("indexes", "username", "created", "modified", "password")
CHECKS = ("strict", "lenient")
MAX_TEXT = 1 << 20  # bytes of all texts of a user or an index
MAX_OPERATIONS = 1_000  # of one request; each copies a list
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_OPERATION = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<op>\+=|-=|=)(?P<value>.*)", re.DOTALL)

Values = dict[str, OptionValue]


def stage_defaults(name: IndexName) -> Values:
    """Return what the options of a stage are when nothing is said."""
    return {
        "acl_toxresult_upload": (ANONYMOUS,),
        "acl_upload": (owner_of(name),),
        "bases": (),
        "mirror_whitelist": (),
        "mirror_whitelist_inheritance": "intersection",
        "volatile": True,
    }


def parse_stage(name: IndexName, body: Mapping[str, Any]) -> Values:
    """Return the options of a stage among the keys of *body*; texts and echoed keys are left out.

    Raises:
        InvalidOption: an unknown key or an impossible value.
    """
    values: Values = {}
    for key, value in body.items():
        if key in TEXTS or key in IGNORED:
            continue
        parse = _STAGE.get(key)
        if parse is None:
            raise InvalidOption(f"unknown option of a stage: {key!r}")
        values[key] = parse(key, value)
    return {key: value for key, value in values.items() if value != stage_defaults(name).get(key)}


def shown(name: IndexName, index: Index, texts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as ``indexconfig`` shows them."""
    options = (stage_defaults(name) if index.type == STAGE else {}) | dict(index.options)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    return dict(sorted({**plain, **texts, "type": index.type}.items()))


def packed(values: Values) -> tuple[Option, ...]:
    """Return options as events have them."""
    return tuple(sorted(values.items()))


def parse_texts(body: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the texts among *keys* that *body* has, empty ones too.

    Raises:
        InvalidOption: one is too long, or a title, description or e-mail is no text.
    """
    texts = {key: body[key] for key in keys if key in body}
    for key, value in texts.items():
        if key != "custom_data" and not isinstance(value, str | None):
            raise InvalidOption(f"{key} must be text, not {value!r}")
    if len(json.dumps(texts)) > MAX_TEXT:
        raise InvalidOption(f"{', '.join(texts)} are over {MAX_TEXT} bytes")
    return texts


def merged_texts(old: Mapping[str, Any], new: Mapping[str, Any]) -> bytes:
    """Return the private record of *old* changed by *new*, where an empty value drops a key; b"" if nothing is left."""
    texts = {key: value for key, value in {**old, **new}.items() if value not in ("", None)}
    return json.dumps(texts, sort_keys=True).encode() if texts else b""


def apply_operations(name: IndexName, current: Mapping[str, Any], operations: list[Any]) -> dict[str, Any]:
    """Return *current* (as :func:`shown`) changed by ``key=value``, ``key+=value``, ``key-=value`` and ``key-=``.

    Raises:
        InvalidOption: an operation can not be read, or removes what is not there, or there are over 1,000.
    """
    if len(operations) > MAX_OPERATIONS:
        raise InvalidOption(f"{len(operations)} operations, at most {MAX_OPERATIONS}")
    result = dict(current)
    for operation in operations:
        match = _OPERATION.fullmatch(operation) if isinstance(operation, str) else None
        if match is None:
            raise InvalidOption(f"not an operation like key=value, key+=value, key-=value: {operation!r}")
        key, op, value = match.group("key", "op", "value")
        if op == "=":
            result[key] = _items(key, value) if isinstance(result.get(key), list) else value
        elif not value:
            _drop(name, result, key, op)
        else:
            result[key] = _with(result.get(key, []), key, op, value)
    return result


def _drop(name: IndexName, result: dict[str, Any], key: str, op: str) -> None:
    if op == "+=" or key not in result:
        raise InvalidOption(f"nothing to change in {key!r}")
    if key in stage_defaults(name):
        raise InvalidOption(f"{key} has a default and can not be dropped")
    del result[key]


def _with(value: object, key: str, op: str, item: str) -> list[str]:
    items = list(value) if isinstance(value, list | tuple) else None
    if items is None:
        raise InvalidOption(f"{key} is no list")
    if op == "+=":
        return items if item in items else [*items, item]
    if item not in items:
        raise InvalidOption(f"{item!r} is not in {key}")
    items.remove(item)
    return items


def _boolean(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if isinstance(value, str | int) and text in _TRUE + _FALSE:
        return text in _TRUE
    raise InvalidOption(f"{key} must be true or false, not {value!r}")


def _items(key: str, value: object) -> list[str]:
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InvalidOption(f"{key} must be a list of texts, not {value!r}")
    return list(dict.fromkeys(value))


def _bases(key: str, value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(index_name(item) for item in _items(key, value)))


def _acl(key: str, value: object) -> tuple[str, ...]:
    special = {word.lower(): word for word in (ANONYMOUS, AUTHENTICATED)}
    return tuple(dict.fromkeys(special.get(item.lower()) or _principal(item) for item in _items(key, value)))


def _principal(item: str) -> str:
    """Return the name of a user, or of a group with its colon, or raise InvalidName."""
    colon = ":" if item.startswith(":") else ""
    return colon + user_name(item.removeprefix(":"))


def _whitelist(key: str, value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item if item == "*" else project_name(item) for item in _items(key, value)))


def _one_of(*choices: str) -> Callable[[str, object], str]:
    def parse(key: str, value: object) -> str:
        if value not in choices:
            raise InvalidOption(f"{key} must be {' or '.join(choices)}, not {value!r}")
        return str(value)

    return parse


_STAGE: dict[str, Callable[[str, object], OptionValue]] = {
    "acl_toxresult_upload": _acl,
    "acl_upload": _acl,
    "bases": _bases,
    "mirror_whitelist": _whitelist,
    "mirror_whitelist_inheritance": _one_of("intersection", "union"),
    "upload_checks": _one_of(*CHECKS),
    "volatile": _boolean,
}
