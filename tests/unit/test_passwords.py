"""Checks of passwords: what counts as an attempt."""

import asyncio

from changelog.errors import TooManyAttempts
from server.passwords import PasswordChecks, hashed

ATTEMPTS = 3
STORED = hashed("right")


def outcomes(checks: PasswordChecks, passwords: list[str]) -> list[bool | BaseException]:
    """Return what becomes of *passwords* that one address tries for one user, all at once."""

    async def ask() -> list[bool | BaseException]:
        tries = (checks.check("ada", "192.0.2.1", password, STORED) for password in passwords)
        return await asyncio.gather(*tries, return_exceptions=True)

    found = asyncio.run(ask())
    checks.close()
    return found


def test_guesses_sent_at_once_are_slowed_as_those_one_after_another() -> None:
    found = outcomes(PasswordChecks(ATTEMPTS, 60.0), [f"guess {number}" for number in range(8)])
    assert found[:ATTEMPTS] == [False] * ATTEMPTS
    assert all(isinstance(outcome, TooManyAttempts) for outcome in found[ATTEMPTS:])


def test_the_right_password_sent_many_times_at_once_is_no_attack() -> None:
    assert outcomes(PasswordChecks(ATTEMPTS, 60.0), ["right"] * 8) == [True] * 8


def test_right_passwords_use_up_no_attempts() -> None:
    async def ask() -> list[bool]:
        checks = PasswordChecks(ATTEMPTS, 0.0)  # remembers none
        try:
            return [await checks.check("ada", "192.0.2.1", "right", STORED) for _ in range(ATTEMPTS + 1)]
        finally:
            checks.close()

    assert asyncio.run(ask()) == [True] * (ATTEMPTS + 1)
