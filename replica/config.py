"""Configuration of a replica: what a node has, and whom it follows."""

from pathlib import Path

from attrs import field, frozen
from attrs.validators import min_len

from server.config import Config

TOKEN_FILE = "replica.token"  # noqa: S105 - its name; it is there if, and only if, the node is a replica


@frozen
class ReplicaConfig(Config):
    """The options of ``ledgerpi replica``."""

    primary: tuple[str, ...] = field(default=(), converter=tuple, validator=min_len(1))  # URLs, the first one preferred
    primary_ca_file: str = ""  # certificates that are trusted besides the system's, "" = none

    @property
    def token_file(self) -> Path:
        """Where the token lies."""
        return self.layout.keys / TOKEN_FILE

    @property
    def following_file(self) -> Path:
        """Where the process that follows says how it is doing."""
        return self.layout.run / "following.json"
