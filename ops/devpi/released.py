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
_OTHERWISE = frozenset({*_SPELLED, "description"})  # are no lines that are compared


class Registered(NamedTuple):
    """What is to be written down of the release itself."""

    is_known: bool  # the dump has metadata of it
    requires_python: str  # as devpi-server's simple page showed it
    document: bytes  # core metadata, b"" where those of the newest file say the same
    metadata: bytes  # SHA-256 of the document, b"" likewise
    yanked: str | None = None  # PEP 592, of a mirror's files


_DECODER = json.JSONDecoder()
Fields = dict[str, list[str]]
Said = dict[str, Any]  # metadata as the dump has them; values of other kinds than text and lists of text say nothing


def decoded(part: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of a part of the dump, which was parsed once before: nothing stands around it."""
    return _DECODER.raw_decode(part.decode())[0]


def said_of(release: Release) -> Said:
    """Return the metadata of a release; of several the last one counts."""
    return {
        key: value
        for metadata in release.metadata
        for key, value in decoded(metadata).items()
        if key[:1] not in ("+", ":")
    }


def fields_of(said: Said) -> Fields:
    """Return metadata as fields of a form."""
    return {key: _texts(value) for key, value in said.items()}


def registered(release: Release, said: Said, newest: bytes) -> Registered:
    """Return what is to be written down, where the newest file has the core metadata *newest* (b"" = there is none)."""
    if not release.metadata:
        return Registered(is_known=False, requires_python="", document=b"", metadata=b"")
    requires = " ".join(" ".join(_texts(said.get("requires_python"))).split())
    raw = b""
    if not newest or not (is_spelled_out(newest, said) or _say_the_same(versiondata(newest), fields_of(said))):
        named: Fields = {"name": [release.project], "version": [release.version]}
        raw = document(named | {key: texts for key, texts in fields_of(said).items() if any(texts)})
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
    return _NOTHING


def is_spelled_out(newest: bytes, said: Said) -> bool:
    """Return whether core metadata have a line for each value, those of one field together, and no other line.

    Quickly, for most have. Lines of name and version may say anything.
    """
    head, _, body = newest.decode("utf-8", "replace").partition("\n\n")
    lines = f"\n{head}" if head.endswith("\n") else f"\n{head}\n"
    left = lines.count("\n") - 1 - lines.count("\nName: ") - lines.count("\nVersion: ")
    for key, value in said.items():
        if key in _OTHERWISE:
            continue
        texts = _texts(value)
        if not any(texts):
            continue
        header = HEADERS.get(key)
        block = "".join([f"\n{header}: {text}" for text in texts]) + "\n"
        if block not in lines or block.count("\n") != len(texts) + 1:
            return False
        left -= len(texts)
    return not left and [body] == (_texts(said.get("description")) or [""])


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
