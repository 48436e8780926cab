"""``+health``: what load balancers ask; cheap, and for everybody."""

from collections.abc import Callable

from aiohttp import web

from changelog import log
from changelog.errors import NotFound
from changelog.views.cluster import shown_epoch
from server.answers import plain
from server.parts import Parts

PRIMARY, REPLICA = "primary", "replica"


async def get(parts: Parts, _: web.BaseRequest, __: list[str]) -> web.StreamResponse:
    """Tell what this node is and how far its copy of the log goes."""
    return _answer(parts, "")


async def ask(parts: Parts, _: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Answer a question by the status alone: ``primary``, ``replica`` or ``current``; 503 means no."""
    question = QUESTIONS.get(segments[1])
    if question is None:
        raise NotFound(f"no such question: {segments[1][:200]}; there are {', '.join(QUESTIONS)}")
    return _answer(parts, question(parts))


def _answer(parts: Parts, trouble: str) -> web.Response:
    """Return what is to be known, with status 503 where there is a *trouble*."""
    with parts.reader.snapshot() as store:
        head = log.head(store)
    standing = {} if parts.standing is None else parts.standing()
    body = {
        "role": PRIMARY if parts.standing is None else REPLICA,
        "position": f"{shown_epoch(head.epoch)}:{head.size}",
        "following": standing.get("following"),
        "age": standing.get("head-age", 0.0),
    }
    answer = plain(body | ({"reason": trouble} if trouble else {}), 503 if trouble else 200)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _is_primary(parts: Parts) -> str:
    return "" if parts.standing is None else "this node is a replica"


def _is_replica(parts: Parts) -> str:
    return "this node is a primary" if parts.standing is None else ""


def _is_current(parts: Parts) -> str:
    return "" if parts.standing is None else parts.standing.trouble()


QUESTIONS: dict[str, Callable[[Parts], str]] = {  # each returns why not, "" = yes
    PRIMARY: _is_primary,
    REPLICA: _is_replica,
    "current": _is_current,
}
