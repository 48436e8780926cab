"""``+join``, ``+ack``, ``+promise``: what members of the cluster say to each other, signed or with their token."""

from aiohttp import web

from changelog.errors import InvalidForm
from changelog.views import cluster
from server import followers
from server.acks import ACKS
from server.answers import plain
from server.parts import Parts
from server.requests import body_bytes, json_object

MAX_BODY = 4 << 20  # bytes; an acknowledgement may list many blobs
BYTES = "application/octet-stream"
KEY_HEX = 64  # digits of a public key


async def join(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Make the replica whose token this is a member, or note where it is now and its key."""
    with parts.reader.snapshot() as store:
        follower = followers.of(store, request.headers.get("Authorization", ""))
    body = await json_object(request)
    node_key, cosigner_key = (_key(body.get(name)) for name in ("node_key", "cosigner_key"))
    url = body.get("url")
    if not isinstance(url, str) or len(url) > 500:  # noqa: PLR2004 - characters
        raise InvalidForm("a member tells its url, at most 500 characters")
    (number,) = await parts.submit.ask("join", follower.name, node_key, cosigner_key, url)
    return plain({"number": int(number)})


async def ack(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Take an acknowledgement."""
    signed = await body_bytes(request, MAX_BODY)
    with parts.reader.snapshot() as store:
        members = dict(cluster.members(store))
    found = ACKS.verify(signed, lambda number: _cosigner(members, number))
    await parts.submit.ask("ack", found.member, found.epoch, found.size, found.root, found.missing, found.at)
    return plain({})


async def give_promise(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Promise the epoch that a candidate asks for, and answer where this node's log ends."""
    (answer,) = await parts.submit.ask("promise", await body_bytes(request, MAX_BODY))
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


def _key(text: object) -> bytes:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) * 2 != KEY_HEX:
        raise InvalidForm("a member tells node_key and cosigner_key, 64 hex digits each")
    return key
