"""What members say to each other when one of them is to become the primary (``docs/design/promotion.md``)."""

from attrs import frozen

from changelog import log, promise
from changelog.errors import InvalidProof, Refused
from changelog.signing import Signing
from changelog.tables import Store
from changelog.views import cluster
from changelog.views.cluster import member_of, shown_epoch


@frozen
class Ask:
    """A member asks all others to promise an epoch."""

    member: int  # the candidate, whose epoch it is
    epoch: int
    at: int  # microseconds since 1970


@frozen
class Answer:
    """What a member promised, and where its log ended at that moment."""

    member: int  # who answers
    promised: int  # the highest epoch, 0 = none
    epoch: int  # of the last entry
    size: int
    root: bytes  # 32 bytes
    epochs: tuple[tuple[int, int], ...]  # of its log: numbers, and serials of their first entries


ASKS = Signing(Ask, "ask", "the question for an epoch")
ANSWERS = Signing(Answer, "answer", "the answer to a question for an epoch")


def asked(store: Store, signed: bytes) -> Ask:
    """Return the question in *signed*.

    Raises:
        InvalidProof: no member signed it, or it is for the epoch of another one.
        Refused: that member may not become the primary.
    """
    ask = ASKS.verify(signed, lambda number: cluster.node_key(store, number))
    if member_of(ask.epoch) != ask.member:
        raise InvalidProof(f"member {ask.member} asks for epoch {shown_epoch(ask.epoch)}, which is not its own")
    row = cluster.member(store, ask.member)
    if row is None or not row.may_promote:
        raise Refused(f"member {ask.member} may not become the primary")
    return ask


def promised(store: Store, signed: bytes) -> None:
    """Give the promise that a candidate asks for; it may have been given before.

    Raises:
        InvalidProof, Refused: as :func:`asked`.
        Conflict: a higher epoch was seen.
    """
    ask = asked(store, signed)
    if promise.given(store) != ask.epoch:
        promise.give(store, ask.epoch)


def newest(store: Store, signed: bytes) -> int:
    """Return the epoch that another member says it knows of, if it is above all that this node has seen, else 0.

    Raises:
        InvalidProof: no voter signed it.
    """
    answer = ANSWERS.verify(signed, lambda number: cluster.node_key(store, number))
    row = cluster.member(store, answer.member)
    if row is None or not row.voter:
        raise InvalidProof(f"member {answer.member} is no voter")
    told = max(answer.promised, answer.epoch)
    return told if told > promise.epoch(store) else 0


def position(store: Store, number: int) -> Answer:
    """Return what member *number*, whose log is in *store*, promised and where the log ends."""
    head = log.head(store)
    return Answer(number, promise.given(store), head.epoch, head.size, head.root, tuple(cluster.epochs(store)))
