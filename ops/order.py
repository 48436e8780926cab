"""Commands of the command line: carried out by the live writer, or by this process if none lives."""

from collections.abc import Sequence

from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.errors import LedgerpiError, Refused
from changelog.fold import VIEW_TABLES
from changelog.records import Record
from changelog.writer import Already, Committed, Proposal, Writer
from ops.node import locked, writer_lives
from replica.create import is_replica
from server import keys
from server.commands import OPERATOR, Caller, Command, Request
from server.decide import decide
from server.layout import Layout
from server.wire import ask
from server.writer_process import now

CALLER = Caller(OPERATOR, 0)


def carry_out(layout: Layout, command: Command, records: Sequence[Record] = ()) -> Committed | Already:
    """Carry out *command* as the operator of the node.

    Raises:
        LedgerpiError: it is refused, the node is a replica, or another process has the lock.
        OutcomeUnknown: the writer ended before it answered.
    """
    if is_replica(layout):
        raise Refused(f"{layout.serverdir} holds a replica: its primary has to decide")
    if not writer_lives(layout):
        with locked(layout):
            return _here(layout, command, records)
    kind, *serials = ask(layout.socket, "commit", Request(CALLER, command, tuple(records)).plain())
    return Committed(*serials) if kind == "committed" else Already(*serials)


def _here(layout: Layout, command: Command, records: Sequence[Record]) -> Committed | Already:
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=DEFAULT_MAP_SIZE)
    try:
        writer = Writer(env, Blobs(layout.blobs), keys.load(layout.keys, keys.LOG_KEY), now)
        proposal = Proposal(lambda store: decide(store, CALLER, command), OPERATOR, tuple(records))
        (outcome,) = writer.commit([proposal])
    finally:
        env.close()
    if isinstance(outcome, LedgerpiError):
        raise outcome
    return outcome
