"""``+explain``: why an index shows what it shows of a project."""

from typing import Any

import attrs
from aiohttp import web

from changelog.views.explain import Explanation, explain
from server.answers import enveloped
from server.executors import for_reading
from server.handlers.freshness import settled
from server.mirrors import Look
from server.parts import Parts
from server.readers import reader_of
from server.requests import index_of, project_of
from server.sources import looked_up


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Explain; upstreams are asked as for the page."""
    name, project = index_of(segments), project_of(segments[3])
    _, looks = await settled(parts, request, name, project)

    def answer() -> web.Response:
        with parts.reader.snapshot() as store:
            order = looked_up(store, name).by(reader_of(request), project)
            return enveloped("explanation", shown(explain(store, name, project, order), looks))

    return await for_reading(answer)


def shown(explanation: Explanation, looks: list[Look]) -> dict[str, Any]:
    """Return an explanation as JSON says it, with how asking went."""
    upstreams = {look.source[0]: {"state": look.state.value, "reason": look.reason} for look in looks}
    alarms = [
        {"index": index, "filename": filename, "known": known, "claimed": claimed, "accepted": accepted}
        for index, filename, known, claimed, accepted in explanation.alarms
    ]
    plain = attrs.asdict(explanation)
    sources = [source | {"upstream": upstreams.get(source["index"])} for source in plain["sources"]]
    return plain | {"sources": sources, "alarms": alarms}
