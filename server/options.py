"""Options of indexes and texts of users, from JSON as devpi's clients send it, and back."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from changelog.errors import InvalidOption
from changelog.events.indexes import Option, OptionValue
from changelog.names import IndexName, index_name, project_name, user_name
from changelog.views.indexes import MIRROR, STAGE, Index
from server import durability
from server.permissions import ANONYMOUS, AUTHENTICATED, owner_of
from server.upstream.origins import masked

TEXTS = ("title", "description", "custom_data")  # free text: private records
URL = "mirror_url"  # of a mirror: a private record with the texts, for it may hold credentials
IGNORED = ("projects", "type")  # what the client echoes
PROFILE = ("email", *TEXTS)
PROFILE_IGNORED = ("indexes", "username", "created", "modified", "password")
CHECKS = ("strict", "lenient")
MAX_TEXT = 1 << 20  # bytes of all texts of a user or an index
MAX_URL = 2_000  # characters
MAX_SHOWN = 200  # characters of a URL in a message
MAX_EXPIRY_S = 10 * 365 * 24 * 3600
MAX_OPERATIONS = 1_000  # of one request; each copies a list
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_OPERATION = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<op>\+=|-=|=)(?P<value>.*)", re.DOTALL)
_BEGIN = re.compile(r"[\w.+-]{0,64}")

Values = dict[str, OptionValue]


def private_keys(kind: str) -> tuple[str, ...]:
    """Return the keys of an index of type *kind* that are kept in its private record."""
    return (*TEXTS, URL) if kind == MIRROR else TEXTS


def defaults(kind: str, name: IndexName) -> Values:
    """Return what the options that are always shown are when nothing is said."""
    if kind == MIRROR:
        return {"acl_read": (ANONYMOUS,), "volatile": True}
    return {
        "acl_read": (ANONYMOUS,),
        "acl_toxresult_upload": (ANONYMOUS,),
        "acl_upload": (owner_of(name),),
        "bases": (),
        "mirror_whitelist": (),
        "mirror_whitelist_inheritance": "intersection",
        "volatile": True,
    }


def parse(kind: str, name: IndexName, body: Mapping[str, Any]) -> Values:
    """Return the options among the keys of *body*; private and echoed keys are left out.

    Raises:
        InvalidOption: an unknown type or key, or an impossible value.
    """
    parsers = _PARSERS.get(kind)
    if parsers is None:
        raise InvalidOption(f"unknown type of index: {kind!r}")
    values: Values = {}
    for key, value in body.items():
        if key in private_keys(kind) or key in IGNORED:
            continue
        parse_value = parsers.get(key)
        if parse_value is None:
            raise InvalidOption(f"unknown option of a {kind}: {key!r}")
        values[key] = parse_value(key, value)
    return {key: value for key, value in values.items() if value != defaults(kind, name).get(key)}


def shown(name: IndexName, index: Index, texts: Mapping[str, Any], *, to_owner: bool) -> dict[str, Any]:
    """Return the options as ``indexconfig`` shows them; where a mirror's files come from only *to_owner*, masked."""
    options = defaults(index.type, name) | dict(index.options)
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    public = {key: value for key, value in texts.items() if key != URL}
    url = {URL: masked(texts[URL])} if to_owner and URL in texts else {}
    return dict(sorted({**plain, **public, **url, "type": index.type}.items()))


def packed(values: Values) -> tuple[Option, ...]:
    """Return options as events have them."""
    return tuple(sorted(values.items()))


def parse_texts(body: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the texts among *keys* that *body* has, empty ones too.

    Raises:
        InvalidOption: one is too long, a title, description or e-mail is no text, or ``mirror_url`` no URL.
    """
    texts = {key: body[key] for key in keys if key in body}
    if texts.get(URL):
        texts[URL] = _url(URL, texts[URL])
    for key, value in texts.items():
        if key != "custom_data" and not isinstance(value, str | None):
            raise InvalidOption(f"{key} must be text, not {value!r}")
    if len(json.dumps(texts)) > MAX_TEXT:
        raise InvalidOption(f"{', '.join(texts)} are over {MAX_TEXT} bytes")
    return texts


def texts_in(payload: bytes) -> dict[str, Any]:
    """Return the texts that :func:`merged_texts` made *payload* from."""
    texts: dict[str, Any] = json.loads(payload) if payload else {}
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
            raise InvalidOption(f"not an operation like key=value, key+=value, key-=value: {_begin(operation)}")
        key, op, value = match.group("key", "op", "value")
        if op == "=":
            result[key] = _items(key, value) if isinstance(result.get(key), list) else value
        elif not value:
            _drop(name, result, key, op)
        else:
            result[key] = _with(result.get(key, []), key, op, value)
    return result


def _begin(operation: object) -> str:
    """Return what an operation begins with: behind it may be a password, as in a URL."""
    if not isinstance(operation, str):
        return "no text"
    word = operation[: _BEGIN.match(operation).end()]  # type: ignore[union-attr] # matches everything
    return repr(word if word == operation else f"{word}…")


def _drop(name: IndexName, result: dict[str, Any], key: str, op: str) -> None:
    if op == "+=" or key not in result:
        raise InvalidOption(f"nothing to change in {key!r}")
    if key in defaults(str(result.get("type", STAGE)), name):
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


def _seconds(key: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_EXPIRY_S)):
        value = int(value)
    if type(value) is not int or not 0 <= value <= MAX_EXPIRY_S:
        raise InvalidOption(f"{key} must be a number of seconds, not {value!r}")
    return value


def _url(key: str, value: object) -> str:
    """Return *value* as an http(s) URL that ends in a slash; userinfo and query stand in no message."""
    text = value.strip() if isinstance(value, str) else ""
    is_plain = text.isascii() and text.isprintable() and not any(character in text for character in ' "<>\\^`{|}#')
    try:
        parts = urlsplit(text)
        has_host = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not is_plain or not has_host or parts.query or len(text) > MAX_URL:
        rule = "must be a URL that begins with http:// or https:// and has no query"
        raise InvalidOption(f"{key} {rule}, not {_without_secrets(value)}")
    return text if text.endswith("/") else f"{text}/"


def _without_secrets(url: object) -> str:
    """Return what may be no URL at all, without all before its last ``@`` and behind its path."""
    if not isinstance(url, str):
        return "no text"
    _, at, place = url.rpartition("@")
    shown = re.split(r"[?#]", place)[0][:MAX_SHOWN]
    return repr(f"***@{shown}" if at else shown)


def _url_format(key: str, value: object) -> str:
    text = _url(key, str(value).replace("{name}", "name")) if value else ""
    if text and "{name}" not in str(value):
        raise InvalidOption(f"{key} must be a URL with {{name}} in it, not {value!r}")
    return str(value).strip() if text else ""


def _durability(key: str, value: object) -> str:
    """Return *value*, which says a durability, or "" for the cluster's."""
    if not isinstance(value, str):
        raise InvalidOption(f"{key} must be a text, not {value!r}")
    if value:
        durability.parse(value)
    return value


_MIRROR: dict[str, Callable[[str, object], OptionValue]] = {
    "acl_read": _acl,
    "mirror_cache_expiry": _seconds,
    "mirror_ignore_serial_header": _boolean,
    "mirror_no_project_list": _boolean,
    "mirror_provides_core_metadata": _boolean,
    "mirror_use_external_urls": _boolean,
    "mirror_web_url_fmt": _url_format,
    "volatile": _boolean,
}
_STAGE: dict[str, Callable[[str, object], OptionValue]] = {
    "acl_read": _acl,
    "acl_toxresult_upload": _acl,
    "acl_upload": _acl,
    "bases": _bases,
    durability.OPTION: _durability,
    "mirror_whitelist": _whitelist,
    "mirror_whitelist_inheritance": _one_of("intersection", "union"),
    "upload_checks": _one_of(*CHECKS),
    "volatile": _boolean,
}
_PARSERS = {STAGE: _STAGE, MIRROR: _MIRROR}
