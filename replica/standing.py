"""How a replica stands to its primary, for the status page."""

import time

from changelog.reader import Reader
from replica import follow
from replica.config import ReplicaConfig
from replica.writer_process import VOUCHED, vouching_time


class Standing:
    """Reads what the process that follows and the writer left."""

    def __init__(self, config: ReplicaConfig, reader: Reader) -> None:
        """Read the node's own files and tables."""
        self._path = config.following_file
        self._reader = reader

    def __call__(self) -> dict[str, object]:
        """Return whom this node follows, how that goes, and how old the newest word for its head is."""
        following = follow.read(self._path)
        with self._reader.snapshot() as store:
            raw = store.get("meta", VOUCHED)
        return {
            "primary": following.primary,
            "following": following.state,
            "following-reason": following.reason,
            "following-since": following.since,
            "head-age": None if raw is None else round(max(0.0, time.time() - vouching_time(raw) / 1e6), 1),
        }
