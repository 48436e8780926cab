"""Test results: ``POST`` to a file's ``+f`` URL, and ``+toxresults`` below a version."""

import time
from pathlib import Path
from typing import Any

import ijson  # type: ignore[import-untyped]
from aiohttp import web

from changelog import log
from changelog.codec import decode
from changelog.errors import InvalidForm, NotFound, Refused, TooLarge
from changelog.names import FileName, file_name
from changelog.tables import Store
from changelog.views import files, projects, results
from changelog.views.files import File
from changelog.views.indexes import STAGE
from changelog.views.page import Status, file_path
from changelog.writer import Already
from server.answers import enveloped
from server.commands import Caller, UploadTestResult
from server.executors import alone, for_reading, in_thread
from server.handlers import linked, sending
from server.handlers.linked import RESULT_TYPE, Found
from server.handlers.sending import Served
from server.handlers.uploads import continue_body
from server.incoming import publish_file
from server.outside import outside_url
from server.parts import Parts
from server.permissions import check_test_result, existing
from server.readers import reader_of
from server.render.links import Links
from server.requests import SERIAL, index_of, project_of, version_of

MAX_RESULT = 16 << 20  # bytes


async def post(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Take the result of testing a file, as ``devpi test`` sends it: a JSON object, kept as it is."""
    name = index_of(segments)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        index = existing(store, name)
        check_test_result(caller, name, index, "")
        if index.type != STAGE:
            raise NotFound(f"the index {name} is a {index.type} and takes no test results")
        found = linked.find(parts, request, store, segments)
    if not isinstance(found.row, File):
        raise NotFound(f"{found.filename} is no distribution file")
    if (request.content_length or 0) > MAX_RESULT:
        raise TooLarge(f"a test result of {request.content_length} bytes, at most {MAX_RESULT}")
    continue_body(request)
    result = await _add(parts, request, caller, found)
    return enveloped("toxresultpath", f"{name}/{file_path(found.row.sha256, result)}")


async def listed(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show the links of all results of a file."""
    base = outside_url(parts, request)

    def look() -> list[dict[str, Any]]:
        with parts.reader.snapshot() as store:
            request[SERIAL] = log.head(store).size
            release, file = _file(parts, request, store, segments)
            links = Links(store, base, index_of(segments))
            there = results.of_file(store, release, file_name(segments[5]))
            return [links.of_result(file, name, row) for name, row in there]

    return enveloped("list:toxresult", await for_reading(look))


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a result."""
    filename, name = file_name(segments[5]), file_name(segments[6])
    with parts.reader.snapshot() as store:
        request[SERIAL] = log.head(store).size
        release, _ = _file(parts, request, store, segments)
        row = results.find(store, release, name)
    if row is None or row.filename != filename:
        raise NotFound(f"no test result {name} of {filename}")
    served = Served(name, row.sha256, row.size, row.upload_time, "no-cache", RESULT_TYPE)
    return await sending.blob(parts, request, served)


async def _add(parts: Parts, request: web.BaseRequest, caller: Caller, found: Found) -> FileName:
    """Keep the body as a result of the file that was found; return the name of the result."""
    spooled = parts.spool.create()
    try:
        async for piece in request.content.iter_any():
            spooled.add(piece)
            if spooled.size > MAX_RESULT:
                raise TooLarge(f"a test result of over {MAX_RESULT} bytes")
            await spooled.drain()
        digests = await spooled.finish()
        await alone(_check_object, spooled.path)
        await in_thread(publish_file, spooled.path, digests.sha256, parts.blobs)
    finally:
        spooled.discard()
    command = UploadTestResult(
        index=found.index,
        project=found.link.project,
        version=found.link.version,
        filename=found.filename,
        digest=found.row.sha256,
        size=digests.size,
        sha256=digests.sha256,
        upload_time=time.time_ns() // 1_000,
    )
    outcome = await parts.submit(caller, command)
    serial = outcome.serial if isinstance(outcome, Already) else outcome.first
    with parts.reader.snapshot() as store:
        event, _ = decode(log.entry(store, serial) or b"", serial)
    name: FileName = event.name
    return name


def _check_object(path: Path) -> None:
    """Raise InvalidForm unless the file holds one JSON object; blocking, in little memory whatever is in it."""
    with path.open("rb") as file:
        try:
            events = ijson.basic_parse(file, use_float=True)
            first, _ = next(events)
            for _ in events:
                pass
        except (ijson.JSONError, ValueError) as error:
            raise InvalidForm("the test result is no JSON") from error
    if first != "start_map":
        raise InvalidForm("the test result is no JSON object")


def _file(parts: Parts, request: web.BaseRequest, store: Store, segments: list[str]) -> tuple[int, File]:
    """Return the incarnation of the release and the file that a path names.

    Raises:
        NotFound: there is none.
        Refused: its project is quarantined (PEP 792).
    """
    name, project, version = index_of(segments), project_of(segments[2]), version_of(segments[3])
    index = parts.sources.order(store, name, reader_of(request), project).sources[0][1]
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    file = files.find(store, index, project, version, file_name(segments[5]))
    if row is None or release is None or file is None:
        raise NotFound(f"no file {segments[5]} of {project} {version} in {name}")
    if row.status is Status.QUARANTINED:
        raise Refused(f"the project {project} in {name} is quarantined")
    return release.incarnation, file
