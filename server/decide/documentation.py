"""What may become of documentation."""

from changelog.errors import FileExists, Gone
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.names import UserName, documentation_name
from changelog.tables import Store
from changelog.views import documentation
from changelog.writer import Already, Decision
from server.commands import Caller, DeleteDocumentation, UploadDocumentation
from server.decide.projects import stage_for_deletion, stage_for_upload
from server.permissions import check_volatile


def upload(store: Store, caller: Caller, command: UploadDocumentation) -> Decision:
    """Add it; the same bytes again are there already, others replace them on a volatile index only."""
    index = stage_for_upload(store, caller, command.index, command.project)
    there = documentation.find(store, index.incarnation, command.project, command.version)
    if there is not None and there.sha256 == command.sha256:
        return Already(there.since)
    if there is not None and not index.volatile:
        name = documentation_name(command.project, command.version)
        raise FileExists(f"File already exists: {name} in non-volatile index {command.index}")
    return [
        DocumentationUploaded(
            index=index.incarnation,
            project=command.project,
            version=command.version,
            size=command.size,
            sha256=command.sha256,
            upload_time=command.upload_time,
            uploader=UserName(caller.user),
        )
    ]


def delete(store: Store, caller: Caller, command: DeleteDocumentation) -> Decision:
    """Delete the documentation that the caller saw."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    row = documentation.find(store, index.incarnation, command.project, command.version)
    if row is None or row.sha256 != command.digest:
        raise Gone(f"the documentation of {command.project} {command.version} was deleted from {command.index}")
    check_volatile(command.index, index, force=command.force)
    return [DocumentationDeleted(index.incarnation, command.project, command.version)]
