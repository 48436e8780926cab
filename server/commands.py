"""Wishes: what a caller wants changed, as workers send them to the writer."""

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from changelog.events.indexes import Option
from changelog.names import FileName, IndexName, ProjectName, UserName, Version
from changelog.packing import Packing
from changelog.records import Record
from server.limits import NO_LIMITS, Limits
from server.push_commands import PushRelease
from server.token_commands import CreateToken, RevokeToken, SetTokenKey
from server.upstream_commands import AcceptHash, ChangeMirrorPage, RecordFile, RecordMetadata, ReportHash

OPERATOR = ":operator"  # a command of the command line, on this machine
UPSTREAM = ":upstream"  # the process that asks upstreams
IMPORT = ":import"  # an import, about what another server had
UPGRADE = ":upgrade"  # the writer, who hashes a password that was right in a better way
REPLICA = ":replica"  # a replica, about itself


@frozen
class Caller:
    """Who asks. No user can be called ``:operator`` or ``:upstream``."""

    user: str  # "" = anonymous
    password_serial: int  # of the password that was checked, 0 = none was
    token: str = ""  # id of the API token that was checked, "" = none was
    limits: Limits = NO_LIMITS  # of the token
    administers: bool | None = None  # where --restrict-modify says who does, whether it is this one

    def may(self, verb: str, index: str = "", project: str = "") -> bool:
        """Return whether the caller's token is good for *verb*; without a token there is no limit but the user's own.

        *verb* is one of :mod:`server.limits`. Without *index* or *project* none is meant, or it is not known yet.
        """
        return not self.token or self.limits.allow(verb, index, project)

    def restricted(self, users: Sequence[str]) -> "Caller":
        """Return this where only *users* administer users and indexes; none at all means that there is no restriction.

        Not told to the writer, which has the option too.
        """
        return evolve(self, administers=self.user in users) if users and not self.user.startswith(":") else self


NOBODY = Caller("", 0)


@frozen
class CreateUser:
    """Create a user with a password."""

    user: UserName
    profile: bytes  # commitment, b"" = all empty
    password: bytes  # commitment


@frozen
class ChangeProfile:
    """Replace a user's profile as it was at serial *seen*."""

    user: UserName
    seen: int
    profile: bytes


@frozen
class SetPassword:
    """Set a user's password."""

    user: UserName
    password: bytes


@frozen
class DeleteUser:
    """Delete a user and all indexes of it."""

    user: UserName


@frozen
class CreateIndex:
    """Create an index."""

    index: IndexName
    type: str
    options: tuple[Option, ...]
    texts: bytes


@frozen
class ModifyIndex:
    """Give an index, as it was at serial *seen*, these options and texts, and no others."""

    index: IndexName
    seen: int
    options: tuple[Option, ...]
    texts: bytes


@frozen
class DeleteIndex:
    """Delete an index."""

    index: IndexName


@frozen
class RegisterRelease:
    """Send metadata of a release without a file."""

    index: IndexName
    project: ProjectName
    version: Version
    metadata: bytes  # SHA-256


@frozen
class DeleteRelease:
    """Delete a release; *force* also where the index is not volatile."""

    index: IndexName
    project: ProjectName
    version: Version
    force: bool


@frozen
class DeleteProject:
    """Delete a project; *force* as in DeleteRelease."""

    index: IndexName
    project: ProjectName
    force: bool


@frozen
class SetProjectStatus:
    """Set a project's status marker (PEP 792)."""

    index: IndexName
    project: ProjectName
    status: str
    reason: str


@frozen
class UploadFile:
    """Add a file whose blob is durable."""

    index: IndexName
    project: ProjectName
    version: Version
    filename: FileName
    size: int
    sha256: bytes
    blake2b_256: bytes
    md5: bytes
    metadata: bytes
    requires_python: str
    filetype: str
    pyversion: str
    upload_time: int


@frozen
class DeleteFile:
    """Delete a file; *force* as in DeleteRelease. *digest* is what the caller saw."""

    index: IndexName
    project: ProjectName
    version: Version
    filename: FileName
    digest: bytes
    force: bool


@frozen
class YankFiles:
    """Yank files of a release, or remove the mark (*reason* None)."""

    index: IndexName
    project: ProjectName
    version: Version
    filenames: tuple[FileName, ...]
    reason: str | None


@frozen
class UploadDocumentation:
    """Give a release documentation whose blob is durable."""

    index: IndexName
    project: ProjectName
    version: Version
    size: int
    sha256: bytes
    upload_time: int


@frozen
class DeleteDocumentation:
    """Delete the documentation of a release; *force* and *digest* as in DeleteFile."""

    index: IndexName
    project: ProjectName
    version: Version
    digest: bytes
    force: bool


@frozen
class UploadTestResult:
    """Add what came of testing a file; the blob is durable. *digest* is that of the file that was tested."""

    index: IndexName
    project: ProjectName
    version: Version
    filename: FileName
    digest: bytes
    size: int
    sha256: bytes
    upload_time: int


@frozen
class EnrolReplica:
    """Let a replica follow the log."""

    name: str
    token: bytes  # SHA-256 of the token's secret
    voter: bool
    may_promote: bool


@frozen
class RevokeReplica:
    """Let a replica follow the log no longer."""

    name: str


@frozen
class Join:
    """Tell who a replica is, which was enrolled, or is a member already."""

    name: str
    node_key: bytes
    cosigner_key: bytes  # b"" = it acknowledges nothing
    url: str


@frozen
class RemoveMember:
    """Let a member go for ever."""

    name: str


@frozen
class SetDurability:
    """Have acknowledged writes on so many voters besides the primary."""

    replicas: int


COMMANDS: tuple[type, ...] = (
    CreateUser,
    ChangeProfile,
    SetPassword,
    DeleteUser,
    CreateToken,
    RevokeToken,
    SetTokenKey,
    CreateIndex,
    ModifyIndex,
    DeleteIndex,
    RegisterRelease,
    DeleteRelease,
    DeleteProject,
    SetProjectStatus,
    UploadFile,
    DeleteFile,
    YankFiles,
    UploadDocumentation,
    DeleteDocumentation,
    UploadTestResult,
    PushRelease,
    ChangeMirrorPage,
    RecordFile,
    RecordMetadata,
    ReportHash,
    AcceptHash,
    EnrolReplica,
    RevokeReplica,
    Join,
    RemoveMember,
    SetDurability,
)
PACKINGS: dict[str, Packing[Any]] = {cls.__name__: Packing(cls) for cls in COMMANDS}
Command = Any  # one of COMMANDS


@frozen
class Request:
    """A command with all the writer needs to carry it out."""

    caller: Caller
    command: Command
    records: tuple[Record, ...] = ()
    contents: tuple[tuple[bytes, bytes], ...] = ()
    replicas: int = -1  # voters besides the primary that have to have it before the answer, -1 = not said

    def plain(self) -> tuple[Any, ...]:
        """Return this as msgpack can pack it."""
        kind = type(self.command).__name__
        records = tuple((record.salt, record.payload) for record in self.records)
        caller, limits = self.caller, self.caller.limits
        who = (caller.user, caller.password_serial, caller.token, (limits.verbs, limits.indexes, limits.projects))
        return (who, kind, PACKINGS[kind].plain(self.command), records, self.contents, self.replicas)

    @classmethod
    def from_plain(cls, plain: tuple[Any, ...]) -> "Request":
        """Return what :meth:`plain` made *plain* from.

        Raises:
            InvalidEntry: the fields are not those of the command.
        """
        (user, serial, token, limits), kind, fields, records, contents, replicas = plain
        command = PACKINGS[kind].value(fields)
        caller = Caller(user, serial, token, Limits(*limits))
        return cls(caller, command, tuple(Record(*item) for item in records), contents, replicas)
