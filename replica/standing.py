"""How a replica stands to its primary, for the status page and for load balancers."""

import time

from replica import files, follow, word
from replica.config import ReplicaConfig
from replica.follow import FOLLOWING

RECENT_S = 15.0  # that a copy counts as current where --max-age does not say: three heartbeats


class Standing:
    """Reads what the processes that follow and fetch, and the writer left."""

    def __init__(self, config: ReplicaConfig) -> None:
        """Read the node's own files."""
        self._word_file = config.word_file
        self._path = config.following_file
        self._files = config.files_file
        self._bound_s = RECENT_S if config.max_age_s is None else config.max_age_s

    def __call__(self) -> dict[str, object]:
        """Return whom this node follows and how that goes, how old the newest word for its head is, and its files."""
        following, age_s = follow.read(self._path), self._age_s()
        return {
            "primary": following.primary,
            "following": following.state,
            "following-reason": following.reason,
            "following-since": following.since,
            "head-age": None if age_s is None else round(age_s, 1),
            "files": files.read(self._files),
        }

    def trouble(self) -> str:
        """Return why the copy is not current: nobody is followed, or it is older than the bound; "" if it is."""
        following, age_s = follow.read(self._path), self._age_s()
        if following.state != FOLLOWING:
            return f"{following.state}: {following.reason}"
        if age_s is None:
            return "no primary has vouched for a head of this log yet"
        return "" if age_s < self._bound_s else f"the copy is {age_s:.0f} s old, not less than {self._bound_s:g}"

    def _age_s(self) -> float | None:
        newest = word.find(self._word_file)
        return None if newest is None else newest.age_s(time.time())
