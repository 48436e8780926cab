"""The head: it must follow from the entries, and the log's key must have signed it."""

from collections.abc import Iterator

from changelog import checkpoint
from changelog.errors import InvalidProof
from changelog.log import Head
from changelog.verify.entries import EntryCheck
from changelog.verify.report import Kind, Report
from changelog.verify.source import Begin


def check(begun: Begin, walked: EntryCheck, report: Report) -> None:
    """Compare the head with what *walked* made of the entries."""
    if begun.head is None:
        report.add(Kind.HEAD, "head", "the head is missing or can not be read")
        return
    for fault in (*_faults(begun, begun.head, walked), *_signature_faults(begun.head, walked)):
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


def _signature_faults(head: Head, walked: EntryCheck) -> Iterator[str]:
    if walked.first is None:
        return  # told already; without the first entry no key is known
    keys = {walked.first.origin: walked.first.log_key}
    try:
        signed = checkpoint.verify(head.checkpoint, keys)
    except InvalidProof as error:
        yield f"its checkpoint is not good: {error}"
        return
    if signed != checkpoint.Checkpoint(walked.first.origin, head.size, head.root):
        yield f"its checkpoint is of size {signed.size} and root {signed.root.hex()}"
