import asyncio
import hashlib
import io
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from email.policy import HTTP
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests_toolbelt import MultipartEncoder  # type: ignore[import-untyped]  # ships no types

from changelog.errors import InvalidForm, LedgerpiError, TooLarge
from server.forms import Form, FormLimits, read_form
from server.spool import Spool
from tests.forms import (
    EXPECTED,
    FIELDS,
    LIMITS,
    NAME,
    PLAIN,
    TYPE,
    WHEEL,
    content,
    field,
    form_of,
    left_in,
    part,
    read,
    stream,
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def setuptools() -> tuple[str, bytes]:
    boundary = "--------------GHSKFJDLGDS7543FJKLFHRE75642756743254"
    body = io.BytesIO()
    for name, value in FIELDS:
        body.write(f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode())
    head = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{NAME}"\r\n\r\n'
    body.write(head.encode() + WHEEL + f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", body.getvalue()


def twine() -> tuple[str, bytes]:
    encoder = MultipartEncoder([*FIELDS, ("content", (NAME, io.BytesIO(WHEEL), "application/octet-stream"))])
    return encoder.content_type, encoder.read()


def flit_and_devpi() -> tuple[str, bytes]:
    request = requests.Request("POST", "https://index.example/", data=FIELDS, files={"content": (NAME, WHEEL)})
    prepared = request.prepare()
    assert isinstance(prepared.body, bytes)
    return str(prepared.headers["Content-Type"]), prepared.body


def uv() -> tuple[str, bytes]:
    boundary = "0123456789abcdef-0123456789abcdef-0123456789abcdef-0123456789abcdef"
    body = b"".join(field(name, value.encode()) for name, value in FIELDS)
    head = (
        f'Content-Disposition: form-data; name="content"; filename="{NAME}"\r\nContent-Type: application/octet-stream'
    )
    body += part(head, WHEEL) + b"--bound--\r\n"
    return f"multipart/form-data; boundary={boundary}", body.replace(b"--bound", b"--" + boundary.encode())


def aiohttp_client() -> tuple[str, bytes]:
    parts = [
        part(f'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="{name}"', text.encode())
        for name, text in FIELDS
    ]
    return 'multipart/form-data; boundary="bound"', form_of(*parts, content())


def rfc2231_names() -> tuple[str, bytes]:
    head = f"Content-Disposition: form-data; name=\"content\"; filename*=utf-8''{NAME}"
    return TYPE, PLAIN.replace(
        f'Content-Disposition: form-data; name="content"; filename="{NAME}"'.encode(), head.encode()
    )


@pytest.mark.parametrize("client", [setuptools, twine, flit_and_devpi, uv, aiohttp_client, rfc2231_names])
async def test_the_form_of_each_client_is_read(client: Callable[[], tuple[str, bytes]], spool: Spool) -> None:
    content_type, body = client()
    form = await read(spool, body, content_type=content_type)
    assert (form.fields, form.files["content"].filename) == (EXPECTED, NAME)
    assert form.files["content"].path.read_bytes() == WHEEL


async def test_a_cut_anywhere_changes_nothing(spool: Spool) -> None:
    for at in range(len(PLAIN) + 1):
        form = await read(spool, PLAIN[:at], PLAIN[at:])
        assert form.fields == EXPECTED
        assert form.files["content"].sha256 == hashlib.sha256(WHEEL).digest()
        form.discard()


async def test_single_bytes_change_nothing(spool: Spool) -> None:
    form = await read(spool, *(PLAIN[at : at + 1] for at in range(len(PLAIN))))
    assert form.fields == EXPECTED
    assert form.files["content"].path.read_bytes() == WHEEL


LINE_ENDS = [b"\r\n", b"\r", b"\n", b"\r\n\r\n"]
BOUNDARIES = [b"--bound", b"\r\n--bound", b"\r\n--bound--", b"\r\n--bound\r\n", b"--", b"-"]
HEADERS = [b'Content-Disposition: form-data; name="a"', b'; filename="f"', content(b"")]
PIECES = st.sampled_from([*LINE_ENDS, *BOUNDARIES, *HEADERS, b"x", b" "])


async def outcome(spool: Spool, chunks: list[bytes]) -> object:
    """Return what a form says, or the class of the refusal."""
    try:
        form = await read(spool, *chunks, limits=FormLimits(header_bytes=100))
    except LedgerpiError as error:
        return type(error)
    found = {name: file.path.read_bytes() for name, file in form.files.items()}
    form.discard()
    return form.fields, found


@given(st.sampled_from([b"", field("first", b"1")[:-2]]), st.lists(PIECES, max_size=15), st.lists(st.integers(0, 300)))
def test_garbage_has_one_meaning_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, begun: bytes, pieces: list[bytes], cuts: list[int]
) -> None:
    body = begun + b"".join(pieces)
    marks = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    spool = Spool(tmp_path_factory.getbasetemp() / "garbage")

    async def three_ways() -> list[object]:
        cut = [body[start:end] for start, end in pairwise(marks)]
        single = [body[at : at + 1] for at in range(len(body))]
        return [await outcome(spool, chunks) for chunks in ([body], cut, single)]

    whole, cut, single = asyncio.run(three_ways())
    assert whole == cut == single
    assert left_in(spool) == 0


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["C"]), min_size=1, max_size=20
)
BYTES = st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"--", b"--bou", b"\r\n--", b"\xff", b"\x00", b"text"])).map(
    b"".join
)


@given(st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8", exclude_characters="\0")))), BYTES)
def test_the_standard_library_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[str, str]], data: bytes
) -> None:
    fields = [(name, value) for name, value in fields if name != "content"]
    body = form_of(*(field(name, value.encode()) for name, value in fields), content(data))
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {TYPE}\r\n\r\n".encode() + body)
    expected = [bytes(read_part.get_payload(decode=True)) for read_part in message.iter_parts()]
    spool = Spool(tmp_path_factory.getbasetemp() / "standard")
    form = asyncio.run(read(spool, body))
    found = [form.files["content"].path.read_bytes()]
    form.discard()
    by_name: dict[str, list[bytes]] = {}
    for (name, _), value in zip(fields, expected, strict=False):
        by_name.setdefault(name, []).append(value)
    assert {name: [value.encode() for value in values] for name, values in form.fields.items()} == by_name
    assert found == expected[-1:]


LOOKALIKES = [b"\r\n--boun", b"\n--bound--\n", b"--bound--\r\n", b"\r--bound", b"\r\n-", b"\r\r\n--boun\r\n"]


@pytest.mark.parametrize("lookalike", LOOKALIKES)
async def test_what_looks_like_a_boundary_is_content(lookalike: bytes, spool: Spool) -> None:
    body = form_of(content(b"x" + lookalike))
    for at in range(len(body)):
        form = await read(spool, body[:at], body[at:])
        assert form.files["content"].path.read_bytes() == b"x" + lookalike
        form.discard()


DISPOSITION = "Content-Disposition: form-data; name"
REFUSED = {
    "nothing": b"",
    "text before the first boundary": b"preamble\r\n" + PLAIN,
    "two line ends before the first boundary": b"\r\n\r\n" + PLAIN,
    "text after the last boundary": PLAIN + b"epilogue",
    "many line ends after the last boundary": PLAIN + b"\r\n\r\n",
    "bare LF": PLAIN.replace(b"\r\n", b"\n"),
    "bare LF between headers": form_of(part(f'{DISPOSITION}="a"\nX: y')),
    "bare CR in a header": form_of(part(f'{DISPOSITION}="a"\rX: y')),
    "NUL in a header": form_of(part(f'{DISPOSITION}="a\0"')),
    "a boundary that goes on": form_of(field("a", b"x\r\n--boundary")),
    "spaces after a boundary": PLAIN.replace(b"--bound\r\n", b"--bound \r\n", 1),
    "no headers": form_of(b"--bound\r\n\r\nx\r\n"),
    "no disposition": form_of(part("Content-Type: text/plain")),
    "an attachment": form_of(part('Content-Disposition: attachment; name="a"')),
    "no name": form_of(part("Content-Disposition: form-data")),
    "an empty name": form_of(field("")),
    "two names": form_of(part(f'{DISPOSITION}="a"; name="b"')),
    "two names that differ": form_of(part(f"{DISPOSITION}=\"a\"; name*=utf-8''b")),
    "two dispositions": form_of(part(f'{DISPOSITION}="a"\r\n{DISPOSITION}="b"')),
    "a folded header": form_of(part('Content-Disposition: form-data;\r\n name="a"')),
    "an escaped quote": form_of(part(f'{DISPOSITION}="a\\"b"')),
    "an open quote": form_of(part(f'{DISPOSITION}="a')),
    "an unknown parameter": form_of(part(f'{DISPOSITION}="a"; filename*0="b"')),
    "a header without a colon": form_of(part(f'{DISPOSITION}="a"\r\nX')),
    "a space before the colon": form_of(part(f'{DISPOSITION}="a"\r\nX : y')),
    "a name in Latin-1": form_of(field("é")).replace("é".encode(), b"\xe9"),
    "an extended name in Latin-1": form_of(part(f"{DISPOSITION}*=iso-8859-1''%e9")),
    "an extended name with broken UTF-8": form_of(part(f"{DISPOSITION}*=utf-8''%e9")),
    "a value in Latin-1": form_of(field("a", b"\xe9")),
    "a surrogate": form_of(field("a", b"\xed\xa0\x80")),
    "NUL in a value": form_of(field("a", b"x\0y")),
    "a charset that is not UTF-8": form_of(part(f'{DISPOSITION}="a"\r\nContent-Type: text/plain; charset=latin-1')),
    "base64": form_of(part(f'{DISPOSITION}="a"\r\nContent-Transfer-Encoding: base64', b"eA==")),
    "a multipart inside": form_of(part(f'{DISPOSITION}="a"\r\nContent-Type: multipart/mixed; boundary=x')),
    "a broken type": form_of(part(f'{DISPOSITION}="a"\r\nContent-Type: text')),
    "two files": form_of(content(), content()),
    "content without a file name": form_of(field("content", b"x")),
    "an empty file name": form_of(content(filename="")),
    "a path": form_of(content(filename="../demo.whl")),
    "a path of Windows": form_of(content(filename="C:\\demo.whl")),
    "an escaped path": form_of(part(f"{DISPOSITION}=\"content\"; filename*=utf-8''..%2fdemo.whl")),
    "an escaped control character": form_of(part(f"{DISPOSITION}=\"content\"; filename*=utf-8''demo%0d.whl")),
    "dots for a file name": form_of(content(filename="..")),
    "a file name of 256 bytes": form_of(content(filename="x" * 256)),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
async def test_a_malformed_form_is_refused_and_leaves_no_file(body: bytes, spool: Spool) -> None:
    with pytest.raises(InvalidForm):
        await read(spool, body)
    assert left_in(spool) == 0


async def test_every_early_end_is_refused_and_leaves_no_file(spool: Spool) -> None:
    for at in range(len(PLAIN) - len(b"\r\n")):
        with pytest.raises(InvalidForm):
            await read(spool, PLAIN[:at])
    assert left_in(spool) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain; boundary=bound",
        "multipart/mixed; boundary=bound",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=bound; boundary=bound",
        "multipart/form-data; boundary=bound; x",
        "multipart/form-data; boundary=bøund",
        'multipart/form-data; boundary="bou\r\nnd"',
        'multipart/form-data; boundary="bound "',
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
async def test_a_content_type_without_a_usable_boundary_is_refused(content_type: str, spool: Spool) -> None:
    with pytest.raises(InvalidForm):
        await read(spool, PLAIN, content_type=content_type)


async def test_other_files_are_dropped(spool: Spool) -> None:
    signature = part('Content-Disposition: form-data; name="gpg_signature"; filename="x.asc"', b"\xff\0")
    form = await read(spool, form_of(signature, content()))
    assert (form.fields, list(form.files)) == ({}, ["content"])


async def test_an_older_disposition_type_in_capitals_is_the_same(spool: Spool) -> None:
    form = await read(spool, form_of(part("CONTENT-DISPOSITION:Form-Data;NAME=a", b"1")))
    assert form.fields == {"a": ["1"]}


BIG = b"x" * 1000
BOUNDS = {
    "a field": (form_of(field("a", BIG)), FormLimits(field_bytes=999)),
    "all fields": (form_of(field("a", BIG), field("b", BIG)), FormLimits(fields_bytes=1999)),
    "names": (form_of(field("a" * 100), field("b" * 100)), FormLimits(fields_bytes=199)),
    "a dropped file": (form_of(part(f'{DISPOSITION}="a"; filename="b"', BIG)), FormLimits(field_bytes=999)),
    "the file": (form_of(content(BIG)), FormLimits(file_bytes=999)),
    "parts": (form_of(*[field("a")] * 11), FormLimits(parts=10)),
    "headers": (form_of(part(f'{DISPOSITION}="a"\r\nX: ' + "x" * 1000)), FormLimits(header_bytes=1000)),
    "headers by one byte": (form_of(part(f'{DISPOSITION}="aa"')), FormLimits(header_bytes=len(DISPOSITION) + 4)),
    "an endless header": (b"--bound\r\nX: " + BIG, FormLimits(header_bytes=500)),
}


@pytest.mark.parametrize(("body", "limits"), BOUNDS.values(), ids=BOUNDS.keys())
@pytest.mark.parametrize("chunk", [1, 1 << 20])
async def test_what_is_over_a_bound_is_too_large(body: bytes, limits: FormLimits, chunk: int, spool: Spool) -> None:
    with pytest.raises(TooLarge):
        await read(spool, *(body[at : at + chunk] for at in range(0, len(body), chunk)), limits=limits)
    assert left_in(spool) == 0


async def test_what_is_at_its_bound_is_accepted(spool: Spool) -> None:
    limits = FormLimits(file_bytes=1000, field_bytes=1001, fields_bytes=1001, parts=2)
    form = await read(spool, form_of(field("a", BIG), content(BIG)), limits=limits)
    assert form.files["content"].size == 1000


@pytest.mark.parametrize("chunk", [1, 1 << 20])
async def test_headers_at_their_bound_are_accepted(chunk: int, spool: Spool) -> None:
    body = form_of(part(f'{DISPOSITION}="aa"'))
    chunks = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    form = await read(spool, *chunks, limits=FormLimits(header_bytes=len(DISPOSITION) + 5))
    assert form.fields == {"aa": [""]}


async def test_endless_fields_are_refused(spool: Spool) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield field("a", b"")

    with pytest.raises(TooLarge):
        await read_form(TYPE, stream(endless()), spool, LIMITS)


def test_one_value_is_the_value_or_the_default() -> None:
    form = Form({"name": ["demo", "demo"]}, {})
    assert (form.one("name"), form.one("version"), form.one("version", "1")) == ("demo", "", "1")


def test_two_values_of_one_field_are_refused() -> None:
    with pytest.raises(InvalidForm):
        Form({"name": ["demo", "other"]}, {}).one("name")
