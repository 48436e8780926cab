"""What may become of mirrors' pages and files."""

from changelog.errors import Conflict, Gone, NotFound, Refused
from changelog.events.upstream import (
    MirrorFileFetched,
    MirrorHashAccepted,
    MirrorHashChanged,
    MirrorMetadataFetched,
    MirrorPageChanged,
)
from changelog.tables import Store
from changelog.views import fetched, indexes, upstream
from changelog.writer import Already, Decision
from server.commands import UPSTREAM, Caller
from server.limits import ADMIN
from server.permissions import check_owner, existing, owner_of
from server.upstream_commands import AcceptHash, ChangeMirrorPage, RecordFile, RecordMetadata, ReportHash


def change_page(store: Store, caller: Caller, command: ChangeMirrorPage) -> Decision:
    """Write down how upstream's page differs from the one that was compared."""
    _check(store, caller, command.index)
    page = upstream.find(store, command.index, command.project)
    if (0 if page is None else page.since) != command.seen:
        raise Conflict(f"the page of {command.project} was changed meanwhile")
    return [
        MirrorPageChanged(
            index=command.index,
            project=command.project,
            status=command.status,
            reason=command.reason,
            base=command.base,
            files=files,
            removed=removed,
        )
        for files, removed in command.parts or (((), ()),)
    ]


def record_file(store: Store, caller: Caller, command: RecordFile) -> Decision:
    """Write down what was fetched, once."""
    _check(store, caller, command.index)
    where = (command.index, command.project, command.filename)
    row = fetched.find(store, *where)
    if row is not None and row.sha256:
        if row.sha256 != command.sha256:
            raise Conflict(f"{command.filename} was fetched with other bytes: {row.sha256.hex()}")
        return Already(row.since)
    return [MirrorFileFetched(*where, command.size, command.sha256, command.metadata, command.completes)]


def record_metadata(store: Store, caller: Caller, command: RecordMetadata) -> Decision:
    """Write down what was fetched, once."""
    _check(store, caller, command.index)
    where = (command.index, command.project, command.filename)
    row = fetched.find(store, *where)
    if row is not None and row.metadata == command.metadata:
        return Already(row.since)
    return [MirrorMetadataFetched(*where, command.metadata)]


def report_hash(store: Store, caller: Caller, command: ReportHash) -> Decision:
    """Raise an alarm, once for each claim."""
    _check(store, caller, command.index)
    where = (command.index, command.project, command.filename)
    row = fetched.alarm(store, *where)
    if row is not None and row.claimed == command.claimed:
        return Already(row.since)
    return [MirrorHashChanged(*where, command.known, command.claimed)]


def accept_hash(store: Store, caller: Caller, command: AcceptHash) -> Decision:
    """Take upstream's word for other bytes, as the owner of the mirror wants."""
    what = f"accept other bytes in {command.index}"
    check_owner(caller, owner_of(command.index), what, ADMIN, command.index, command.project)
    index = existing(store, command.index)
    where = (index.incarnation, command.project, command.filename)
    row = fetched.alarm(store, *where)
    if row is None:
        raise NotFound(f"there is no alarm about {command.filename} in {command.index}")
    if row.claimed != command.sha256:
        raise Conflict(f"upstream claims {row.claimed.hex()} for {command.filename}, not {command.sha256.hex()}")
    return Already(row.since) if row.accepted else [MirrorHashAccepted(*where, command.sha256)]


def _check(store: Store, caller: Caller, incarnation: int) -> None:
    """Only this program itself writes down what upstreams said, and only of a mirror that is there."""
    if caller.user != UPSTREAM:
        raise Refused(f"{caller.user or 'nobody'} may not say what an upstream has")
    life = indexes.life(store, incarnation)
    if life is None or life.until:
        raise Gone("the mirror was deleted")
