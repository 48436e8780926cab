"""What the simple page of an upstream index says, whatever form it had."""

from attrs import frozen

from changelog.errors import LedgerpiError
from changelog.names import FileName, Version
from changelog.views.page import Status

MAX_FILES = 100_000  # of a page, those left out included; a worker that shows as many takes 150 MB
_MAX_SHOWN = 128  # characters of a value in a message


class InvalidPage(LedgerpiError):  # noqa: N818 - errors are named as what they say
    """What an upstream index sent is not the page that its type, or its address, says."""


@frozen
class UpstreamFile:
    """One distribution file as an upstream index offers it."""

    filename: FileName
    version: Version  # of the file name; as the page's `versions` (PEP 700) spell it, if they do
    url: str  # absolute, http or https, without fragment; credentials in it are kept
    sha256: bytes  # 32 bytes; b"" = not said
    hashes: tuple[tuple[str, str], ...]  # other digests: name and hex, lower case, sorted
    size: int | None  # bytes (PEP 700)
    upload_time: int | None  # microseconds since 1970, UTC (PEP 700)
    requires_python: str  # one line, "" = none given (PEP 503)
    yanked: str | None  # None = not yanked, "" = without a reason (PEP 592)
    core_metadata: bytes | None  # None = not offered, b"" = without a digest, else its SHA-256 (PEP 658, 714)
    provenance: str  # URL (PEP 740), "" = none


@frozen
class UpstreamPage:
    """The page of one project of an upstream index."""

    files: tuple[UpstreamFile, ...]  # in upstream's order, each file name once
    status: Status
    reason: str  # of the status, "" = none given (PEP 792)
    serial: int | None  # None = not said
    left_out: tuple[str, ...]  # why files were left out, for the log; the first 20


def shown(value: object) -> str:
    """Return *value* as a message shows it: a text in ASCII and cut, anything else by its kind."""
    if isinstance(value, str):
        return ascii(value if len(value) <= _MAX_SHOWN else value[:_MAX_SHOWN] + "…")
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "a number"  # JSON has nothing else
