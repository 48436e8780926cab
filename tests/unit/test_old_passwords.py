"""Passwords as devpi-server had them before argon2: taken, checked and given back."""

import hashlib

import pytest

from changelog.errors import InvalidOption
from server import old_passwords, passwords

SALT = "uBLR5DKWtF6ro4H7h3FObQ=="
EMPTY = "667a21361c2d700d6451ecc77c837a595329a74fa5b49c396c6aa6c49600bad6"  # devpi-server's own hash of ""
ARGON2 = passwords.hashed("right").decode()


def test_a_hash_that_devpi_server_made_is_that_of_its_password() -> None:
    stored = old_passwords.imported(EMPTY, SALT)
    assert passwords.matches(stored, "")
    assert not passwords.matches(stored, "guessed")


def test_salt_and_hash_may_stand_in_one_text() -> None:
    assert old_passwords.imported(f"{SALT}:{EMPTY}", None) == old_passwords.imported(EMPTY, SALT)


def test_an_argon2_hash_stays_as_it_is() -> None:
    assert old_passwords.imported(ARGON2, None) == ARGON2.encode()
    assert not old_passwords.is_old(ARGON2.encode())


def test_what_was_taken_is_given_back() -> None:
    assert old_passwords.exported(old_passwords.imported(EMPTY, SALT)) == (SALT, EMPTY)


def test_letters_beyond_ascii_count_as_utf_8() -> None:
    digest = hashlib.sha256(SALT.encode() + "Größe".encode()).hexdigest()
    assert passwords.matches(old_passwords.imported(digest, SALT), "Größe")


@pytest.mark.parametrize(
    ("pwhash", "pwsalt"),
    [
        (None, None),
        (7, None),
        ("", ""),
        (EMPTY, None),
        (EMPTY, "é"),
        (EMPTY, "s" * 300),
        (EMPTY.upper(), SALT),
        ("$argon2id$v=19$m=65536,t=3,p=4$", None),
        ("$argon2id$v=19$m=1073741824,t=3,p=4$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ", None),
        ("$argon2id$v=19$m=65536,t=3000,p=4$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ", None),
        ("$argon2id$v=19$m=1048576,t=64,p=4$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ", None),
        ("$argon2id$v=19$m=1048576,t=3,p=100000$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhbHQ", None),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdHNhé", None),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$" + "c2Fs" * 200, None),
        ("$2b$12$abcdefghijklmnopqrstuv", None),
    ],
)
def test_what_can_not_be_checked_or_costs_too_much_is_refused(pwhash: object, pwsalt: object) -> None:
    with pytest.raises(InvalidOption):
        old_passwords.imported(pwhash, pwsalt)


def test_a_damaged_record_matches_nothing() -> None:
    odd = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$é".encode()
    for stored in (b"$devpi-sha256$", b"$devpi-sha256$!$!", b"$devpi-sha256$YQ$YQ", odd, b"$argon2id$\xff"):
        assert not passwords.matches(stored, "")
