"""The text of an API token: ``lpt-``, its id, its secret and a checksum, all in letters and digits.

``lpt-[0-9A-Za-z]{61}`` is what scanners look for; the checksum lets them, and us, tell a token from what only looks
like one without asking anybody. The log has the id and the hash of the secret alone (``TokenCreated``).
"""

import secrets
import string
import zlib
from hashlib import sha256

from attrs import frozen

from changelog.errors import Unauthenticated

PREFIX = "lpt-"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH = 12
SECRET_LENGTH = 43  # 62 ** 43 > 2 ** 256
CRC_LENGTH = 6  # 62 ** 6 > 2 ** 32


@frozen
class ApiToken:
    """What a token says."""

    id: str
    secret: str

    @property
    def hash(self) -> bytes:
        """What the log knows the secret by, 32 bytes."""
        return sha256(self.secret.encode()).digest()

    @property
    def text(self) -> str:
        """The token as it is handed on."""
        said = f"{PREFIX}{self.id}{self.secret}"
        return said + _checksum(said)


def new_id() -> str:
    """Return the id of a new token, of either kind."""
    return _random(ID_LENGTH)


def new() -> ApiToken:
    """Return a new token."""
    return ApiToken(new_id(), _random(SECRET_LENGTH))


def read(text: str) -> ApiToken:
    """Return what the token *text* says.

    Raises:
        Unauthenticated: it is none, or was not copied as a whole. The message does not repeat it.
    """
    said, checksum = text[:-CRC_LENGTH], text[-CRC_LENGTH:]
    letters = said.removeprefix(PREFIX)
    is_whole = len(letters) == ID_LENGTH + SECRET_LENGTH and set(letters) <= set(ALPHABET)
    if not text.startswith(PREFIX) or not is_whole or _checksum(said) != checksum:
        raise Unauthenticated("this is not a token, or not all of it")
    return ApiToken(letters[:ID_LENGTH], letters[ID_LENGTH:])


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(said: str) -> str:
    """Return the CRC-32 of *said* in base 62, six digits, the highest first."""
    number, digits = zlib.crc32(said.encode()), ""
    for _ in range(CRC_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
