"""Configuration of a replica: what a node has, whom it follows, and which files it keeps."""

from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen
from attrs.validators import gt, in_, optional

from changelog.names import index_name
from server.child import Start
from server.config import Config
from server.stream import HEARTBEAT_S

ALL, LAZY = "all", "lazy"  # words of --files besides the names of indexes

TOKEN_FILE = "replica.token"  # noqa: S105 - its name

SERVE, WARN, REFUSE = "serve", "warn", "refuse"  # what a copy that is too old is good for


def _files(given: Iterable[str]) -> tuple[str, ...]:
    """Return what ``--files`` says, ALL if nothing; raises InvalidName."""
    words = dict.fromkeys(text if text in (ALL, LAZY) else index_name(text) for text in given)
    return tuple(words) or (ALL,)


def _check_files(_config: object, _field: object, files: tuple[str, ...]) -> None:
    """Raise ValueError unless *files* is one of the two words, or names of indexes."""
    if len(files) > 1 and {ALL, LAZY} & set(files):
        raise ValueError(f"--files {ALL} and --files {LAZY} stand alone, not beside another --files")


@frozen
class ReplicaConfig(Config):
    """The options of ``ledgerpi replica``."""

    primary: tuple[str, ...] = field(default=(), converter=tuple)  # URLs to try before those of members
    primary_ca_file: str = ""  # certificates that are trusted besides the system's, "" = none
    max_age_s: float | None = field(  # seconds; an older copy is too old
        default=None, validator=optional(gt(HEARTBEAT_S))
    )
    when_stale: str = field(default=WARN, validator=in_((SERVE, WARN, REFUSE)))  # what is done with reads then

    files: tuple[str, ...] = field(  # what is fetched before anybody asks: ALL, LAZY (nothing) or what indexes name
        default=(ALL,), converter=_files, validator=_check_files
    )

    member_url: str = ""  # where other members reach this node; "" = --outside-url, or host and port

    @property
    def token_file(self) -> Path:
        """Where the token lies."""
        return self.layout.keys / TOKEN_FILE

    @property
    def word_file(self) -> Path:
        """Where the primary's newest word for a head lies."""
        return self.layout.local / "word"

    @property
    def following_file(self) -> Path:
        """Where the process that follows says how it is doing."""
        return self.layout.run / "following.json"

    @property
    def fetch_socket(self) -> Path:
        """Where the process that fetches files listens."""
        return self.layout.run / "fetch.sock"

    @property
    def files_file(self) -> Path:
        """Where that process says how it is doing."""
        return self.layout.run / "files.json"

    @property
    def backlog(self) -> Path:
        """What that process has yet to fetch; can be thrown away."""
        return self.layout.local / "files"


def config_of(start: Start) -> ReplicaConfig:
    """Return the configuration of a process that a node which can be a replica started."""
    if not isinstance(start.config, ReplicaConfig):
        raise TypeError(f"the configuration of a primary alone: {type(start.config).__name__}")
    return start.config
