"""Lies about heads: words that are not the primary's for its head, and checkpoints that no entries lead to."""

from collections.abc import Callable

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.copying import Batch
from changelog.views.cluster import epoch_of
from changelog.vouching import VOUCHED
from server import keys
from server.layout import Layout
from server.stream import alive_frame, batch_frame
from tests.processes import Node
from tests.replica.lying import signed_head, signed_word, word_of

STRANGER = Ed25519PrivateKey.generate()
NEVER_BEGUN = epoch_of(0, 1)  # an epoch of member 1, older than the first
Lie = Callable[[Node, Batch], bytes]


def with_word(batch: Batch, word: bytes) -> bytes:
    """Return *batch* without a checkpoint, so that the primary's word is all that it leads to."""
    return batch_frame(evolve(batch, note="", word=word))


def key_of_another(primary: Node) -> Ed25519PrivateKey:
    """Return the node key of a member that is no primary: of the replica that is lied to."""
    (folder,) = [path.parent for path in primary.serverdir.parent.glob("*/keys") if path.parent != primary.serverdir]
    return keys.load(Layout(folder).keys, keys.NODE_KEY)


def no_word_for_what_is_not_acknowledged(_: Node, batch: Batch) -> bytes:
    return with_word(batch, b"")


def entries_by_the_word_of_a_stranger(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, VOUCHED.sign(word_of(primary), STRANGER))


def entries_by_the_word_of_nobody(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, signed_word(primary, member=77))


def entries_by_the_word_of_another_member(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, VOUCHED.sign(word_of(primary, member=2), key_of_another(primary)))


def entries_by_another_members_key(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, VOUCHED.sign(word_of(primary), key_of_another(primary)))


def entries_by_the_word_for_a_later_epoch(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, signed_word(primary, epoch=epoch_of(9, 1)))


def entries_beyond_the_word(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, signed_word(primary, size=batch.last - 1))


def entries_of_another_root_than_the_word(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, signed_word(primary, root=bytes(32)))


def entries_by_a_word_that_is_none(_: Node, batch: Batch) -> bytes:
    return with_word(batch, b"all is well")


def a_word_beside_the_checkpoint_for_another_root(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, word=signed_word(primary, root=bytes(32))))


def a_strangers_word_beside_the_checkpoint(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, word=VOUCHED.sign(word_of(primary), STRANGER)))


def a_checkpoint_beyond_the_word(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, note=signed_head(primary, batch.last + 5, bytes(32))))


def a_checkpoint_of_another_past_beside_the_word(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, note=signed_head(primary, batch.last - 1, bytes(32))))


def a_word_by_another_members_key(primary: Node, _: Batch) -> bytes:
    return alive_frame(VOUCHED.sign(word_of(primary), key_of_another(primary)))


def a_word_of_another_member(primary: Node, _: Batch) -> bytes:
    return alive_frame(VOUCHED.sign(word_of(primary, member=2), key_of_another(primary)))


def entries_by_a_word_of_an_older_epoch(primary: Node, batch: Batch) -> bytes:
    return with_word(batch, signed_word(primary, epoch=NEVER_BEGUN))


def a_word_of_an_older_epoch(primary: Node, batch: Batch) -> bytes:
    return alive_frame(signed_word(primary, epoch=NEVER_BEGUN, size=batch.first - 1))


FORGED: tuple[Lie, ...] = (
    no_word_for_what_is_not_acknowledged,
    entries_by_the_word_of_a_stranger,
    entries_by_the_word_of_nobody,
    entries_by_the_word_of_another_member,
    entries_by_another_members_key,
    entries_by_the_word_for_a_later_epoch,
    entries_beyond_the_word,
    entries_of_another_root_than_the_word,
    entries_by_a_word_that_is_none,
    a_word_beside_the_checkpoint_for_another_root,
    a_strangers_word_beside_the_checkpoint,
    a_checkpoint_beyond_the_word,
    a_checkpoint_of_another_past_beside_the_word,
    a_word_by_another_members_key,
    a_word_of_another_member,
)
SUPERSEDED: tuple[Lie, ...] = (entries_by_a_word_of_an_older_epoch, a_word_of_an_older_epoch)
