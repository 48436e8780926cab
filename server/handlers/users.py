"""``/`` and ``/{user}``."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from changelog import records
from changelog.errors import Conflict, InvalidForm, NotFound
from changelog.names import IndexName, UserName, user_name
from changelog.records import NONE, Record, new_record
from changelog.tables import Store
from changelog.views import indexes, users
from changelog.views.indexes import Index
from changelog.views.users import User
from changelog.writer import Already
from server import options, passwords
from server.answers import enveloped, message
from server.commands import Caller, ChangeProfile, CreateUser, DeleteUser, SetPassword
from server.executors import alone, in_thread
from server.limits import ADMIN
from server.options import PROFILE, PROFILE_IGNORED
from server.parts import Parts
from server.permissions import check_own, check_owner, check_unrestricted, is_owner, may_read, owner_of
from server.readers import READER
from server.requests import json_object

ATTEMPTS = 5  # to change what others change at the same time
MAX_PASSWORD = 4_096  # characters


async def everyone(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """List all users with their indexes."""
    caller = request[READER] = await parts.auth.caller_or_nobody(request.headers, request.remote or "")

    def answer() -> web.Response:
        with parts.reader.snapshot() as store:
            result = {name: shown(store, name, row, caller) for name, row in users.everyone(store)}
        return enveloped("list:userconfig", result)

    return await in_thread(answer)  # there may be thousands


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show a user."""
    name = user_name(segments[0])
    caller = request[READER] = await parts.auth.caller_or_nobody(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        return enveloped("userconfig", shown(store, name, existing(store, name), caller))


async def create(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Create a user; anybody may."""
    name, body = user_name(segments[0]), await json_object(request)
    password = _password(body)
    _check_keys(body)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        if users.find(store, name) is not None:
            raise Conflict(f"user already exists: {name}")
    check_unrestricted(caller, f"create the user {name}")  # as for modify
    profile = _record(options.merged_texts({}, options.parse_texts(body, PROFILE)))
    secret = new_record(await alone(passwords.hashed, password))
    command = CreateUser(name, _commitment(profile), secret.commitment)
    await parts.submit(caller, command, _records(profile, secret))
    with parts.reader.snapshot() as store:
        return enveloped("userconfig", shown(store, name, existing(store, name), caller), status=201)


async def modify(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Change a user's texts, or the password, which ends all logins and answers with a new one."""
    name, body = user_name(segments[0]), await json_object(request)
    _check_keys(body)
    caller = await parts.auth.caller(request.headers, request.remote or "")
    password = _password(body) if "password" in body else None
    with parts.reader.snapshot() as store:
        existing(store, name)
    check = check_own if body.keys() == {"password"} else check_owner
    check(caller, name, f"modify the user {name}")  # before a costly hash; the writer checks again
    texts = options.parse_texts(body, PROFILE)
    if texts:
        await _change_profile(parts, caller, name, texts)
    if password is None:
        with parts.reader.snapshot() as store:
            result = shown(store, name, existing(store, name), caller)
            return enveloped("userconfig", result, message="user updated")
    secret = new_record(await alone(passwords.hashed, password))
    done = await parts.submit(caller, SetPassword(name, secret.commitment), (secret,))
    since = done.serial if isinstance(done, Already) else done.last
    token = await parts.auth.token(name, since)  # not by the password: who guesses at it must not be in the way
    result = {"password": token, "expiration": parts.config.login_expiry_s}
    return enveloped("userpassword", result, message="user updated, new proxy auth")


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a user whose indexes are all volatile."""
    name = user_name(segments[0])
    caller = await parts.auth.caller(request.headers, request.remote or "")
    await parts.submit(caller, DeleteUser(name))
    return message(f"user {name} deleted")


def shown(store: Store, name: UserName, row: User, caller: Caller) -> dict[str, Any]:
    """Return ``userconfig`` as *caller* may see it: never the hash."""
    owned = {
        index.partition("/")[2]: indexconfig(store, index, found, caller)
        for index, found in indexes.of_user(store, name)
        if may_read(caller, index, found)
    }
    times = {"created": _utc(row.created), "modified": _utc(row.modified)}
    return {**texts_of(store, row.profile), **times, "indexes": owned, "username": name}


def indexconfig(store: Store, name: IndexName, row: Index, caller: Caller) -> dict[str, Any]:
    """Return ``indexconfig`` as *caller* may see it, without projects: only the owner sees bases that are private."""
    to_owner = is_owner(caller, owner_of(name), ADMIN, name)
    config = options.shown(name, row, texts_of(store, row.texts), to_owner=to_owner)
    if "bases" in config and not to_owner:
        config["bases"] = [base for base in row.bases if _is_shown(store, base, caller)]
    return config


def _is_shown(store: Store, base: IndexName, caller: Caller) -> bool:
    row = indexes.last(store, base)  # the name of a private one is told no sooner because it is deleted
    return row is None or may_read(caller, base, row)


def texts_of(store: Store, commitment: bytes) -> dict[str, Any]:
    """Return the texts in a private record; none where it was erased or never was."""
    stored = store.get("records", commitment) if commitment else None
    return {} if stored is None else options.texts_in(records.from_stored(stored).payload)


def existing(store: Store, name: UserName) -> User:
    """Return the user, or raise NotFound."""
    row = users.find(store, name)
    if row is None:
        raise NotFound(f"no such user: {name}")
    return row


async def _change_profile(parts: Parts, caller: Any, name: UserName, texts: dict[str, Any]) -> None:  # noqa: ANN401
    for attempt in range(ATTEMPTS):
        with parts.reader.snapshot() as store:
            row = existing(store, name)
            before = texts_of(store, row.profile)
        merged = options.merged_texts(before, texts)
        if merged == options.merged_texts(before, {}):
            return
        record = _record(merged)
        try:
            await parts.submit(caller, ChangeProfile(name, row.since, _commitment(record)), _records(record))
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


def _check_keys(body: dict[str, Any]) -> None:
    unknown = sorted(body.keys() - {*PROFILE, *PROFILE_IGNORED})
    if unknown:
        raise InvalidForm(f"unknown keys of a user: {', '.join(unknown)[:200]}")


def _password(body: dict[str, Any]) -> str:
    password = body.get("password")
    if not isinstance(password, str) or len(password) > MAX_PASSWORD:
        raise InvalidForm(f"a user needs a password of at most {MAX_PASSWORD} characters")
    return password


def _record(payload: bytes) -> Record | None:
    return new_record(payload) if payload else None


def _commitment(record: Record | None) -> bytes:
    return NONE if record is None else record.commitment


def _records(*found: Record | None) -> tuple[Record, ...]:
    return tuple(record for record in found if record is not None)


def _utc(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
