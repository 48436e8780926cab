"""Leaving a history that another primary did not take over: its end is bundled, then the log is copied anew."""

import shutil

from changelog import log, promise
from changelog.blobs import sync_folder
from changelog.errors import InvalidProof
from changelog.tables import Store
from changelog.views import cluster
from replica import credentials, stranded
from replica.config import ReplicaConfig
from replica.create import make_log, put_token
from replica.tail import Elsewhere
from server import keys
from server.ballots import ANSWERS
from server.layout import Layout

OLD, NEW = "changelog.old", "changelog.new"


def fork(store: Store, elsewhere: Elsewhere) -> int | None:
    """Return the last entry that this log and the one *elsewhere* have in common; None if this one need not leave.

    It leaves for a later epoch only, by the word of a voter that it knows.
    """
    head = log.head(store)
    try:
        answer = ANSWERS.verify(elsewhere.answer, lambda number: _voter_key(store, number))
    except InvalidProof:
        return None
    if answer.epoch <= head.epoch:
        return None
    ours, theirs = cluster.epochs(store), list(elsewhere.epochs)
    common = [place for place, (mine, other) in enumerate(zip(ours, theirs, strict=False)) if mine == other]
    if not common:
        return None
    place = common[-1] + 1
    end = min(_begin(ours, place, head.size), _begin(theirs, place, answer.size))
    return end if 0 < end < head.size else None


def _voter_key(store: Store, number: int) -> bytes | None:
    row = cluster.member(store, number)
    return row.node_key if row is not None and row.voter else None


def _begin(epochs: list[tuple[int, int]], place: int, size: int) -> int:
    """Return how many entries there are before the epoch at *place*; all, if there is none."""
    return epochs[place][1] - 1 if place < len(epochs) else size


def leave(config: ReplicaConfig, store: Store, after: int) -> None:
    """Bundle the entries behind *after*, then put an empty log in the place of this one, with the promise that it gave.

    The cosigner key is another one from then on: this node acknowledged what it leaves. The process ends after this,
    and whoever starts the node copies the log. A crash leaves the bundle, and the old log or the new one.
    """
    layout = config.layout
    stranded.bundle(layout, store, after)
    keys.renew(layout.keys, keys.COSIGNER_KEY)
    put_token(layout, credentials.anchor(layout, store, after))
    config.word_file.unlink(missing_ok=True)
    make_log(layout, promise.given(store), config.map_size)
    layout.changelog.rename(layout.serverdir / OLD)
    finish(layout)


def finish(layout: Layout) -> None:
    """Do what is left after a crash between the two names of a log."""
    old, new = layout.serverdir / OLD, layout.serverdir / NEW
    if old.exists() and new.exists() and not layout.changelog.exists():
        new.rename(layout.changelog)
        sync_folder(layout.serverdir)
    if layout.changelog.exists() and old.exists():
        shutil.rmtree(old)
