"""The metadata of a release as devpi-server had them: those of its form, not of its archives."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ops.devpi.parked import Release
from server.form_metadata import HEADERS, document
from server.metadata import versiondata

MAX_REASON = 1_000  # characters
MAX_VALUES = 10_000  # of one field
_NOTHING: list[str] = []
_SPELLED = ("name", "version")  # ours are those of the release


class Registered(NamedTuple):
    """What is to be written down of the release itself."""

    is_known: bool  # the dump has metadata of it
    requires_python: str  # as devpi-server's simple page showed it
    document: bytes  # core metadata, b"" where those of the newest file say the same
    metadata: bytes  # SHA-256 of the document, b"" likewise
    yanked: str | None = None  # PEP 592, of a mirror's files


Fields = dict[str, list[str]]


def fields_of(release: Release) -> Fields:
    """Return the metadata of a release as fields of a form; of several the last one counts."""
    return {
        key: _texts(value)
        for metadata in release.metadata
        for key, value in json.loads(metadata.decode()).items()
        if key[:1] not in ("+", ":")
    }


def registered(release: Release, fields: Fields, newest: bytes) -> Registered:
    """Return what is to be written down, where the newest file has the core metadata *newest* (b"" = there is none)."""
    if not release.metadata:
        return Registered(is_known=False, requires_python="", document=b"", metadata=b"")
    requires = " ".join(" ".join(fields.get("requires_python", [])).split())
    raw = b""
    if not newest or not (_is_spelled_out(newest, fields) or _say_the_same(versiondata(newest), fields)):
        named: Fields = {"name": [release.project], "version": [release.version]}
        raw = document(named | {key: texts for key, texts in fields.items() if any(texts)})
    return Registered(
        is_known=True,
        requires_python=requires,
        document=raw,
        metadata=hashlib.sha256(raw).digest() if raw else b"",
        yanked=_yanked(json.loads(release.metadata[-1]).get("yanked")) if b'"yanked"' in release.metadata[-1] else None,
    )


def _yanked(said: object) -> str | None:
    """Return the reason where devpi-server has a mark or a reason."""
    if isinstance(said, str):
        return said[:MAX_REASON]
    return "" if said is True else None


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if type(value) is str:
        return [value]
    if isinstance(value, list):
        return [item for item in value[:MAX_VALUES] if isinstance(item, str)]
    return []


def _is_spelled_out(newest: bytes, fields: Fields) -> bool:
    """Return whether core metadata have a line for each value of the fields, and no other: quickly, for most have."""
    head, _, body = newest.decode("utf-8", "replace").partition("\n\n")
    found: dict[str, list[str]] = {}
    for line in head.removesuffix("\n").split("\n"):
        header, _, value = line.partition(": ")
        found.setdefault(header, []).append(value)
    wanted: dict[str | None, list[str]] = {
        HEADERS.get(key): texts for key, texts in fields.items() if key != "description" and any(texts)
    }
    for key in _SPELLED:
        found.pop(HEADERS[key], None)
        wanted.pop(HEADERS[key], None)
    return found == wanted and [body] == (fields.get("description") or [""])


def _say_the_same(core: Mapping[str, str | list[str]], fields: Fields) -> bool:
    """Return whether core metadata and the form's fields differ in nothing but white space, and in empty values."""
    for key, texts in fields.items():
        found = core.get(key, _NOTHING)
        if texts in (found, [found]) or key in _SPELLED:
            continue  # the usual case, which needs no second look
        if _said(texts) != _said(found):
            return False
    return all(key in fields or key in _SPELLED or not _said(value) for key, value in core.items())


def _said(value: str | list[str]) -> list[str]:
    texts = (value.strip(),) if isinstance(value, str) else map(str.strip, value)
    return [text for text in texts if text and text != "UNKNOWN"]
