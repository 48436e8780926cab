"""Conditional and range requests as arithmetic (RFC 9110 sections 13 and 14); no I/O."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from attrs import frozen

from changelog.errors import LedgerpiError

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"\x00-\x20\x7f]*")')
_BYTES = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 18  # of a number that is read; longer ones are beyond any file
_BEYOND = 10**_MOST_DIGITS  # bytes, more than any file has
_LONGEST_DATE = 40  # characters; "Wednesday, 09-Nov-94 08:49:37 GMT" has 33


class RangeNotSatisfiable(LedgerpiError):  # noqa: N818 - errors are named as what they say
    """The range begins behind the last byte; the answer is a 416 with *content_range*."""

    def __init__(self, header: str, size: int) -> None:
        """Remember the size (bytes) that the client needs to ask better."""
        super().__init__(f"no such bytes: {header[:100]!a} of {size}")
        self.size = size

    @property
    def content_range(self) -> str:
        """The ``Content-Range`` of the 416 (RFC 9110 section 14.4)."""
        return f"bytes */{self.size}"


@frozen
class ByteRange:
    """The bytes ``start`` up to, without, ``stop`` of a file of ``size`` bytes; never empty."""

    start: int
    stop: int
    size: int

    @property
    def length(self) -> int:
        """The ``Content-Length`` of the 206."""
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        """The ``Content-Range`` of the 206 (RFC 9110 section 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def if_none_match(header: str, etag: str) -> bool:
    """Tell whether *header* names *etag*, so that the answer to a GET or HEAD is 304.

    *etag* is as sent, with its quotes and perhaps ``W/``. The comparison is weak, ``*`` names all
    (RFC 9110 section 13.1.2); what is no entity tag is skipped.
    """
    return header.strip() == "*" or etag.removeprefix("W/") in _ENTITY_TAG.findall(header)


def if_range_matches(header: str, etag: str, modified_at: int | None = None) -> bool:
    """Tell whether a Range header beside this If-Range still counts (RFC 9110 section 13.1.5).

    An entity tag is compared strongly; a date must be exactly *modified_at* (seconds since 1970,
    UTC).
    """
    validator = header.strip()
    if validator.startswith(('"', "W/")):
        return validator == etag and not etag.startswith("W/")
    return modified_at is not None and parse_http_date(validator) == modified_at


def if_modified_since(header: str, modified_at: int) -> bool:
    """Tell whether *modified_at* (seconds since 1970, UTC) is after the date in *header*.

    True if that is no date, so that the answer is a 200. To be asked only where the request has no
    If-None-Match (RFC 9110 section 13.1.3).
    """
    since = parse_http_date(header)
    return since is None or modified_at > since


def byte_range(header: str, size: int) -> ByteRange | None:
    """Return the range that *header* asks of a file of *size* bytes, None to send it whole (200).

    Ignored, as RFC 9110 section 14.2 allows, are several ranges, other units, malformed ones and
    any range of an empty file, which has no byte that a Content-Range could name.

    Raises:
        RangeNotSatisfiable: it begins behind the last byte, or is a suffix of no bytes.
    """
    match = _BYTES.fullmatch(header.strip())
    if match is None or size == 0:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(header, last, size) if last else None
    start, stop = _number(first), (_number(last) + 1 if last else size)
    if last and stop <= start:
        return None  # the last before the first: malformed
    if start >= size:
        raise RangeNotSatisfiable(header, size)
    return ByteRange(start, min(stop, size), size)


def http_date(seconds: int) -> str:
    """Return *seconds* since 1970 (UTC, years 1 to 9999) as RFC 9110 section 5.6.7 writes them."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Return the seconds since 1970 (UTC) that an HTTP-date means, None if *text* is none.

    All three forms of RFC 9110 section 5.6.7 are read.
    """
    if len(text) > _LONGEST_DATE:
        return None
    try:
        date = parsedate_to_datetime(text)
        return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def _suffix(header: str, digits: str, size: int) -> ByteRange:
    length = _number(digits)
    if not length:
        raise RangeNotSatisfiable(header, size)
    return ByteRange(max(size - length, 0), size, size)


def _number(digits: str) -> int:
    """Return the number, or one beyond any file: int() refuses thousands of digits."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else _BEYOND
