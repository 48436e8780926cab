"""The token of a replica: what lets it follow the log, and what lets it know the log when it sees it.

``lrt-`` and base64url of the packed fields. The log has the hash of the secret alone (``ReplicaEnrolled``).
"""

import base64
import binascii
import secrets
from hashlib import sha256

from attrs import evolve, frozen

from changelog.errors import InvalidEntry, InvalidInput, Unauthenticated
from changelog.packing import Packing, unpackb
from changelog.tables import Store
from changelog.views import cluster

PREFIX = "lrt-"
SECRET_BYTES = 32
MAX_TOKEN = 2_048  # characters


@frozen
class ReplicaToken:
    """What a token says."""

    name: str  # of the replica
    origin: str
    log_key: bytes  # Ed25519 public key, 32 bytes
    size: int  # of the log when the token was made
    root: bytes  # 32 bytes: of those entries
    secret: bytes  # 32 random bytes; b"" = a member, who has a key instead
    voter: bool = False  # its acknowledgements are to count
    log_seed: bytes = b""  # the log's private key for who may become the primary, else b""
    member: int = 0  # its number, if it has no secret
    urls: tuple[str, ...] = ()  # where members were when it left a log to copy it anew

    @property
    def hash(self) -> bytes:
        """What the log knows the token by."""
        return sha256(self.secret).digest()

    @property
    def bearer(self) -> str:
        """The token as it is sent with requests: without the log's key, and what only the node itself needs."""
        return evolve(self, log_seed=b"", urls=()).text

    @property
    def text(self) -> str:
        """The token as it is handed on."""
        return PREFIX + base64.urlsafe_b64encode(_TOKENS.pack(self)).decode().rstrip("=")


_TOKENS = Packing(ReplicaToken)


def new_secret() -> bytes:
    """Return the secret of a new token."""
    return secrets.token_bytes(SECRET_BYTES)


def read(text: str) -> ReplicaToken:
    """Return what the token *text* says.

    Raises:
        InvalidInput: it is none. The message does not repeat it.
    """
    try:
        encoded = text.strip().removeprefix(PREFIX)
        plain = unpackb(base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True))
        token = _TOKENS.value(plain if isinstance(plain, tuple) else ())
    except (binascii.Error, ValueError, InvalidEntry) as error:
        raise InvalidInput("this is not the token of a replica") from error
    if (
        len(token.secret) not in (0, SECRET_BYTES)
        or len(token.log_seed) not in (0, SECRET_BYTES)
        or not text.strip().startswith(PREFIX)
    ):
        raise InvalidInput("this is not the token of a replica")
    return token


def replica_of(store: Store, text: str) -> tuple[str, bytes]:
    """Return the name of the replica whose token *text* is, and the hash of its secret.

    Raises:
        Unauthenticated: it is none, or no longer good.
    """
    try:
        token = read(text)
    except InvalidInput as error:
        raise Unauthenticated(str(error)) from error
    found = cluster.replica_with(store, token.hash)
    if found is None or found[1].until:
        raise Unauthenticated(f"the token of the replica {token.name} is not good here, or no longer")
    return found[0], token.hash
