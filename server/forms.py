"""The legacy upload form: text fields in memory, the distribution file in the spool."""

from collections.abc import AsyncIterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from attrs import field, frozen
from attrs.validators import ge

from changelog.errors import InvalidForm, TooLarge
from server.multipart import Event, FormParser, Part, boundary_of
from server.spool import Spool, SpooledFile

CONTENT = "content"  # the one file field that is kept
_FORBIDDEN = frozenset("/\\\x7f").union(map(chr, range(0x20)))
_FILENAME_BYTES = 255


@frozen
class FormLimits:
    """Bounds of one form; over one of them is TooLarge."""

    file_bytes: int = field(default=1 << 30, validator=ge(0))  # of ``content``
    field_bytes: int = field(default=1 << 20, validator=ge(0))  # of one other part: descriptions
    fields_bytes: int = field(default=8 << 20, validator=ge(0))  # of all of them with their names
    parts: int = field(default=4096, validator=ge(1))
    header_bytes: int = field(default=4096, validator=ge(1))  # of one part


@frozen
class UploadedFile:
    """The spooled ``content``: complete, not yet synced to the disk."""

    filename: str  # one path component, not further checked
    path: Path
    size: int  # bytes
    sha256: bytes
    blake2b_256: bytes
    md5: bytes


@frozen
class Form:
    """One upload form. Values are UTF-8 text without NUL, in the order sent."""

    fields: Mapping[str, list[str]]
    files: Mapping[str, UploadedFile]  # "content" or nothing; other files are read and dropped

    def one(self, name: str, default: str = "") -> str:
        """Return the value of a field that has one, or *default* where it was not sent.

        Raises:
            InvalidForm: it was sent with different values; one of them would be a guess.
        """
        values = self.fields.get(name) or [default]
        if len(set(values)) > 1:
            raise InvalidForm(f"{name} was sent with different values")
        return values[0]

    def discard(self) -> None:
        """Remove the spooled file unless it was renamed away; to be called as the request ends."""
        for file in self.files.values():
            file.path.unlink(missing_ok=True)


async def read_form(content_type: str, chunks: AsyncIterable[bytes], spool: Spool, limits: FormLimits) -> Form:
    """Return the form that *chunks* hold; whatever is raised, no file stays in *spool*.

    Raises:
        InvalidForm: not a form, cut short, not UTF-8, or ``content`` twice or without a file name.
        TooLarge: over one of *limits*.
        StorageFull: no space for the file.
    """
    parser = FormParser(boundary_of(content_type), limits.header_bytes)
    with ExitStack() as when_refused:
        reader = _Reader(spool, limits, when_refused)
        async for chunk in chunks:
            for event in parser.feed(chunk):
                reader.take(event)
            if reader.file is not None:
                await reader.file.drain()
        parser.finish()
        form = await reader.form()
        when_refused.pop_all()
    return form


class _Reader:
    """What was read so far of one form."""

    def __init__(self, spool: Spool, limits: FormLimits, when_refused: ExitStack) -> None:
        self.file: SpooledFile | None = None
        self._filename = ""
        self._fields: dict[str, list[str]] = {}
        self._value = bytearray()
        self._part = Part("", None)
        self._parts = 0
        self._part_bytes = 0
        self._fields_bytes = 0
        self._spool = spool
        self._limits = limits
        self._when_refused = when_refused

    def take(self, event: Event) -> None:
        """Take the next event of the parser."""
        if isinstance(event, Part):
            self._begin(event)
        elif isinstance(event, bytes):
            self._add(event)
        elif self._part.filename is None:
            values = self._fields.setdefault(self._part.name, [])
            values.append(_text(self._part.name, self._value))

    async def form(self) -> Form:
        """Return the whole form; its file is written and closed."""
        if self.file is None:
            return Form(self._fields, {})
        digests = await self.file.finish()
        uploaded = UploadedFile(
            self._filename,
            self.file.path,
            digests.size,
            digests.sha256,
            digests.blake2b_256,
            digests.md5,
        )
        return Form(self._fields, {CONTENT: uploaded})

    def _begin(self, part: Part) -> None:
        self._part, self._part_bytes, self._value = part, 0, bytearray()
        self._parts += 1
        if self._parts > self._limits.parts:
            raise TooLarge(f"the form has over {self._limits.parts} parts")
        if part.name == CONTENT:
            if self.file is not None:
                raise InvalidForm("content was sent twice")
            self._filename = _one_component(part.filename)
            self.file = self._spool.create()
            self._when_refused.callback(self.file.discard)
        else:
            self._count(len(part.name))

    def _add(self, piece: bytes) -> None:
        if self._part.name != CONTENT:
            self._count(len(piece))
            if self._part.filename is None:
                self._value += piece
        elif self.file is not None:
            if self.file.size + len(piece) > self._limits.file_bytes:
                raise TooLarge(f"{self._filename} is over {self._limits.file_bytes} bytes")
            self.file.add(piece)

    def _count(self, size: int) -> None:
        """Count *size* bytes of a part other than ``content``, kept or dropped."""
        self._part_bytes += size
        self._fields_bytes += size
        if self._part_bytes > self._limits.field_bytes:
            raise TooLarge(f"{self._part.name} is over {self._limits.field_bytes} bytes")
        if self._fields_bytes > self._limits.fields_bytes:
            raise TooLarge(f"the fields of the form are over {self._limits.fields_bytes} bytes")


def _text(name: str, value: bytearray) -> str:
    if 0 in value:
        raise InvalidForm(f"a NUL in the field {name!a}")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidForm(f"the field {name!a} is not UTF-8: {error.reason}") from error


def _one_component(filename: str | None) -> str:
    if (
        not filename
        or filename in {".", ".."}
        or not _FORBIDDEN.isdisjoint(filename)
        or len(filename.encode()) > _FILENAME_BYTES
    ):
        raise InvalidForm(f"content has no usable file name: {filename!a}")
    return filename
