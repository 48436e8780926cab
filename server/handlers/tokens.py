"""``/{user}/+tokens``: a user's API tokens; ``/{user}/+token-create``: macaroons, as devpi-tokens' client wants."""

from typing import Any

from aiohttp import web

from changelog.errors import NotFound
from changelog.names import UserName, user_name
from changelog.tables import Store
from changelog.views import tokens
from changelog.views.tokens import Token
from server import api_tokens, token_checks, token_uses, token_wishes
from server.answers import enveloped, message
from server.commands import Caller
from server.handlers.users import existing
from server.parts import Parts
from server.permissions import check_own
from server.requests import json_object
from server.token_commands import RevokeToken, SetTokenKey
from server.token_shown import shown


async def get_all(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """List the tokens of a user."""
    name, _ = await _owner(parts, request, segments)
    uses = token_uses.read(parts.config.layout.token_uses)
    with parts.reader.snapshot() as store:
        owned = tokens.of_user(store, existing(store, name).incarnation)
        result = {token: shown(store, row, uses.get(token)) for token, row in owned}
    return _private(enveloped("tokens-info", {"tokens": result}))


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show a token, without its secret."""
    name, _ = await _owner(parts, request, segments)
    uses = token_uses.read(parts.config.layout.token_uses)
    with parts.reader.snapshot() as store:
        row = _existing(store, name, segments[2])
        result = {"id": segments[2]} | shown(store, row, uses.get(segments[2]))
    return _private(enveloped("token-info", result))


async def create(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Make a token and tell it, once."""
    name, caller = await _owner(parts, request, segments)
    wish = token_wishes.parse(await _body(request))
    token = api_tokens.new()
    command, records = wish.command(name, token.id, token.hash)
    await parts.submit(caller, command, records)
    return _told(parts, name, token.id, token.text)


async def create_macaroon(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Make a token that whoever has it can narrow, and tell it, once."""
    name, caller = await _owner(parts, request, segments)
    wish = token_wishes.parse(await _body(request), token_wishes.DEVPI_KEYS)
    await _have_key(parts, caller)
    command, records = wish.command(name, api_tokens.new_id(), b"")
    await parts.submit(caller, command, records)
    with parts.reader.snapshot() as store:
        text = token_checks.minted(store, name, command.token)
    return _told(parts, name, command.token, text)


async def revoke(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Revoke a token, and all that were derived from it."""
    name, caller = await _owner(parts, request, segments)
    with parts.reader.snapshot() as store:
        _existing(store, name, segments[2])
    await parts.submit(caller, RevokeToken(segments[2]))
    return message(f"token {segments[2]} deleted")


async def _owner(parts: Parts, request: web.BaseRequest, segments: list[str]) -> tuple[UserName, Caller]:
    """Return the user of the path and the caller, who has to be that user or root, and to come without a token."""
    name = user_name(segments[0])
    caller = await parts.auth.caller(request.headers, request.remote or "")
    check_own(caller, name, f"look after the tokens of {name}")
    with parts.reader.snapshot() as store:
        existing(store, name)
    return name, caller


async def _body(request: web.BaseRequest) -> dict[str, Any]:
    return await json_object(request) if request.can_read_body else {}


async def _have_key(parts: Parts, caller: Caller) -> None:
    with parts.reader.snapshot() as store:
        if tokens.key(store) is not None:
            return
    key = token_checks.new_key()
    await parts.submit(caller, SetTokenKey(key.commitment, renew=False), (key,))


def _existing(store: Store, name: UserName, token: str) -> Token:
    row = tokens.find(store, token)
    if row is None or row.user != name or row.incarnation != existing(store, name).incarnation:
        raise NotFound(f"{name} has no token {token[:100]}")
    return row


def _told(parts: Parts, name: UserName, token: str, text: str) -> web.Response:
    with parts.reader.snapshot() as store:
        result = {"id": token, "token": text} | shown(store, _existing(store, name, token), None)
    return _private(enveloped("token-info", result))


def _private(answer: web.Response) -> web.Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
