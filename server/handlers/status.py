"""``+api``, ``+login`` and ``+status``."""

import time
from importlib.metadata import version

from aiohttp import web

from changelog import log
from changelog.errors import InvalidForm, LedgerpiError
from changelog.log import Head
from changelog.views import cluster, indexes, voting
from server.answers import enveloped
from server.auth import credentials
from server.outside import outside_url
from server.parts import Parts
from server.permissions import may_read
from server.readers import READER
from server.requests import index_of, json_object

FEATURES = ("push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing")


async def api(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Tell a client the URLs of this server, of an index if one is named, and who it is."""
    base = outside_url(parts, request)
    result: dict[str, object] = {
        "login": f"{base}/+login",
        "authstatus": await _authstatus(parts, request),
        "features": FEATURES,
    }
    if len(segments) > 2:  # noqa: PLR2004 - user, index, +api
        name = index_of(segments)
        with parts.reader.snapshot() as store:
            is_mirror = parts.mirrors.settings(store, parts.sources.own(store, name)[1]) is not None
        result |= {"index": f"{base}/{name}", "simpleindex": f"{base}/{name}/+simple/"}
        result |= {} if is_mirror else {"pypisubmit": f"{base}/{name}/"}
    return enveloped("apiconfig", result)


async def login(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Exchange a password for a login token."""
    body = await json_object(request)
    user, password = body.get("user"), body.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise InvalidForm("a login needs user and password")
    token, until = await parts.auth.login(user, password, request.remote or "")
    result = {"password": token, "expiration": int(min(parts.config.login_expiry_s, until - time.time()))}
    return enveloped("proxyauth", result, message="login successful")


async def status(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Tell where this node's history ends, and how those mirrors are doing that the caller may read."""
    caller = request[READER] = await parts.auth.caller_or_nobody(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        head = log.head(store)
        health = parts.mirrors.health(store)
        mirrors = {
            name: told
            for name, told in health.items()
            if (row := indexes.find(store, name)) is not None and may_read(caller, name, row)
        }
        rows, now = dict(cluster.members(store)), voting.find(store)
    result = {
        "uuid": parts.member,
        "versioninfo": {"ledgerpi": version("ledgerpi")},
        "role": "MASTER" if parts.standing is None else "REPLICA",
        "serial": head.size,
        "epoch": cluster.shown_epoch(head.epoch),
        "root": head.root.hex(),
        "origin": parts.origin,
        "last-commit-timestamp": head.time / 1e6,
        "mirrors": mirrors,
        "replicas": now.replicas,
        "members": await _members(parts, rows, head),
    }
    if parts.standing is not None:
        result |= parts.standing()
    return enveloped("status", result)


async def _members(parts: Parts, rows: dict[int, cluster.Member], head: Head) -> list[dict[str, object]]:
    """Return the members with what they acknowledged last, as far as this node is the primary whom they tell."""
    try:
        (said,) = await parts.submit.ask("members") if parts.standing is None else ([],)
    except LedgerpiError:
        said = []  # the writer is being restarted
    newest = {number: told for number, *told in said}
    return [_member(number, row, newest.get(number), head) for number, row in rows.items() if not row.until]


def _member(number: int, row: cluster.Member, told: list[int] | None, head: Head) -> dict[str, object]:
    shown: dict[str, object] = {"number": number, "name": row.name, "url": row.url, "voter": row.voter}
    shown["may-promote"] = row.may_promote
    if told is None:
        return shown
    epoch, size, missing, at = told
    lag = {"entries-behind": max(0, head.size - size), "files-missing": missing, "acknowledged": at / 1e6}
    return shown | {"position": f"{cluster.shown_epoch(epoch)}:{size}"} | lag


async def _authstatus(parts: Parts, request: web.BaseRequest) -> list[object]:
    try:
        given = credentials(request.headers)
        caller = await parts.auth.caller(request.headers, request.remote or "")
    except LedgerpiError:
        return ["noauth", "", []]
    return ["noauth", "", []] if given is None else ["ok", caller.user, []]
