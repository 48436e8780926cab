"""Macaroons: tokens that whoever holds one can narrow, offline (Birgisson et al., NDSS 2014).

Read and written in version 2 of libmacaroons' binary format, in base64url without padding, with first-party caveats
only: what pypitoken and devpi's client make. A signature is a chain: HMAC-SHA256 of the identifier by the key, then of
each caveat by the signature before it; so a caveat can be added by who has the last signature, and none removed.
"""

import base64
import binascii
import hmac
from hashlib import sha256

from attrs import evolve, frozen

from changelog.errors import InvalidInput

VERSION = 2
LOCATION, IDENTIFIER, VERIFICATION, SIGNATURE = 1, 2, 4, 6  # types of fields
END = 0  # of a section
SIGNATURE_BYTES = 32
MAX_CAVEATS = 64
_KEY = b"macaroons-key-generator".ljust(32, b"\0")  # libmacaroons: the key is hashed with this first


@frozen
class Macaroon:
    """What a macaroon says. Its location, a hint for people, is not kept."""

    identifier: bytes
    caveats: tuple[bytes, ...]
    signature: bytes  # 32 bytes

    @property
    def text(self) -> str:
        """The macaroon as it is handed on."""
        parts = [bytes([VERSION]), _field(IDENTIFIER, self.identifier), bytes([END])]
        parts += [_field(IDENTIFIER, caveat) + bytes([END]) for caveat in self.caveats]
        parts += [bytes([END]), _field(SIGNATURE, self.signature)]
        return base64.urlsafe_b64encode(b"".join(parts)).decode().rstrip("=")

    def narrowed(self, caveat: bytes) -> "Macaroon":
        """Return this with one more caveat."""
        signature = hmac.digest(self.signature, caveat, sha256)
        return evolve(self, caveats=(*self.caveats, caveat), signature=signature)

    def is_signed(self, key: bytes) -> bool:
        """Return whether it was made with *key*, and only narrowed since."""
        signed = new(self.identifier, key)
        for caveat in self.caveats:
            signed = signed.narrowed(caveat)
        return hmac.compare_digest(signed.signature, self.signature)


def new(identifier: bytes, key: bytes) -> Macaroon:
    """Return a macaroon without caveats."""
    return Macaroon(identifier, (), hmac.digest(hmac.digest(_KEY, key, sha256), identifier, sha256))


def read(text: str) -> Macaroon:
    """Return what *text* says; its signature is not checked.

    Raises:
        InvalidInput: it is no macaroon, or one with more than first-party caveats. The message does not repeat it.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("this is not a macaroon") from error
    if raw[:1] != bytes([VERSION]):
        raise InvalidInput("this is not a macaroon of version 2")
    reading = _Reading(raw)
    identifier = reading.section()
    caveats: list[bytes] = []
    while not reading.ends():
        caveats.append(reading.section())
        if len(caveats) > MAX_CAVEATS:
            raise InvalidInput(f"a macaroon with over {MAX_CAVEATS} restrictions")
    return Macaroon(identifier, tuple(caveats), reading.signature())


class _Reading:
    """A place in the bytes of a macaroon."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 1

    def section(self) -> bytes:
        """Return the identifier of a section."""
        kind, value = self._field()
        if kind == LOCATION:
            kind, value = self._field()
        if kind != IDENTIFIER:
            raise InvalidInput("a part of the macaroon has no identifier")
        if not self.ends():  # as VERIFICATION, of third parties' caveats
            raise InvalidInput("the macaroon has parts that are not known here")
        return value

    def ends(self) -> bool:
        """Return whether a section ends here, and step over that."""
        if self._raw[self._at : self._at + 1] == bytes([END]):
            self._at += 1
            return True
        return False

    def signature(self) -> bytes:
        """Return the signature, with which the macaroon ends."""
        kind, value = self._field()
        if kind != SIGNATURE or len(value) != SIGNATURE_BYTES or self._at != len(self._raw):
            raise InvalidInput("the macaroon does not end with its signature")
        return value

    def _field(self) -> tuple[int, bytes]:
        kind, length = self._number(), self._number()
        value = self._raw[self._at : self._at + length]
        if len(value) != length:
            raise InvalidInput("the macaroon is cut off")
        self._at += length
        return kind, value

    def _number(self) -> int:
        """Return an unsigned LEB128 number below 2 ** 14, more than a token can have of anything."""
        first, second = self._raw[self._at : self._at + 1], self._raw[self._at + 1 : self._at + 2]
        if first and first[0] < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            self._at += 1
            return first[0]
        if not second or not 0 < second[0] < 0x80:  # noqa: PLR2004 - as above
            raise InvalidInput("the macaroon has a number that is too large")
        self._at += 2
        return first[0] - 0x80 + (second[0] << 7)


def _field(kind: int, value: bytes) -> bytes:
    length = len(value)
    encoded = bytes([length]) if length < 0x80 else bytes([length & 0x7F | 0x80, length >> 7])  # noqa: PLR2004
    return bytes([kind]) + encoded + value
