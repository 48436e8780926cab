"""Who asks: passwords, logins and API tokens of a request, checked once and then remembered for a short while."""

import base64
import binascii
import hashlib
import hmac
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from changelog.errors import InvalidName, TooManyAttempts, TooOld, Unauthenticated
from changelog.names import user_name
from changelog.reader import Reader
from changelog.tables import Store
from changelog.views import cluster
from server import logins, token_checks
from server.commands import NOBODY, Caller
from server.permissions import is_current
from server.submit import Submit
from server.token_uses import Uses

MAX_REMEMBERED = 4_096
MAX_SECRET = 4_096  # characters of a password or token


class Auth:
    """Checks the credentials of requests in one worker."""

    def __init__(
        self,
        reader: Reader,
        submit: Submit,
        memory_s: float,
        check_age: Callable[[], None] = lambda: None,
        administrators: Sequence[str] = (),
    ) -> None:
        """Ask the writer through *submit*; remember a checked password for *memory_s* seconds.

        *check_age* raises TooOld where no credentials are believed, as those revoked since would be. Who asks is told
        apart by *administrators*, if there are any.
        """
        self._reader = reader
        self._submit = submit
        self._memory_s = memory_s
        self._check_age = check_age
        self._administrators = administrators
        self._nobody = NOBODY.restricted(administrators)
        self._salt = secrets.token_bytes(32)
        self._uses = Uses(submit)
        self._good: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()

    async def caller(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return who sends a request with *headers*; nobody if it has no credentials.

        Raises:
            Unauthenticated: they are wrong.
            TooManyAttempts: wrong ones came too fast.
            TooOld: they can not be checked.
        """
        given = credentials(headers)
        if given is None:
            return self._nobody
        self._check_age()
        user, secret = given
        key = hmac.digest(self._salt, f"{user}\0{secret}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        caller, until = self._good.get(key, (NOBODY, 0.0))
        if until > time.time() and self._is_current(caller):
            self._uses.note(caller.token)
            return caller
        if token_checks.is_token(secret):
            caller, until = self._by_token(user, secret)
        elif secret.startswith(logins.PREFIX):
            caller, until = self._by_login(user, secret)
        else:
            caller, until = await self._by_password(user, secret, address), time.time() + self._memory_s
        caller = caller.restricted(self._administrators)
        self._remember(key, caller, until)
        self._uses.note(caller.token)
        return caller

    async def caller_or_nobody(self, headers: Mapping[str, str], address: str) -> Caller:
        """As :meth:`caller`, for pages that everybody may read: who can not be known is nobody."""
        try:
            return await self.caller(headers, address)
        except (Unauthenticated, TooManyAttempts, TooOld):
            return self._nobody

    async def login(self, user: str, password: str, address: str) -> tuple[str, float]:
        """Return a login for the owner of *password*, and until when it is good at most, seconds since 1970.

        The login of who comes with an API token is that token: as narrow, and revoked with it.

        Raises:
            Unauthenticated: it is wrong.
            TooManyAttempts: wrong ones came too fast.
        """
        if len(password) > MAX_SECRET:
            raise Unauthenticated("wrong password, or no such user")
        if token_checks.is_token(password):
            caller, until = self._by_token(user, password)
            self._uses.note(caller.token)
            return password, until
        _check_name(user)
        (token,) = await self._submit.ask("login", user, password, address)
        return str(token), math.inf

    async def token(self, user: str, password_serial: int) -> str:
        """Return a login token for *user*, whose password the caller has just set by entry *password_serial*.

        Raises:
            Unauthenticated: another one was set meanwhile.
        """
        (token,) = await self._submit.ask("token", user, password_serial)
        return str(token)

    def _is_current(self, caller: Caller) -> bool:
        with self._reader.snapshot() as store:
            return _is_current(store, caller)

    def _by_token(self, user: str, secret: str) -> tuple[Caller, float]:
        with self._reader.snapshot() as store:
            return token_checks.caller_with(store, user, secret, time.time())

    def _by_login(self, user: str, token: str) -> tuple[Caller, float]:
        with self._reader.snapshot() as store:
            keys = {number: member.node_key for number, member in cluster.members(store) if not member.until}
            login = logins.verify(token, time.time(), keys.get)
            caller = Caller(login.user, login.password_serial)
            if login.user != user or not _is_current(store, caller):
                raise Unauthenticated(f"the login of {user} is no longer good")
        return caller, float(login.expires)

    async def _by_password(self, user: str, password: str, address: str) -> Caller:
        _check_name(user)
        (serial,) = await self._submit.ask("check", user, password, address)
        return Caller(user, serial)

    def _remember(self, key: bytes, caller: Caller, until: float) -> None:
        self._good[key] = (caller, until)
        while len(self._good) > MAX_REMEMBERED:
            self._good.popitem(last=False)


def credentials(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return user and secret of ``X-Devpi-Auth`` or ``Authorization: Basic``, or None.

    An API token may come as ``Authorization: Bearer`` too, without a user.

    Raises:
        Unauthenticated: they can not be read.
    """
    encoded = headers.get("X-Devpi-Auth")
    if encoded is None:
        scheme, _, encoded = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and len(encoded) <= MAX_SECRET and token_checks.is_token(encoded):
            return "", encoded
        if scheme.lower() != "basic":
            return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated("the credentials can not be read") from error
    user, colon, secret = text.partition(":")
    if not colon or len(secret) > MAX_SECRET:
        raise Unauthenticated("the credentials can not be read")
    return user, secret


def _is_current(store: Store, caller: Caller) -> bool:
    try:
        user_name(caller.user)
    except InvalidName:
        return False
    return is_current(store, caller)


def _check_name(user: str) -> None:
    try:
        user_name(user)
    except InvalidName as error:
        raise Unauthenticated("wrong password, or no such user") from error
