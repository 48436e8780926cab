"""``/{user}/{index}`` as JSON."""

from pathlib import Path
from typing import Any

from aiohttp import web

from changelog.errors import Conflict, InvalidOption
from changelog.names import IndexName
from changelog.records import NONE, new_record
from changelog.views import pages
from changelog.views.indexes import MIRROR, STAGE
from server import options
from server.answers import enveloped, message
from server.commands import Caller, CreateIndex, DeleteIndex, ModifyIndex
from server.executors import for_reading
from server.handlers.users import ATTEMPTS, indexconfig, texts_of
from server.limits import ADMIN
from server.mirrors import LIST
from server.options import URL
from server.parts import Parts
from server.permissions import check_owner, existing, owner_of
from server.readers import READER
from server.requests import index_of, json_body, json_object
from server.upstream import names
from server.upstream.origins import masked


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show an index with the names of its own projects."""
    name, projects_too = index_of(segments), "no_projects" not in request.query
    caller = request[READER] = await _reader(parts, request)
    lists = await _lists(parts, name) if projects_too else []

    def answer() -> web.Response:
        with parts.reader.snapshot() as store:
            row = existing(store, name)
            result = indexconfig(store, name, row, caller)
            if projects_too:
                own = pages.listed(store, [(name, row.incarnation)], names.read(lists))
                result["projects"] = [listed.project for listed in own]
        return enveloped("indexconfig", result)

    return await for_reading(answer) if projects_too else answer()  # an index may have 100,000 projects


async def create(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Create an index."""
    name, body = index_of(segments), await json_object(request)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    kind = str(body.get("type", STAGE))
    values = options.packed(options.parse(kind, name, body))
    private = options.parse_texts(body, options.private_keys(kind))
    _check_url(kind, private)
    texts = options.merged_texts({}, private)
    record = new_record(texts) if texts else None
    command = CreateIndex(name, kind, values, NONE if record is None else record.commitment)
    await parts.submit(caller, command, () if record is None else (record,))
    return _answer(parts, name, caller)


async def modify(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Change the given options (an object) or carry out operations on them (a list)."""
    name, body = index_of(segments), await json_body(request)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    for attempt in range(ATTEMPTS):
        try:
            changed = await _modify_once(parts, caller, name, body)
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            break
    if not changed and "error_on_noop" in request.query:
        raise InvalidOption(f"the request changes nothing in {name}")
    return _answer(parts, name, caller)


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a volatile index."""
    name = index_of(segments)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    await parts.submit(caller, DeleteIndex(name))
    return message(f"index {name} deleted", 201)


async def _reader(parts: Parts, request: web.BaseRequest) -> Caller:
    """Return for whom an index is shown, whose owner is shown more of it."""
    if READER in request:
        return request[READER]
    return await parts.auth.caller_or_nobody(request.headers, request.remote or "")


async def _lists(parts: Parts, name: IndexName) -> list[Path]:
    """Return the files with the names of all projects of a mirror, asked for now."""
    with parts.reader.snapshot() as store:
        looks = parts.mirrors.look_at_list(store, [parts.sources.own(store, name)])
    looks = await parts.mirrors.ask(looks, LIST)
    return [names.list_path(parts.config.layout.lists, look.settings) for look in looks]


async def _modify_once(parts: Parts, caller: Caller, name: IndexName, body: Any) -> bool:  # noqa: ANN401 - JSON
    with parts.reader.snapshot() as store:
        row = existing(store, name)
        texts = texts_of(store, row.texts)
    check_owner(caller, owner_of(name), f"modify the index {name}", ADMIN, name)
    current = options.shown(name, row, texts, to_owner=True)
    wanted = _wanted(name, current, body)
    if URL in texts and wanted.get(URL) == masked(texts[URL]):
        wanted[URL] = texts[URL]  # the client echoes what it was shown
    values = options.packed(options.parse(row.type, name, wanted))
    given = options.parse_texts(wanted, options.private_keys(row.type))
    _check_url(row.type, given)
    dropped = {key: "" for key in texts if key not in given}
    merged = options.merged_texts(texts, given | dropped)
    same_texts = merged == options.merged_texts(texts, {})
    record = None if same_texts or not merged else new_record(merged)
    commitment = row.texts if same_texts else NONE if record is None else record.commitment
    if values == row.options and commitment == row.texts:
        return False
    await parts.submit(caller, ModifyIndex(name, row.since, values, commitment), () if record is None else (record,))
    return True


def _wanted(name: IndexName, current: dict[str, Any], body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return all options and texts as they shall be."""
    if isinstance(body, list):
        body, current = options.apply_operations(name, current, body), {"type": current["type"]}
    elif isinstance(body, dict) and body.get("type") == "indexconfig":
        body = body.get("result")
    if not isinstance(body, dict):
        raise InvalidOption("options must be an object or a list of operations")
    kind = body.get("type", current["type"])
    if kind != current["type"]:
        raise InvalidOption(f"the type of {name} is {current['type']} and can not become {kind!r}")
    return current | body


def _check_url(kind: str, private: dict[str, Any]) -> None:
    if kind == MIRROR and not private.get(URL):
        raise InvalidOption(f"a mirror needs {URL}")


def _answer(parts: Parts, name: IndexName, caller: Caller) -> web.Response:
    with parts.reader.snapshot() as store:
        row = existing(store, name)
        return enveloped("indexconfig", indexconfig(store, name, row, caller))
