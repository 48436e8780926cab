"""Configuration of a replica: what a node has, and whom it follows."""

from pathlib import Path

from attrs import field, frozen
from attrs.validators import gt, in_, min_len, optional

from server.config import Config
from server.stream import HEARTBEAT_S

TOKEN_FILE = "replica.token"  # noqa: S105 - its name; it is there if, and only if, the node is a replica

SERVE, WARN, REFUSE = "serve", "warn", "refuse"  # what a copy that is too old is good for


@frozen
class ReplicaConfig(Config):
    """The options of ``ledgerpi replica``."""

    primary: tuple[str, ...] = field(default=(), converter=tuple, validator=min_len(1))  # URLs, the first one preferred
    primary_ca_file: str = ""  # certificates that are trusted besides the system's, "" = none
    max_age_s: float | None = field(  # seconds; an older copy is too old
        default=None, validator=optional(gt(HEARTBEAT_S))
    )
    when_stale: str = field(default=WARN, validator=in_((SERVE, WARN, REFUSE)))  # what is done with reads then

    @property
    def token_file(self) -> Path:
        """Where the token lies."""
        return self.layout.keys / TOKEN_FILE

    @property
    def following_file(self) -> Path:
        """Where the process that follows says how it is doing."""
        return self.layout.run / "following.json"
