"""Password hashes, and the writer's checks of them: one argon2 per password and node, wrong ones slowed."""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from attrs import define

from changelog.errors import InvalidInput, TooManyAttempts
from server import old_passwords

WINDOW_S = 60.0  # in which attempts are counted
USER_FACTOR = 10  # a user may be tried this many times more from everywhere together
THREADS = 2  # argon2 runs at once, 64 MiB each
MAX_REMEMBERED = 10_000
MAX_COUNTED = 100_000
MAX_MEMORY_KIB, MAX_PASSES = 4 << 20, 64  # of a hash made elsewhere

_HASHER = PasswordHasher()  # RFC 9106's second recommendation: argon2id, 64 MiB, 3 passes


def hashed(password: str) -> bytes:
    """Return the argon2id hash of *password* in PHC string format; takes about 50 ms of a core."""
    return _HASHER.hash(password).encode()


def checked_hash(text: str) -> bytes:
    """Return *text*, an argon2 hash in PHC string format that was made elsewhere.

    Raises:
        InvalidInput: it is none, or a check of it would take over 4 GiB, 64 passes or 64 lanes.
    """
    try:
        text.encode("ascii")
        told = extract_parameters(text)
    except (InvalidHashError, ValueError) as error:
        raise InvalidInput("the hash of a password has to be one of argon2 in PHC string format") from error
    memory, passes, lanes = told.memory_cost, told.time_cost, told.parallelism
    if memory > MAX_MEMORY_KIB or passes > MAX_PASSES or lanes > old_passwords.MAX_LANES:
        raise InvalidInput(f"a hash that takes {memory} KiB, {passes} passes and {lanes} lanes is too costly")
    return text.encode()


def matches(stored: bytes | None, password: str) -> bool:
    """Return whether *password* has the hash *stored*; None is checked against nobody's."""
    is_old = stored is not None and old_passwords.is_old(stored)
    try:
        _HASHER.verify(_nobodys() if stored is None or is_old else stored.decode(), password)
    except (VerificationError, InvalidHashError, UnicodeError):
        return stored is not None and is_old and old_passwords.matches(stored, password)
    return stored is not None


@cache
def _nobodys() -> str:
    """Return the hash that is checked for users who are not there, so that they take as long."""
    return _HASHER.hash(secrets.token_hex())


class PasswordChecks:
    """Checks passwords in threads and remembers the good ones for a while."""

    def __init__(self, attempts: int, memory_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow *attempts* wrong passwords a minute by user and address; remember good ones for *memory_s*."""
        self._throttle = Throttle(attempts, clock)
        self._memory_s = memory_s
        self._clock = clock
        self._salt = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, asyncio.Future[bool]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")

    async def check(self, user: str, address: str, password: str, stored: bytes | None) -> bool:
        """Return whether *password* is the one whose hash is *stored* (None = no such user).

        Raises:
            TooManyAttempts: too many wrong ones came from *address* or for *user*.
        """
        key = self._key(password, stored)
        if self._good.get(key, 0.0) > self._clock():
            return True
        self._throttle.check(user, address)
        running = self._running.get(key)
        if running is None:
            self._throttle.count(user, address, 1)  # before it is known to be wrong: guesses sent at once count too
            running = asyncio.ensure_future(self._run(key, stored, password, (user, address)))
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(running)

    async def hash(self, password: str) -> bytes:
        """Return :func:`hashed`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, hashed, password)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, key: bytes, stored: bytes | None, password: str, who: tuple[str, str]) -> bool:
        loop = asyncio.get_running_loop()
        good = await loop.run_in_executor(self._threads, matches, stored, password)
        if good:
            self._throttle.count(*who, -1)
            self._good[key] = self._clock() + self._memory_s
            while len(self._good) > MAX_REMEMBERED:
                self._good.popitem(last=False)
        return good

    def _key(self, password: str, stored: bytes | None) -> bytes:
        """Name a password without keeping it; another hash, another name."""
        text = hashlib.sha256(stored or b"").digest() + password.encode("utf-8", "surrogatepass")
        return hmac.digest(self._salt, text, "sha256")


@define
class _Count:
    since: float
    number: int


class Throttle:
    """Counts wrong passwords in windows of a minute."""

    def __init__(self, attempts: int, clock: Callable[[], float]) -> None:
        """Allow *attempts* a window for a user from one address, ten times that from all."""
        self._attempts = attempts
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def check(self, user: str, address: str) -> None:
        """Raise TooManyAttempts if the window's attempts are used up."""
        now = self._clock()
        for key, allowed in self._limits(user, address):
            count = self._counts.get(key)
            if count is not None and count.number >= allowed and now < count.since + WINDOW_S:
                wait = int(count.since + WINDOW_S - now) + 1
                raise TooManyAttempts(f"too many wrong passwords for {user}; wait {wait} s", wait)

    def count(self, user: str, address: str, change: int) -> None:
        """Count an attempt, or take it back (*change* -1): it was the right password."""
        now = self._clock()
        for key, _ in self._limits(user, address):
            count = self._counts.get(key)
            if count is None or now >= count.since + WINDOW_S:
                self._counts[key] = _Count(now, max(change, 0))
                self._counts.move_to_end(key)
            else:
                count.number = max(count.number + change, 0)
        while len(self._counts) > MAX_COUNTED:
            self._counts.popitem(last=False)

    def _limits(self, user: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        return (((user, address), self._attempts), ((user, ""), self._attempts * USER_FACTOR))
