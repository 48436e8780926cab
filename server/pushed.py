"""What devpi's client sends to have a release pushed."""

from typing import Any

from attrs import frozen

from changelog.errors import InvalidForm


@frozen
class Wanted:
    """A release, and where to."""

    name: str  # as it was spelled
    version: str
    target: str | None  # an index of this server, None = another server
    url: str  # of the other server, to which forms are sent
    user: str
    password: str
    register: bool  # send its metadata first
    files: bool
    docs: bool


TEXTS = ("name", "version", "targetindex", "posturl", "username", "password")
FLAGS = ("no_docs", "only_docs", "register_project")
TO_INDEX = frozenset({"name", "version", "targetindex", "no_docs", "only_docs"})
TO_SERVER = (frozenset({*TEXTS, *FLAGS})) - {"targetindex"}


def read(body: dict[str, Any]) -> Wanted:
    """Return what the JSON *body* says.

    Raises:
        InvalidForm: something is missing, unknown, of another type, or contradicts.
    """
    texts = {key: _text(body, key) for key in TEXTS if key in body}
    flags = {key: _flag(body, key) for key in FLAGS}
    missing = [key for key in ("name", "version") if key not in texts]
    if missing:
        raise InvalidForm(f"a push needs {' and '.join(missing)}")
    if flags["no_docs"] and flags["only_docs"]:
        raise InvalidForm("can't use 'no_docs' and 'only_docs' together")
    to_index = "targetindex" in texts
    unknown = sorted(body.keys() - (TO_INDEX if to_index else TO_SERVER))
    if unknown:
        raise InvalidForm(f"unknown additional options: {', '.join(unknown)[:200]}")
    missing = [] if to_index else [key for key in ("posturl", "username", "password") if key not in texts]
    if missing:
        raise InvalidForm(f"a push needs targetindex, or {' and '.join(missing)}")
    return Wanted(
        name=texts["name"],
        version=texts["version"],
        target=texts.get("targetindex"),
        url=texts.get("posturl", ""),
        user=texts.get("username", ""),
        password=texts.get("password", ""),
        register=flags["register_project"],
        files=not flags["only_docs"],
        docs=not flags["no_docs"],
    )


def _text(body: dict[str, Any], key: str) -> str:
    value = body[key]
    if not isinstance(value, str):
        raise InvalidForm(f"{key} must be a text")
    return value


def _flag(body: dict[str, Any], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise InvalidForm(f"{key} must be true or false")
    return value
