"""``POST /{user}/{index}/``: the legacy upload form, and devpi's ``submit``."""

import hashlib
import time

from aiohttp import web

from changelog import contents
from changelog.errors import InvalidForm, NotFound, TooLarge
from changelog.names import IndexName, ProjectName, Version, project_name, version
from changelog.tables import Store
from changelog.views import projects
from changelog.views.indexes import STAGE, Index
from changelog.writer import Already
from server import durability, incoming
from server.archives.documentation import check_documentation
from server.commands import Caller, RegisterRelease, Request, UploadDocumentation
from server.decide import decide
from server.executors import in_thread
from server.form_metadata import document
from server.forms import Form, FormLimits, read_form
from server.incoming import Incoming
from server.parts import Parts
from server.permissions import check_upload, existing
from server.requests import index_of
from server.versions import newest

INLINE = 256 << 10  # bytes; archives up to this are checked faster than a thread is woken
FORM_OVERHEAD = 16 << 20  # bytes of a form besides its file


async def post(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Take a form."""
    name = index_of(segments)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        index = _stage(store, name)
    check_upload(caller, name, index, "")  # before gigabytes arrive; the writer checks again
    _check_length(parts, request)
    continue_body(request)
    limits = FormLimits(file_bytes=parts.config.max_request_body_size)
    chunks = request.content.iter_any()
    form = await read_form(request.headers.get("Content-Type", ""), chunks, parts.spool, limits)
    try:
        await _act(parts, caller, (name, index), form)
    finally:
        form.discard()
    return web.Response(status=200)


async def _act(parts: Parts, caller: Caller, where: tuple[IndexName, Index], form: Form) -> None:
    action = form.one(":action")
    if action == "file_upload":
        await _upload(parts, caller, where, form)
    elif action == "submit":
        await _register(parts, caller, where[0], form)
    elif action == "doc_upload":
        await _document(parts, caller, where, form)
    else:
        raise InvalidForm(f"no such :action: {action[:100]!a}" if action else "the form has no :action")


async def _upload(parts: Parts, caller: Caller, where: tuple[IndexName, Index], form: Form) -> None:
    name, index = where
    strict = index.option("upload_checks", parts.config.upload_checks) == "strict"
    file = form.files.get("content")
    if file is not None and file.size <= INLINE:
        async with incoming.synced_meanwhile(file, parts.blobs, parts.spool) as publish:
            found = incoming.check(name, form, strict=strict)
            is_there = _is_there(parts, caller, found)
            publish(found)
    else:
        found = await in_thread(incoming.check, name, form, strict=strict)
        is_there = _is_there(parts, caller, found)
        await in_thread(incoming.publish, found, parts.blobs, parts.spool)
    if not is_there:  # published all the same, which heals a damaged blob
        await parts.submit(caller, found.command, contents=found.contents)


def _is_there(parts: Parts, caller: Caller, found: Incoming) -> bool:
    """Return whether the writer need not be asked; raise what it would, before bytes become a blob for nothing.

    It is asked for a file that is there too, if that is to be held by other nodes.
    """
    with parts.reader.snapshot() as store:
        is_there = isinstance(decide(store, caller, found.command), Already)
        return is_there and not durability.replicas(
            store, Request(caller, found.command, replicas=durability.wanted.get())
        )


async def _register(parts: Parts, caller: Caller, name: IndexName, form: Form) -> None:
    raw = document(form.fields)
    command = RegisterRelease(
        name, project_name(form.one("name")), version(form.one("version")), hashlib.sha256(raw).digest()
    )
    await in_thread(incoming.publish_metadata, raw, parts.blobs, parts.spool)
    small = ((command.metadata, raw),) if contents.is_small(raw) else ()
    await parts.submit(caller, command, contents=small)


async def _document(parts: Parts, caller: Caller, where: tuple[IndexName, Index], form: Form) -> None:
    name, index = where
    file, project = form.files.get("content"), project_name(form.one("name"))
    if file is None:
        raise InvalidForm("the form has no file in the field content")
    incoming.check_digests(form.fields, file)
    command = UploadDocumentation(
        index=name,
        project=project,
        version=_version(parts, index.incarnation, project, form.one("version")),
        size=file.size,
        sha256=file.sha256,
        upload_time=time.time_ns() // 1_000,
    )
    with parts.reader.snapshot() as store:
        decide(store, caller, command)  # refused before the work
    await in_thread(check_documentation, file.path)
    await in_thread(incoming.publish_file, file.path, file.sha256, parts.blobs)
    await parts.submit(caller, command)


def _version(parts: Parts, index: int, project: ProjectName, said: str) -> Version:
    """Return the version that is *said*, or where nothing is, the newest one of the project in this index."""
    if said:
        return version(said)
    with parts.reader.snapshot() as store:
        row = projects.find(store, index, project)
        found = None if row is None else newest(number for number, _ in projects.releases(store, row.incarnation))
    if found is None:
        raise InvalidForm(f"the form has no version, and {project} has no release that could be meant")
    return found


def _stage(store: Store, name: IndexName) -> Index:
    index = existing(store, name)
    if index.type != STAGE:
        raise NotFound(f"the index {name} is a {index.type} and takes no uploads")
    return index


def _check_length(parts: Parts, request: web.BaseRequest) -> None:
    length = request.content_length or 0
    if length > parts.config.max_request_body_size + FORM_OVERHEAD:
        raise TooLarge(f"{length} bytes, at most {parts.config.max_request_body_size}")


def continue_body(request: web.BaseRequest) -> None:
    """Ask for the body of a client that waits to be asked (RFC 9110 section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
