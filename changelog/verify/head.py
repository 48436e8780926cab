"""The head: it must follow from the entries, and those who sign heads must have signed it."""

from collections.abc import Iterator

from changelog import checkpoint, log, vouching
from changelog.errors import InvalidEntry, InvalidProof
from changelog.log import Head
from changelog.verify.entries import EntryCheck
from changelog.verify.report import Kind, Report
from changelog.verify.source import Begin, Snapshots


def check(begun: Begin, walked: EntryCheck, snapshots: Snapshots, report: Report) -> None:
    """Compare the head with what *walked* made of the entries."""
    if begun.head is None:
        report.add(Kind.HEAD, "head", "the head is missing or can not be read")
        return
    faults = (
        *_faults(begun, begun.head, walked),
        *_checkpoint_faults(begun, begun.head, walked, snapshots),
        *_word_faults(begun, begun.head, walked),
    )
    for fault in faults:
        report.add(Kind.HEAD, "head", fault)


def _faults(begun: Begin, head: Head, walked: EntryCheck) -> Iterator[str]:
    if head.size != begun.size:
        yield f"it tells of {head.size} entries, there are {begun.size}"
    if head.root != walked.root():
        yield f"its root {head.root.hex()} is not that of the entries"
    last = walked.last
    if last is not None and last.serial == begun.size:
        if head.epoch != last.epoch:
            yield f"its epoch {head.epoch} is not {last.epoch}, that of the last entry"
        if head.time != last.time:
            yield f"its time {head.time} is not {last.time}, that of the last entry"


def _checkpoint_faults(begun: Begin, head: Head, walked: EntryCheck, snapshots: Snapshots) -> Iterator[str]:
    """Yield what is wrong with the checkpoint, which may be of an older head only where there is a reason for that."""
    if not walked.keys:
        return  # told already; without the first entry no key is known
    try:
        signed = checkpoint.verify(head.checkpoint, walked.keys)
    except InvalidProof as error:
        yield f"its checkpoint is not good: {error}"
        return
    is_copied = 0 < vouching.claimed_size(begun.word) < head.size  # amid a long copy
    may_be_older = walked.replicas or is_copied
    if signed.size == head.size:
        right: bytes | None = head.root
    else:
        right = _root(snapshots, signed.size) if may_be_older and signed.size < head.size else None
    if signed.root == right:
        return
    yield f"its checkpoint is of size {signed.size} and root {signed.root.hex()}"


def _root(snapshots: Snapshots, size: int) -> bytes | None:
    """Return the root of the first *size* entries, None if the tree lacks a node, which is told already."""
    with snapshots() as store:
        try:
            return log.root(store, size)
        except InvalidEntry:
            return None


def _word_faults(begun: Begin, head: Head, walked: EntryCheck) -> Iterator[str]:
    """Yield what is wrong with the primary's word for the head; there is none in a log that an older version wrote."""
    if not begun.word:
        return
    try:
        vouched = vouching.verify(begun.word, walked.node_keys.get)
    except InvalidProof as error:
        yield f"the primary's word for it is not good: {error}"
        return
    if vouched.size == head.size and (vouched.epoch, vouched.root) != (head.epoch, head.root):
        yield f"the primary vouched for another root of {vouched.size} entries: {vouched.root.hex()}"
    if vouched.size > head.size:
        yield f"the primary vouched for {vouched.size} entries"
