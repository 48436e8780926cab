"""Password hashes of devpi-server before its version 5: good until their owner logs in the next time.

devpi-server made them as SHA-256 of the salt's text and the password, and kept both beside each other. Here they are
one private record like every password hash, as ``$devpi-sha256$SALT$HASH`` with base64 without padding: the text of the
salt in UTF-8, and the 32 bytes (the PHC string format, for a scheme that has no parameters).
"""

import base64
import binascii
import hashlib
import hmac
import re

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError

from changelog.errors import InvalidOption

PREFIX = "$devpi-sha256$"
MAX_SALT = 256  # characters
MAX_MEMORY_KIB = 1 << 20  # of an argon2 hash: every login costs it
MAX_PASSES = 64
MAX_WORK_KIB = 4 << 20  # memory times passes, some seconds of a core
MAX_LANES = 64  # each is a thread
MAX_HASH = 512  # characters
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


def imported(pwhash: object, pwsalt: object) -> bytes:
    """Return the record of a password as devpi-server exports it: an argon2 hash as it is, an old one in our form.

    Raises:
        InvalidOption: it is neither, or a login would cost too much.
    """
    if not isinstance(pwhash, str):
        raise InvalidOption("the password's hash is no text")
    if pwhash.startswith("$argon2") and pwhash.isascii() and len(pwhash) <= MAX_HASH and not pwsalt:
        _check_cost(pwhash)
        return pwhash.encode()
    salt, _, digest = (pwsalt, "", pwhash) if pwsalt else pwhash.rpartition(":")
    if not isinstance(salt, str) or not 0 < len(salt) <= MAX_SALT or not salt.isascii() or not _HEX.fullmatch(digest):
        raise InvalidOption("the password's hash is of no known scheme")
    return f"{PREFIX}{_encoded(salt.encode())}${_encoded(bytes.fromhex(digest))}".encode()


def is_old(stored: bytes | None) -> bool:
    """Return whether a record is one of these."""
    return stored is not None and stored.startswith(PREFIX.encode())


def matches(stored: bytes, password: str) -> bool:
    """Return whether *password* has the old hash *stored*."""
    salt, digest = exported(stored)
    return hmac.compare_digest(_digest(salt, password), digest)


def exported(stored: bytes) -> tuple[str, str]:
    """Return salt and hash as devpi-server has them; two empty texts where *stored* is damaged."""
    salt, _, digest = stored.decode(errors="replace").removeprefix(PREFIX).partition("$")
    try:
        return _decoded(salt).decode(), _decoded(digest).hex()
    except (ValueError, binascii.Error):
        return "", ""


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(salt.encode() + password.encode("utf-8", "surrogatepass")).hexdigest()


def _check_cost(phc: str) -> None:
    try:
        parameters = extract_parameters(phc)
    except (InvalidHashError, ValueError) as error:
        raise InvalidOption("the password's argon2 hash can not be read") from error
    memory, passes, lanes = parameters.memory_cost, parameters.time_cost, parameters.parallelism
    if memory > MAX_MEMORY_KIB or passes > MAX_PASSES or memory * passes > MAX_WORK_KIB or lanes > MAX_LANES:
        cost = f"{memory} KiB, {passes} passes, {lanes} lanes"
        raise InvalidOption(f"the password's argon2 hash would cost every login too much: {cost}")


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
