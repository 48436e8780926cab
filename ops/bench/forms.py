"""Compare readers of the upload form: ``python -m ops.bench.forms``.

Needs three packages that the project has no use for:
``pip install multipart python-multipart streaming-form-data``. What is not installed is left out.

Every reader but the last drops the file's bytes, so that its figure is parsing alone; ``read_form``
writes and hashes them too. A reader's fields are compared with what was sent before it is timed.
A figure is the best of the rounds, in CPU time of the whole process, user and system.
"""

import asyncio
import importlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from aiohttp import BodyPartReader, StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from attrs import frozen

from ops.bench import corpus, twine_form
from server.forms import FormLimits, read_form
from server.multipart import FormParser, Part, boundary_of, part_of
from server.spool import Spool

CHUNK = 64 << 10  # bytes that arrive at once
SMALL_ROUNDS = 30
LARGE_ROUNDS = 3
SMALL_FORMS = 50  # in a round
EXAMPLE = corpus.Release("root/dev", "bench-form", "1.0")

Read = tuple[dict[str, list[str]], int]  # text fields, bytes of the file
Reader = Callable[[str, Sequence[bytes]], Awaitable[Read]]  # only the awaiting is timed


def aiohttp_post(content_type: str, chunks: Sequence[bytes]) -> Awaitable[Read]:
    """Read as ``await request.post()``."""
    return _post(_request(content_type, chunks))


async def _post(request: web.Request) -> Read:
    form = await request.post()
    fields: dict[str, list[str]] = {}
    size = 0
    for name, value in form.items():
        if isinstance(value, web.FileField):
            size = value.file.seek(0, 2)
            value.file.close()
        else:
            fields.setdefault(name, []).append(str(value))
    return fields, size


def aiohttp_parts(content_type: str, chunks: Sequence[bytes]) -> Awaitable[Read]:
    """Read as ``await request.multipart()``."""
    return _multipart(_request(content_type, chunks))


async def _multipart(request: web.Request) -> Read:
    reader = await request.multipart()
    fields: dict[str, list[str]] = {}
    size = 0
    while isinstance(part := await reader.next(), BodyPartReader):
        if part.filename is None:
            fields.setdefault(part.name or "", []).append(await part.text())
        else:
            while piece := await part.read_chunk(CHUNK):
                size += len(piece)
    return fields, size


async def package_multipart(content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with the package multipart; not strict, see docs/design/forms.md."""
    library = importlib.import_module("multipart")
    fields: dict[str, list[str]] = {}
    size, value = 0, b""
    part: Any = None
    with library.PushMultipartParser(boundary_of(content_type), max_segment_count=4096) as parser:
        for chunk in chunks:
            for event in parser.parse(chunk):
                if event is None:
                    if part.filename is None:
                        fields.setdefault(part.name, []).append(value.decode())
                elif not isinstance(event, bytes):
                    part, value = event, b""
                elif part.filename is None:
                    value += event
                else:
                    size += len(event)
    return fields, size


async def checked_multipart(content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with the package multipart, its parts checked as server/multipart.py checks them."""
    library = importlib.import_module("multipart")
    fields: dict[str, list[str]] = {}
    size, value, part = 0, b"", Part("", None)
    with library.PushMultipartParser(boundary_of(content_type), max_segment_count=4096) as parser:
        for chunk in chunks:
            for event in parser.parse(chunk):
                if event is None:
                    if part.filename is None:
                        fields.setdefault(part.name, []).append(value.decode())
                elif not isinstance(event, bytes):
                    part, value = _checked(tuple(event.headerlist)), b""
                elif part.filename is None:
                    value += event
                else:
                    size += len(event)
    return fields, size


@lru_cache(maxsize=512)
def _checked(headers: tuple[tuple[str, str], ...]) -> Part:
    return part_of("\r\n".join(f"{name}: {value}" for name, value in headers).encode())


class _Callbacks:
    """What python-multipart calls; it names neither part nor field, so headers are gathered."""

    def __init__(self) -> None:
        self.library: Any = importlib.import_module("python_multipart.multipart")
        self.fields: dict[str, list[str]] = {}
        self.size = 0
        self._field = self._header = self._value = b""
        self._disposition: dict[bytes, bytes] = {}

    def on_part_begin(self) -> None:
        self._value = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self.library.parse_options_header(self._header)[1]
        self._field = self._header = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if b"filename" in self._disposition:
            self.size += end - start
        else:
            self._value += data[start:end]

    def on_part_end(self) -> None:
        if b"filename" not in self._disposition:
            name = self._disposition[b"name"].decode()
            self.fields.setdefault(name, []).append(self._value.decode())


async def package_python_multipart(content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with the package python-multipart and callbacks."""
    called = _Callbacks()
    names = [name for name in vars(_Callbacks) if name.startswith("on_")]
    callbacks = {name: getattr(called, name) for name in names}
    parser = called.library.MultipartParser(boundary_of(content_type), callbacks)
    for chunk in chunks:
        parser.write(chunk)
    parser.finalize()
    return called.fields, called.size


async def package_streaming_form_data(names: Sequence[str], content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with the package streaming-form-data, which must be told the *names* beforehand."""
    library = importlib.import_module("streaming_form_data")
    targets = importlib.import_module("streaming_form_data.targets")
    parser = library.StreamingFormDataParser({"Content-Type": content_type})
    fields = {name: targets.ListTarget() for name in names}
    size = 0

    def count(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    for name, target in fields.items():
        parser.register(name, target)
    parser.register("content", targets.NullTarget(count))
    for chunk in chunks:
        parser.data_received(chunk)
    texts = {name: [raw.decode() for raw in target.value] for name, target in fields.items()}
    return texts, size


async def own_parser(content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with server/multipart.py alone."""
    parser = FormParser(boundary_of(content_type), 4096)
    fields: dict[str, list[str]] = {}
    size, value, part = 0, b"", Part("", None)
    for chunk in chunks:
        for event in parser.feed(chunk):
            if isinstance(event, Part):
                part, value = event, b""
            elif not isinstance(event, bytes):
                if part.filename is None:
                    fields.setdefault(part.name, []).append(value.decode())
            elif part.filename is None:
                value += event
            else:
                size += len(event)
    parser.finish()
    return fields, size


async def whole_reader(spool: Spool, content_type: str, chunks: Sequence[bytes]) -> Read:
    """Read with server/forms.py: checked, spooled and hashed."""
    form = await read_form(content_type, _stream(chunks), spool, FormLimits(file_bytes=1 << 40))
    form.discard()
    return dict(form.fields), form.files["content"].size


@frozen
class Sent:
    """One body, cut as it arrives, and what a reader must find in it."""

    chunks: Sequence[bytes]
    read: Read


def sent(content_mb: int) -> Sent:
    """Return the form of twine for a small wheel, or the same with *content_mb* of other bytes."""
    upload = twine_form.upload(EXAMPLE)
    body = upload.body
    fields = asyncio.run(own_parser(twine_form.CONTENT_TYPE, [body]))[0]
    if not content_mb:
        return Sent([body], (fields, upload.content_bytes))
    end = body.rindex(b"\r\n--")
    start = end - upload.content_bytes
    pieces = [os.urandom(CHUNK)] * (content_mb * 1_000_000 // CHUNK)
    return Sent([body[:start], *pieces, body[end:]], (fields, sum(map(len, pieces))))


def readers(spool: Spool, names: Sequence[str]) -> Iterator[tuple[str, Reader]]:
    """Yield the readers that can run here, with their names in the table."""
    yield "aiohttp request.post()", aiohttp_post
    yield "aiohttp request.multipart()", aiohttp_parts
    if find_spec("multipart"):
        yield "multipart", package_multipart
        yield "multipart, with our checks", checked_multipart
    if find_spec("python_multipart"):
        yield "python-multipart", package_python_multipart
    if find_spec("streaming_form_data"):
        yield "streaming-form-data", partial(package_streaming_form_data, names)
    yield "server/multipart.py", own_parser
    yield "server/forms.py read_form", partial(whole_reader, spool)


async def check(read: Reader, form: Sent) -> None:
    """Compare what *read* finds with what was sent."""
    if await read(twine_form.CONTENT_TYPE, form.chunks) != form.read:
        raise click.ClickException(f"{read} found something else than was sent")


async def cpu_s(read: Reader, form: Sent, count: int) -> float:
    """Return the CPU seconds of one reading out of *count*."""
    arrived = [read(twine_form.CONTENT_TYPE, form.chunks) for _ in range(count)]
    before = time.process_time()
    for reading in arrived:
        await reading
    return (time.process_time() - before) / count


def best(contenders: dict[str, Reader], form: Sent, rounds: int, count: int) -> dict[str, float]:
    """Return the CPU seconds of one reading by each; they take turns, so that noise meets all."""
    seconds = dict.fromkeys(contenders, float("inf"))
    for read in contenders.values():
        asyncio.run(check(read, form))
    for _ in range(rounds):
        for name, read in contenders.items():
            seconds[name] = min(seconds[name], asyncio.run(cpu_s(read, form, count)))
    return seconds


def _request(content_type: str, chunks: Sequence[bytes]) -> web.Request:
    loop = asyncio.get_running_loop()
    payload = StreamReader(BaseProtocol(loop), 1 << 40, loop=loop)  # never asks to pause
    for chunk in chunks:
        payload.feed_data(chunk)
    payload.feed_eof()
    headers = {"Content-Type": content_type}
    return make_mocked_request("POST", "/", headers, payload=payload, client_max_size=1 << 40)


async def _stream(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@click.command()
@click.option("--large-mb", default=64, show_default=True, help="Size of the large file.")
@click.option("--folder", type=click.Path(path_type=Path), help="Spool here. Default: a temporary one.")
def main(large_mb: int, folder: Path | None) -> None:
    """Print forms/s, CPU us per small form and CPU s per GB of a large one."""
    small, large = sent(0), sent(large_mb)
    click.echo(f"{sum(map(len, small.chunks))} bytes a small form, {large_mb} MB the large file")
    click.echo(f"{'reader':30}{'forms/s':>10}{'us/form':>10}{'s/GB':>8}")
    with tempfile.TemporaryDirectory(dir=folder) as spooled:
        spool = Spool(Path(spooled))
        contenders = dict(readers(spool, list(small.read[0])))
        form_s = best(contenders, small, SMALL_ROUNDS, SMALL_FORMS)
        file_s = best(contenders, large, LARGE_ROUNDS, 1)
        spool.close()
    for name, seconds in form_s.items():
        gb_s = file_s[name] / large.read[1] * 1e9
        click.echo(f"{name:30}{1 / seconds:10,.0f}{seconds * 1e6:10,.0f}{gb_s:8.2f}")


if __name__ == "__main__":
    main()
