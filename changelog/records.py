"""Private records: bytes for members of the cluster only; entries name them by a salted hash."""

import secrets
from hashlib import sha256

from attrs import frozen

SALT_BYTES = 32
COMMITMENT_BYTES = 32
NONE = b""  # the commitment to nothing


@frozen
class Record:
    """A private record with the salt that keeps its commitment from being guessed."""

    salt: bytes  # 32 random bytes
    payload: bytes

    @property
    def commitment(self) -> bytes:
        """SHA-256(salt ‖ payload), 32 bytes: what entries and views say in its place."""
        return sha256(self.salt + self.payload).digest()

    @property
    def stored(self) -> bytes:
        """The bytes of the table ``records``: salt and payload."""
        return self.salt + self.payload


def new_record(payload: bytes) -> Record:
    """Return *payload* with a new salt."""
    return Record(secrets.token_bytes(SALT_BYTES), payload)


def from_stored(stored: bytes) -> Record:
    """Return the record that :attr:`Record.stored` made *stored* from."""
    return Record(stored[:SALT_BYTES], stored[SALT_BYTES:])
