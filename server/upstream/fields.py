"""Single fields of a file, as the JSON form says them; what is malformed was not said.

Only a digest that can not be one is an error: a file must not be taken for one that has none.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from changelog.errors import InvalidName
from changelog.views.page import Status
from server.upstream.page import shown

MAX_TEXT = 1_000  # characters of a reason or of requires-python
DIGESTS = hashlib.algorithms_guaranteed | {"blake2b_256"}  # names that a hash may have (PEP 503)
METADATA = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")  # PEP 714, PEP 658 and its slip

_BEYOND_64_BITS = 1 << 63
_SHA256_HEX = 64  # digits
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_LINES = re.compile(r"[\t\n\r]+")
_UNPRINTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # surrogates have no UTF-8


def digests(said: object) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Return the SHA-256, ``b""`` if none is said, and the other digests, by name.

    Raises:
        InvalidName: the SHA-256, or *said* as a whole, is malformed.
    """
    if said is None:
        return b"", ()
    if not isinstance(said, dict):
        raise InvalidName(f"hashes are not an object: {shown(said)}")
    if len(said) == 1 and "sha256" in said:
        return sha256(said["sha256"]), ()
    return _several_digests(said)


def sha256(text: object) -> bytes:
    """Return the 32 bytes that 64 hex digits of either case stand for, or raise InvalidName."""
    if isinstance(text, str) and len(text) == _SHA256_HEX:
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) * 2 == _SHA256_HEX:  # spaces are passed over
            return digest
    raise InvalidName(f"not a SHA-256 in hex: {shown(text)}")


def size(said: object) -> int | None:
    """Return a number of bytes below 2**63."""
    return said if type(said) is int and 0 <= said < _BEYOND_64_BITS else None


def upload_time(said: object) -> int | None:
    """Return microseconds since 1970 for a time of ISO 8601 that has a zone; finer digits are cut."""
    if not isinstance(said, str) or not _TIME.fullmatch(said):
        return None
    try:
        since = datetime.fromisoformat(said) - _EPOCH
    except ValueError:  # a 13th month
        return None
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return microseconds if microseconds >= 0 else None


def requires_python(said: object) -> str:
    """Return a version specifier as one line, at most MAX_TEXT characters; it is not parsed."""
    return _one_line(said) if isinstance(said, str) and len(said) <= MAX_TEXT else ""


def yanked(said: object) -> str | None:
    """Return the reason, ``""`` where none is given, or None for a file that is not yanked."""
    if said is True:
        return ""
    return reason(said) if isinstance(said, str) and said else None


def reason(said: object) -> str:
    """Return a free text, cut to MAX_TEXT characters; what has no place in a text becomes ``?``."""
    if not isinstance(said, str):
        return ""
    cut = said[:MAX_TEXT]
    return cut if cut.isprintable() else _UNPRINTED.sub("?", cut)


def core_metadata(file: Mapping[str, object]) -> bytes | None:
    """Return the SHA-256 of the file's core metadata, ``b""`` if offered without, None if not offered."""
    said = file.get("core-metadata")
    if said is None:
        said = next((file[name] for name in METADATA if file.get(name) is not None), None)
    if said is True:
        return b""
    if not isinstance(said, dict):
        return None
    try:
        return sha256(said["sha256"]) if "sha256" in said else b""
    except InvalidName:
        return None


def status(said: object) -> Status:
    """Return the status of that name (PEP 792), ACTIVE for any other."""
    return next((known for known in Status if known == said), Status.ACTIVE)


def serial(said: object) -> int | None:
    """Return a serial, which is a number below 2**63."""
    return size(said)


@lru_cache(maxsize=1024)  # a page repeats few of them; one text for all saves memory
def _one_line(text: str) -> str:
    if not text.isprintable():
        text = _LINES.sub(" ", text)
    return "" if _UNPRINTED.search(text) else text.strip()


def _several_digests(said: Mapping[str, object]) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """Return the digests of hashes that have any number and spelling of names."""
    strong, others = b"", {}
    for name, text in said.items():
        lower = name.lower()
        if lower == "sha256":
            strong = _same(strong, sha256(text))
        elif lower in DIGESTS and isinstance(text, str) and _HEX.fullmatch(text):
            others[lower] = text.lower()
    return strong, tuple(sorted(others.items()))


def _same(before: bytes, digest: bytes) -> bytes:
    if before and before != digest:
        raise InvalidName(f"two SHA-256, {before.hex()} and {digest.hex()}")
    return digest
