"""Mirrors behind an answer: upstreams are asked first where they have to be, and what they did not say is told."""

from collections.abc import Callable, Sequence

from aiohttp import web

from changelog.names import IndexName, ProjectName
from changelog.views import guard
from changelog.views.page import PageFile
from changelog.views.pages import Source
from server import readers
from server.errors import reason_phrase
from server.executors import for_reading
from server.mirrors import Look, State, unavailable
from server.page_cache import Render
from server.parts import Parts
from server.render.negotiate import Form
from server.requests import SERIAL, UNTIL

STALE = "X-Ledgerpi-Stale"  # names the mirrors whose upstreams do not answer, and why
UNAVAILABLE = "X-Ledgerpi-Unavailable"  # names the mirrors that are left out, and why
VARY = "Accept, Accept-Encoding"


async def settled(
    parts: Parts, request: web.BaseRequest, name: IndexName, project: ProjectName, *, force: bool = False
) -> tuple[tuple[Source, ...], list[Look]]:
    """Return the indexes that may say something about *project* to who sends *request*.

    Upstreams were asked then where they have to be.
    """
    reader = readers.reader_of(request)
    with parts.reader.snapshot() as store:
        asked = guard.visible(store, parts.sources.order(store, name, reader, project), project)
        looks = parts.mirrors.look(store, asked, project)
    if any(look.state is State.ASK for look in looks) or (force and looks and not parts.mirrors.offline):
        looks = await parts.mirrors.ask(looks, project, force=force)
        with parts.reader.snapshot() as store:
            asked = guard.visible(store, parts.sources.order(store, name, reader, project), project)
    return asked, looks


def is_degraded(looks: Sequence[Look]) -> bool:
    """Return whether a mirror can not be asked of which nothing is known."""
    return any(look.state is State.FAILED for look in looks)


def note(request: web.BaseRequest, serial: int, looks: Sequence[Look]) -> None:
    """Let the answer be kept until one of the mirrors has to be asked again."""
    request[SERIAL] = serial
    if looks:
        request[UNTIL] = min(look.until for look in looks)


def offered(parts: Parts) -> Callable[[PageFile], bool] | None:
    """Return which files of mirrors are shown: all, or offline those that are cached."""
    return (lambda file: bool(file.sha256) and parts.blobs.has(file.sha256)) if parts.mirrors.offline else None


def with_stale(answer: web.StreamResponse, looks: Sequence[Look]) -> web.StreamResponse:
    """Say in *answer* which mirrors may have newer pages."""
    stale = [look for look in looks if look.state is State.STALE]
    if stale:
        answer.headers[STALE] = _told(stale)
    return answer


async def degraded(name: IndexName, form: Form, render: Render, looks: Sequence[Look]) -> web.StreamResponse:
    """Answer for *name* without those mirrors that can not be asked, so that nobody keeps the page.

    Raises:
        Unavailable: without them there is no page.
    """
    made = await for_reading(render)
    if made is None:
        raise unavailable(name, looks)
    failed = [look for look in looks if look.state is State.FAILED]
    headers = {"Cache-Control": "no-store", "Vary": VARY, "Content-Type": form.content_type, UNAVAILABLE: _told(failed)}
    return with_stale(web.Response(body=made[1], headers=headers), looks)


def _told(looks: Sequence[Look]) -> str:
    return reason_phrase(", ".join(f"{look.source[0]}; {look.reason}" for look in looks))
