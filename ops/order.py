"""Commands of the command line: carried out by the live writer, or by this process if none lives."""

from collections.abc import Sequence

from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.errors import LedgerpiError, Refused
from changelog.fold import VIEW_TABLES
from changelog.records import Record
from changelog.views import cluster
from changelog.writer import Already, Committed, Proposal, Writer
from ops.node import locked, writer_lives
from ops.roles import bring_views_up
from server import keys, roles
from server.commands import OPERATOR, Caller, Command, Request
from server.config import Config
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
    bring_views_up(Config(layout.serverdir))
    if roles.of_node(layout) == roles.REPLICA:
        raise Refused(f"{layout.serverdir} holds a replica: its primary has to decide")
    if not writer_lives(layout):
        with locked(layout):
            return _here(layout, command, records)
    kind, *serials = ask(layout.socket, "commit", Request(CALLER, command, tuple(records)).plain())
    return Committed(*serials) if kind == "committed" else Already(*serials)


def _here(layout: Layout, command: Command, records: Sequence[Record]) -> Committed | Already:
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=DEFAULT_MAP_SIZE)
    try:
        with env.read() as store:
            signing = keys.signing(layout.keys, cluster.origin(store).log_key)
            others = [row.name for _, row in cluster.members(store) if row.voter and not row.until][1:]
        if others:
            raise Refused(f"other members may have taken over from {layout.serverdir}: start it, so that it asks them")
        writer = Writer(env, Blobs(layout.blobs), signing, now)
        proposal = Proposal(lambda store: decide(store, CALLER, command), OPERATOR, tuple(records))
        (outcome,) = writer.commit([proposal])
    finally:
        env.close()
    if isinstance(outcome, LedgerpiError):
        raise outcome
    return outcome
