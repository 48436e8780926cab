"""Upload forms of a few parts, and their reading."""

from collections.abc import AsyncIterator, Iterable

from server.forms import Form, FormLimits, read_form
from server.spool import Spool

WHEEL = b"PK\x03\x04\r\n--\r\n--b\r\n\r\n\x00\xff" * 20
NAME = "demo-1.0-py3-none-any.whl"
FIELDS = [(":action", "file_upload"), ("name", "demo"), ("classifiers", "A"), ("classifiers", "B"), ("summary", "für")]
EXPECTED = {":action": ["file_upload"], "name": ["demo"], "classifiers": ["A", "B"], "summary": ["für"]}
TYPE = "multipart/form-data; boundary=bound"
LIMITS = FormLimits()


def part(head: str, value: bytes = b"") -> bytes:
    return b"--bound\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def field(name: str, value: bytes = b"") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value)


def content(value: bytes = WHEEL, filename: str = NAME) -> bytes:
    return part(f'Content-Disposition: form-data; name="content"; filename="{filename}"', value)


def form_of(*parts: bytes) -> bytes:
    return b"".join([*parts, b"--bound--\r\n"])


PLAIN = form_of(*(field(name, value.encode()) for name, value in FIELDS), content())


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def read(spool: Spool, *chunks: bytes, content_type: str = TYPE, limits: FormLimits = LIMITS) -> Form:
    return await read_form(content_type, stream(chunks), spool, limits)


def left_in(spool: Spool) -> int:
    return spool.clear()
