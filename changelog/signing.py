"""Statements that members of the cluster sign: a packed object behind an Ed25519 signature."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from changelog.errors import InvalidEntry, InvalidProof
from changelog.packing import Packing, unpackb

SIGNATURE_BYTES = 64

KeyOf = Callable[[int], bytes | None]  # number of a member: its public key (32 bytes), None if there is no such member


class Statement(Protocol):
    """What can be signed."""

    @property
    def member(self) -> int:
        """The number of the member who signs."""


S = TypeVar("S", bound=Statement)


class Signing(Generic[S]):
    """Signs and verifies one class of statements.

    What is signed begins with ``ledgerpi NAME v1``, so that no statement is good as another.
    """

    def __init__(self, cls: type[S], name: str, what: str) -> None:
        """Sign objects of *cls* under *name*; *what* it is, for errors."""
        self._packing = Packing(cls)
        self._context = f"ledgerpi {name} v1\n".encode()
        self._what = what

    def sign(self, statement: S, key: Ed25519PrivateKey) -> bytes:
        """Return the signature and what is signed."""
        raw = self._packing.pack(statement)
        return key.sign(self._context + raw) + raw

    def claimed(self, signed: bytes) -> S:
        """Return what *signed* says, not verified.

        Raises:
            InvalidProof: it is no such statement.
        """
        try:
            plain = unpackb(signed[SIGNATURE_BYTES:])
            return self._packing.value(plain if isinstance(plain, tuple) else ())
        except InvalidEntry as error:
            raise InvalidProof(f"not {self._what}") from error

    def verify(self, signed: bytes, key_of: KeyOf) -> S:
        """Return what *signed* says.

        Raises:
            InvalidProof: it is no such statement, or no member signed it.
        """
        statement = self.claimed(signed)
        public = key_of(statement.member)
        if public is None:
            raise InvalidProof(f"{self._what} is of member {statement.member}, who is unknown here")
        try:
            verifier = Ed25519PublicKey.from_public_bytes(public)
            verifier.verify(signed[:SIGNATURE_BYTES], self._context + signed[SIGNATURE_BYTES:])
        except (InvalidSignature, ValueError) as error:
            raise InvalidProof(f"{self._what}: the signature of member {statement.member} does not hold") from error
        return statement
