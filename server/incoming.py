"""A distribution file between its form and its entry: checked, then made durable."""

import base64
import binascii
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import frozen

from changelog import contents
from changelog.blobs import Blobs, sync_file
from changelog.errors import InvalidForm
from changelog.names import IndexName, project_name, version
from server import archives, filenames
from server.commands import UploadFile
from server.executors import begin_in_thread
from server.form_metadata import document
from server.forms import Form, UploadedFile
from server.metadata import check_agreement, parse_core
from server.spool import Spool, full_disk_named

DIGESTS = (("sha256_digest", "sha256"), ("md5_digest", "md5"), ("blake2_256_digest", "blake2b_256"))


@frozen
class Incoming:
    """A file whose checks passed, with its core metadata."""

    command: UploadFile
    metadata: bytes  # the document, b"" = there is none
    path: Path  # spooled bytes

    @property
    def contents(self) -> tuple[tuple[bytes, bytes], ...]:
        """The metadata as the writer takes it: here if small, else it is a blob."""
        small = self.metadata and contents.is_small(self.metadata)
        return ((self.command.metadata, self.metadata),) if small else ()


def check(index: IndexName, form: Form, *, strict: bool) -> Incoming:
    """Return the file of *form* if form, file name and archive agree; blocking.

    Raises:
        InvalidForm, InvalidName, InvalidArchive: they do not, or the digests differ.
    """
    file = form.files.get("content")
    if file is None:
        raise InvalidForm("the form has no file in the field content")
    check_digests(form.fields, file)
    name, number = form.one("name"), form.one("version")
    if not name or not number:
        raise InvalidForm("the form needs name and version")
    distribution = filenames.parse(file.filename) if strict else filenames.parse_lenient(file.filename, name, number)
    found = archives.inspect(file.path, distribution, strict=strict)
    raw = found.metadata or document(form.fields)
    core = found.core or parse_core(raw, strict=strict)
    if strict:
        check_agreement(distribution, core, name, number)
    command = UploadFile(
        index=index,
        project=project_name(name),
        version=version(core.version if strict else number),
        filename=distribution.filename,
        size=file.size,
        sha256=file.sha256,
        blake2b_256=file.blake2b_256,
        md5=file.md5,
        metadata=hashlib.sha256(raw).digest(),
        requires_python=_one_line(core.requires_python or form.one("requires_python")),
        filetype=distribution.filetype,
        pyversion=distribution.pyversion,
        upload_time=time.time_ns() // 1_000,
    )
    return Incoming(command, raw, file.path)


def publish(incoming: Incoming, blobs: Blobs, spool: Spool) -> None:
    """Make the bytes durable before any entry names them; blocking.

    Raises:
        StorageFull: no space, which some file systems say only when bytes are synced or a folder grows.
    """
    publish_metadata(incoming.metadata, blobs, spool)
    publish_file(incoming.path, incoming.command.sha256, blobs)


def publish_file(path: Path, digest: bytes, blobs: Blobs) -> None:
    """Make a spooled file a blob, durably; blocking.

    Raises:
        StorageFull: as :func:`publish`.
    """
    with full_disk_named():
        blobs.publish(path, digest)


@asynccontextmanager
async def synced_meanwhile(
    file: UploadedFile, blobs: Blobs, spool: Spool
) -> AsyncIterator[Callable[[Incoming | None], None]]:
    """Sync the bytes of *file* while the block checks them; :func:`publish` what it hands to the function it gets.

    All is done at the end of the block. A thread waits for what it says, so let it be short and wait for no thread.

    Raises:
        StorageFull: as :func:`publish`.
    """
    verdict: Future[Incoming | None] = Future()
    work = begin_in_thread(_sync_and_publish, file.path, verdict, blobs, spool)
    try:
        yield verdict.set_result
    finally:
        if not verdict.done():
            verdict.set_result(None)
        await work


def _sync_and_publish(path: Path, verdict: "Future[Incoming | None]", blobs: Blobs, spool: Spool) -> None:
    with full_disk_named():
        sync_file(path)
    incoming = verdict.result()
    if incoming is None:
        return
    publish_metadata(incoming.metadata, blobs, spool)
    with full_disk_named():
        blobs.publish_synced(path, incoming.command.sha256)


def publish_metadata(raw: bytes, blobs: Blobs, spool: Spool) -> None:
    """Make large core metadata a blob; small ones commit with their entry."""
    if contents.is_small(raw):
        return
    path = spool.write(raw)
    with full_disk_named():
        blobs.publish(path, hashlib.sha256(raw).digest())


def check_digests(fields: Mapping[str, Sequence[str]], file: UploadedFile) -> None:
    """Compare what the client says of its file with what arrived.

    Raises:
        InvalidForm: a digest differs or can not be read.
    """
    for key, attribute in DIGESTS:
        for text in fields.get(key, ()):
            found: bytes = getattr(file, attribute)
            if key == "blake2_256_digest" and len(text) == 2 * hashlib.blake2b().digest_size:
                found = _blake2b_512(file)  # distutils and old setuptools send this one under that name
            if text and _digest(key, text, len(found)) != found:
                raise InvalidForm(f"{key} {text[:128]} is not that of the file, {found.hex()}")


def _blake2b_512(file: UploadedFile) -> bytes:
    with file.path.open("rb") as content:
        return hashlib.file_digest(content, "blake2b").digest()


def _digest(key: str, text: str, length: int) -> bytes:
    """Read hex, or base64 in the URL alphabet without padding as old clients send md5."""
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * length else base64.urlsafe_b64decode(text + "==")
    except (ValueError, binascii.Error) as error:
        raise InvalidForm(f"{key} can not be read: {text[:128]!a}") from error
    return raw


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1_000]
