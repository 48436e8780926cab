"""How a replica is doing at following, for its status page: a small file that one process writes."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from attrs import asdict, field, frozen

from replica.config import ReplicaConfig

FOLLOWING, UNREACHABLE, BEHIND, DIVERGED, FORGED, REFUSED = (
    "following",
    "unreachable",
    "behind",  # the other node has fewer entries
    "diverged",  # it has another history
    "forged",  # what it sends is not what its log signed
    "refused",  # it does not take the token, or has another log
)
SUPERSEDED = "superseded"  # it is of an epoch that is over


@frozen
class Following:
    """The state of following, since it last changed."""

    state: str
    primary: str = ""  # URL of who is followed or was asked last
    reason: str = ""  # why not following
    since: float = field(factory=time.time)  # seconds since 1970


NEVER = Following(UNREACHABLE, reason="nobody was asked yet", since=0.0)


def write(path: Path, following: Following) -> None:
    """Replace what the file says."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(following)))
    temporary.replace(path)


def read(path: Path) -> Following:
    """Return what the file says."""
    try:
        return Following(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return NEVER


def candidates(config: ReplicaConfig, members: Iterable[str]) -> list[str]:
    """Return the URLs of all who may be asked, without a slash at the end; first the one that is followed.

    *members* are where other members of the cluster are.
    """
    following = read(config.following_file)
    first = [following.primary] if following.state == FOLLOWING else []
    return list(dict.fromkeys([*first, *(url.rstrip("/") for url in config.primary), *members]))
