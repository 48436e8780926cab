"""A release on its way to another server: the forms that twine would send, and what was answered to each."""

from typing import Any

import structlog

from changelog.errors import InvalidForm
from changelog.views.page import file_path
from server.handlers.sending import document
from server.metadata import versiondata
from server.parts import Parts
from server.push_commands import PushedDocumentation, PushedFile
from server.pushed import Wanted
from server.releases import Release
from server.upstream.failures import UpstreamFailed
from server.upstream.origins import masked
from server.upstream.posting import Form, Part, Posting

TAKEN = (200, 201)
REGISTERED = (*TAKEN, 410)  # there are servers that register nothing any more, and say so

Row = tuple[Any, ...]  # of the action log: a status, -1 = no answer, and what was done

logger = structlog.get_logger()


async def post_release(parts: Parts, wanted: Wanted, release: Release) -> list[Row]:
    """Send a release, a request for each file, and return what became of them.

    Raises:
        InvalidForm: the URL is none that can be asked.
    """
    try:
        posting = Posting.of(parts.config, wanted.url, wanted.user, wanted.password)
    except UpstreamFailed as error:
        raise InvalidForm(f"posturl can not be asked: {error}") from error
    try:
        rows = await _rows(parts, posting, wanted, release)
    finally:
        await posting.close()
    statuses = [row[0] for row in rows]
    logger.info("release pushed", project=release.project, url=masked(wanted.url), statuses=statuses)
    return rows


async def _rows(parts: Parts, posting: Posting, wanted: Wanted, release: Release) -> list[Row]:
    rows: list[Row] = []
    if wanted.register:
        registered = await _register(parts, posting, wanted, release)
        rows.append(registered)
        if registered[0] not in REGISTERED:
            return rows
    for file in release.files:
        fields = await _fields(parts, release, file.metadata or release.metadata, "file_upload")
        part = Part(file.filename, parts.blobs.path(file.sha256), file.size)
        path = f"{release.source}/{file_path(file.sha256, file.filename)}"
        rows.append(await _upload(posting, path, Form([*fields, *_of_file(file)], part)))
    if release.documentation is not None:
        rows.append(await _document(parts, posting, wanted, release, release.documentation))
    return rows


async def _document(
    parts: Parts, posting: Posting, wanted: Wanted, release: Release, documentation: PushedDocumentation
) -> Row:
    fields = await _fields(parts, release, release.metadata, "doc_upload")
    part = Part(f"{release.project}.zip", parts.blobs.path(documentation.sha256), documentation.size)
    try:
        posted = await posting.post(Form(fields, part))
    except UpstreamFailed as error:
        return (-1, "exception on documentation upload:", str(error))
    return (posted.status, "docfile", wanted.name)


async def _register(parts: Parts, posting: Posting, wanted: Wanted, release: Release) -> Row:
    try:
        posted = await posting.post(Form(await _fields(parts, release, release.metadata, "submit")))
    except UpstreamFailed as error:
        return (-1, "exception on register:", str(error))
    return (posted.status, "register", wanted.name, wanted.version)


async def _upload(posting: Posting, path: str, form: Form) -> Row:
    try:
        posted = await posting.post(form)
    except UpstreamFailed as error:
        return (-1, "exception on release upload:", str(error))
    return (posted.status, "upload", path, "" if posted.status in TAKEN else posted.text)


async def _fields(parts: Parts, release: Release, metadata: bytes, action: str) -> list[tuple[str, str]]:
    """Return the text fields that say what *metadata* (SHA-256) do."""
    raw = dict(release.contents).get(metadata)  # of a mirror: the log does not have them
    if raw is None:
        raw = await document(parts, metadata) if metadata else b""
    known = versiondata(raw)
    said = {"metadata_version": "2.1", **known, "name": known.get("name") or release.project}
    said |= {":action": action, "protocol_version": "1", "version": release.version}
    return [(key, text) for key, value in said.items() for text in ([value] if isinstance(value, str) else value)]


def _of_file(file: PushedFile) -> list[tuple[str, str]]:
    return [
        ("filetype", file.filetype),
        ("pyversion", file.pyversion),
        ("sha256_digest", file.sha256.hex()),
        ("md5_digest", file.md5.hex()),
        ("blake2_256_digest", file.blake2b_256.hex()),
    ]
