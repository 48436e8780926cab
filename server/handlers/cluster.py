"""``+join``, ``+ack``, ``+promise``: what members of the cluster say to each other, signed or with their token."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from changelog.errors import InvalidForm, InvalidProof
from changelog.views import cluster
from server import ballots, followers, introduction
from server.acks import ACKS
from server.answers import plain
from server.parts import Parts
from server.requests import body_bytes

MAX_BODY = 4 << 20  # bytes; an acknowledgement may list many blobs
MAX_ASK = 4 << 10  # bytes
BYTES = "application/octet-stream"


async def join(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Make the replica whose token this is a member, or note where it is now and its key."""
    with parts.reader.snapshot() as store:
        follower = followers.of(store, request.headers.get("Authorization", ""))
        origin = cluster.origin(store).origin
    signed = await body_bytes(request, MAX_ASK)
    with refused():
        found = introduction.checked(signed, follower.name, origin, time.time())
    (number,) = await parts.submit.ask("join", found.name, found.node_key, found.cosigner_key, found.url)
    return plain({"number": int(number)})


async def ack(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Take an acknowledgement."""
    with parts.reader.snapshot() as store:
        followers.of(store, request.headers.get("Authorization", ""))
        members = dict(cluster.members(store))
    signed = await body_bytes(request, MAX_BODY)
    with refused():
        found = ACKS.verify(signed, lambda number: _cosigner(members, number))
    await parts.submit.ask("ack", found.member, found.epoch, found.size, found.root, found.missing, found.at)
    return plain({})


async def give_promise(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Promise the epoch that a candidate asks for, and answer where this node's log ends."""
    signed = await body_bytes(request, MAX_ASK)
    with parts.reader.snapshot() as store, refused():
        ballots.asked(store, signed)
    (answer,) = await parts.submit.ask("promise", signed)
    return web.Response(body=bytes(answer), content_type=BYTES)


async def get_promise(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Tell what this node promised and where its log ends, as others can verify it."""
    with parts.reader.snapshot() as store:
        followers.of(store, request.headers.get("Authorization", ""))
    (answer,) = await parts.submit.ask("position")
    return web.Response(body=bytes(answer), content_type=BYTES)


def _cosigner(members: dict[int, cluster.Member], number: int) -> bytes | None:
    row = members.get(number)
    return None if row is None or row.until or not row.cosigner_key else row.cosigner_key


@contextmanager
def refused() -> Iterator[None]:
    """Let what is not signed as it should be be the client's fault."""
    try:
        yield
    except InvalidProof as error:
        raise InvalidForm(str(error)) from error
