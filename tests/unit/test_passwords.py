"""Checks of passwords: what counts as an attempt."""

import asyncio

import pytest

from changelog.errors import InvalidInput, TooManyAttempts
from server.passwords import PasswordChecks, checked_hash, hashed

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


@pytest.mark.parametrize("cost", ["m=8589934592,t=3,p=4", "m=65536,t=65,p=4", "m=1048576,t=3,p=100000", "m=1,t=é,p=1"])
def test_a_hash_that_is_too_costly_is_not_taken(cost: str) -> None:
    with pytest.raises(InvalidInput):
        checked_hash(f"$argon2id$v=19${cost}$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ")


def test_our_own_hash_is_taken() -> None:
    assert checked_hash(STORED.decode()) == STORED
