"""Pure functions (views, command) to events, ``Already(serial)`` or a refusal: no I/O, clock or randomness."""

from collections.abc import Callable
from typing import Any

from changelog.tables import Store
from changelog.writer import Decision
from server import commands, token_commands, upstream_commands
from server.commands import Caller
from server.decide import cluster, documentation, files, indexes, projects, pushes, results, tokens, upstream, users
from server.permissions import check_credential
from server.push_commands import PushRelease

DECISIONS: dict[type, Callable[[Store, Caller, Any], Decision]] = {
    commands.CreateUser: users.create,
    commands.ChangeProfile: users.change_profile,
    commands.SetPassword: users.set_password,
    commands.DeleteUser: users.delete,
    token_commands.CreateToken: tokens.create,
    token_commands.RevokeToken: tokens.revoke,
    token_commands.SetTokenKey: tokens.set_key,
    commands.CreateIndex: indexes.create,
    commands.ModifyIndex: indexes.modify,
    commands.DeleteIndex: indexes.delete,
    commands.RegisterRelease: projects.register,
    commands.DeleteRelease: projects.delete_release,
    commands.DeleteProject: projects.delete,
    commands.SetProjectStatus: projects.set_status,
    commands.UploadFile: files.upload,
    commands.DeleteFile: files.delete,
    commands.YankFiles: files.yank,
    commands.UploadDocumentation: documentation.upload,
    commands.DeleteDocumentation: documentation.delete,
    commands.UploadTestResult: results.upload,
    PushRelease: pushes.push,
    upstream_commands.ChangeMirrorPage: upstream.change_page,
    upstream_commands.RecordFile: upstream.record_file,
    upstream_commands.RecordMetadata: upstream.record_metadata,
    upstream_commands.ReportHash: upstream.report_hash,
    upstream_commands.AcceptHash: upstream.accept_hash,
    commands.EnrolReplica: cluster.enrol,
    commands.RevokeReplica: cluster.revoke,
    commands.Join: cluster.join,
    commands.RemoveMember: cluster.remove,
    commands.SetDurability: cluster.set_durability,
}


def decide(store: Store, caller: Caller, command: commands.Command) -> Decision:
    """Return what *command* makes true, checked against the views of the moment.

    Raises:
        LedgerpiError: the command is refused.
    """
    check_credential(store, caller)
    return DECISIONS[type(command)](store, caller, command)
