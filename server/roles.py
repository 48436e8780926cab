"""What a node is: the primary, or a replica. Its log and its promises say it; nothing else has to be kept in step."""

from changelog import promise
from changelog.reader import Reader
from changelog.tables import Store
from changelog.views import cluster
from server import keys
from server.layout import Layout

PRIMARY, REPLICA = "primary", "replica"
CHANGED = 75  # exit code of a writer after which its node is the other one


def of(store: Store, node_key: bytes) -> str:
    """Return what the node with the public *node_key* and this log is."""
    primary = cluster.PRIMARY.get(store, cluster.ONLY)
    own = cluster.number_of(store, node_key)
    if primary is None or not own or own != primary.member or promise.epoch(store) > primary.epoch:
        return REPLICA
    return PRIMARY


def of_node(layout: Layout) -> str:
    """Return what the node in a data folder is.

    Raises:
        Damaged: its log or its key can not be read.
    """
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            return of(store, keys.public(keys.load(layout.keys, keys.NODE_KEY)))
    finally:
        reader.close()
