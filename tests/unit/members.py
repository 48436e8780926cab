"""Members with keys of their own, for tests of what they say to each other."""

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, log
from changelog.checkpoint import Checkpoint
from changelog.codec import Event
from changelog.events.cluster import DurabilitySet, MemberAdded, MembersSettled
from changelog.tables import Store
from changelog.views.cluster import epoch_of
from changelog.writer import Already
from server.commands import OPERATOR, Caller, Command
from server.decide import decide
from tests.nodes import FIRST_EVENTS, LOG_KEY, ORIGIN, Folding

FIRST_EPOCH = epoch_of(1, 1)
OPERATING = Caller(OPERATOR, 0)
KEYS = {1: LOG_KEY} | {number: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(2, 8)}


def public(number: int) -> bytes:
    """Return the public node key of member *number*."""
    return KEYS[number].public_key().public_bytes_raw()


def added(number: int, *, voter: bool = True, may_promote: bool = True) -> MemberAdded:
    """Return the event of a member that joined."""
    return MemberAdded(f"n{number}", number, f"http://n{number}", public(number), voter=voter, may_promote=may_promote)


def voters(count: int, *more: Event, replicas: int = 0) -> Folding:
    """Return the views of a settled cluster of *count* voters, the first of which is the primary, and of *more*."""
    folding = Folding()
    folding.add(*(added(1) if isinstance(event, MemberAdded) else event for event in FIRST_EVENTS))
    for number in range(2, count + 1):
        folding.add(added(number), MembersSettled())
    if replicas:
        folding.add(DurabilitySet(replicas), MembersSettled())
    folding.add(*more)
    signed(folding, folding.serials[-1])
    return folding


def signed(folding: Folding, size: int, epoch: int = FIRST_EPOCH) -> None:
    """Give the log a head whose first *size* entries were acknowledged."""
    note = checkpoint.sign(Checkpoint(ORIGIN, size, bytes(32)), LOG_KEY)
    head = evolve(log.EMPTY, epoch=epoch, size=folding.serials[-1], checkpoint=note)
    log.set_head(folding.store, head)


def decided(store: Store, command: Command, caller: Caller = OPERATING) -> list[Event]:
    """Return the events that *command* leads to."""
    decision = decide(store, caller, command)
    assert not isinstance(decision, Already)
    return list(decision)
