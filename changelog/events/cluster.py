"""The log itself and the nodes that carry it."""

from attrs import frozen


@frozen
class LogCreated:
    """The first entry of every log."""

    origin: str  # C2SP tlog-checkpoint origin, one line
    log_key: bytes  # Ed25519 public key, 32 bytes, that signs checkpoints


@frozen
class MemberAdded:
    """A node joined the cluster. Numbers are never reused."""

    name: str
    number: int  # 1 to 1023
    url: str  # where other members reach it, "" = not told
    node_key: bytes  # Ed25519 public key, 32 bytes: signs logins and stream heads
    voter: bool
    may_promote: bool


@frozen
class PrimaryChanged:
    """A member began an epoch as the primary. Its entry is the first of the epoch."""

    member: int
    last_epoch: int  # of the entry before, 0 = none
    last_size: int  # entries before this one
    last_root: bytes  # 32 bytes


@frozen
class MemberChanged:
    """A member told where it is and which key it acknowledges with."""

    number: int
    url: str  # where other members reach it, "" = not told
    cosigner_key: bytes  # Ed25519 public key, 32 bytes: signs acknowledgements; b"" = it has none


@frozen
class MemberRemoved:
    """A member left the cluster for ever; its number is not used again."""

    number: int


@frozen
class DurabilitySet:
    """Acknowledged writes are to be held by so many voters besides the primary; 0 = the primary's disk is enough."""

    replicas: int


@frozen
class MembersSettled:
    """The last change of voters or of their number is held as it asks for: the setting before counts no longer."""


@frozen
class LossAccepted:
    """An operator let a member take over without the answers that show that nothing acknowledged is lost.

    The log goes on under another origin with another key.
    """

    origin: str  # C2SP tlog-checkpoint origin
    log_key: bytes  # Ed25519 public key, 32 bytes, that signs checkpoints from here on
    answered: tuple[int, ...]  # members whose position was known
    missing: tuple[int, ...]  # voters whose position was not


@frozen
class ReplicaEnrolled:
    """A replica may join by a token; a name that was revoked may be enrolled again, with another token."""

    name: str
    token: bytes  # SHA-256 of the token's secret, 32 bytes
    voter: bool  # whether its acknowledgements are to count
    may_promote: bool


@frozen
class ReplicaRevoked:
    """The token of a replica is no longer good."""

    name: str
