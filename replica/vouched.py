"""Checking a primary's word for a head that this log has."""

from changelog import log, promise, vouching
from changelog.codec import decode
from changelog.errors import InvalidProof, Superseded
from changelog.tables import Store
from changelog.views import cluster
from changelog.views.cluster import shown_epoch
from changelog.vouching import Vouched


def check_vouched(store: Store, signed: bytes) -> Vouched:
    """Return what a primary says of its head, if this log has that head.

    Raises:
        InvalidProof: no member who may be the primary signed it, or this log has another head there.
        Superseded: its epoch is over.
    """
    vouched = vouching.verify(signed, lambda number: cluster.primary_key(store, number))
    if vouched.epoch < promise.epoch(store):
        raise Superseded(f"a primary of epoch {shown_epoch(vouched.epoch)}, which is over")
    raw = log.entry(store, vouched.size)
    if raw is None:
        raise InvalidProof(f"the word is for {vouched.size} entries, which are not here yet")
    if log.root(store, vouched.size) != vouched.root or decode(raw, vouched.size)[1].epoch != vouched.epoch:
        raise InvalidProof(f"the primary vouches for another history of {vouched.size} entries")
    return vouched
