"""Leaving a history that another primary did not take over: its end is bundled, then the log is copied anew."""

import shutil

from attrs import frozen

from changelog import log, promise
from changelog.blobs import sync_folder
from changelog.errors import InvalidProof
from changelog.tables import Store
from changelog.views import cluster
from replica import credentials, stranded
from replica.config import ReplicaConfig
from replica.create import make_log, put_token
from server import keys
from server.ballots import ANSWERS
from server.layout import Layout

OLD, NEW = "changelog.old", "changelog.new"


@frozen
class Fork:
    """Where another history begins."""

    after: int  # entries that both have
    epoch: int  # of the other one: what is before it is over


def fork(store: Store, signed: bytes) -> Fork | None:
    """Return where this log parts from that of the member who *signed* its answer; None if it need not be left.

    It is left for a later epoch only, by the word of a voter that it knows.
    """
    head = log.head(store)
    try:
        answer = ANSWERS.verify(signed, lambda number: _voter_key(store, number))
    except InvalidProof:
        return None
    if answer.epoch <= head.epoch:
        return None
    ours, theirs = cluster.epochs(store), list(answer.epochs)
    common = [place for place, (mine, other) in enumerate(zip(ours, theirs, strict=False)) if mine == other]
    if not common:
        return None
    place = common[-1] + 1
    end = min(_begin(ours, place, head.size), _begin(theirs, place, answer.size))
    return Fork(end, answer.epoch) if 0 < end < head.size else None


def _voter_key(store: Store, number: int) -> bytes | None:
    row = cluster.member(store, number)
    return row.node_key if row is not None and row.voter else None


def _begin(epochs: list[tuple[int, int]], place: int, size: int) -> int:
    """Return how many entries there are before the epoch at *place*; all, if there is none."""
    return epochs[place][1] - 1 if place < len(epochs) else size


def leave(config: ReplicaConfig, store: Store, found: Fork) -> None:
    """Bundle the entries behind *found*, then put an empty log in the place of this one, which promises its epoch.

    The cosigner key is another one from then on: this node acknowledged what it leaves. The process ends after this,
    and whoever starts the node copies the log. A crash leaves the bundle, and the old log or the new one. The old one
    is removed when the new one is whole.
    """
    layout = config.layout
    stranded.bundle(layout, store, found.after)
    keys.renew(layout.keys, keys.COSIGNER_KEY)
    put_token(layout, credentials.anchor(layout, store, found.after))
    config.word_file.unlink(missing_ok=True)
    shutil.rmtree(layout.serverdir / OLD, ignore_errors=True)
    make_log(layout, max(promise.epoch(store), found.epoch), config.map_size)
    sync_folder(layout.serverdir)
    layout.changelog.rename(layout.serverdir / OLD)
    finish(layout)


def finish(layout: Layout) -> None:
    """Do what is left after a crash between the two names of a log."""
    old, new = layout.serverdir / OLD, layout.serverdir / NEW
    if old.exists() and not layout.changelog.exists():
        (new if new.exists() else old).rename(layout.changelog)
        sync_folder(layout.serverdir)


def forget(layout: Layout) -> None:
    """Remove the log that was left, now that there is another one."""
    shutil.rmtree(layout.serverdir / OLD, ignore_errors=True)
