"""What may become of the cluster: who may follow the log."""

from changelog.errors import Conflict, NotFound
from changelog.events.cluster import ReplicaEnrolled, ReplicaRevoked
from changelog.tables import Store
from changelog.views import cluster
from changelog.writer import Already, Decision
from server.commands import Caller, EnrolReplica, RevokeReplica
from server.permissions import ROOT, check_owner


def enrol(store: Store, caller: Caller, command: EnrolReplica) -> Decision:
    """Enrol a replica under a name that none has, or that was revoked."""
    check_owner(caller, ROOT, "enrol replicas")
    row = cluster.replica(store, command.name)
    if row is not None and not row.until:
        raise Conflict(f"a replica {command.name} is enrolled already; revoke it first")
    if cluster.member_named(store, command.name) is not None:
        raise Conflict(f"a member of the cluster has the name {command.name}")
    return [ReplicaEnrolled(command.name, command.token, command.voter, command.may_promote)]


def revoke(store: Store, caller: Caller, command: RevokeReplica) -> Decision:
    """Revoke a replica, once."""
    check_owner(caller, ROOT, "revoke replicas")
    row = cluster.replica(store, command.name)
    if row is None:
        raise NotFound(f"no replica {command.name} was enrolled")
    return Already(row.until) if row.until else [ReplicaRevoked(command.name)]
