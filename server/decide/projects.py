"""What may become of projects and releases."""

from changelog.errors import Gone, NotFound, Refused
from changelog.events.projects import ProjectDeleted, ProjectStatusSet, ReleaseDeleted, ReleaseRegistered
from changelog.names import IndexName, ProjectName
from changelog.tables import Store
from changelog.views import indexes, projects
from changelog.views.indexes import Index
from changelog.views.page import Status
from changelog.views.projects import Project
from changelog.writer import Already, Decision
from server.commands import Caller, DeleteProject, DeleteRelease, RegisterRelease, SetProjectStatus
from server.permissions import check_delete, check_upload, check_volatile, existing

CLOSED = (Status.ARCHIVED, Status.QUARANTINED)  # refuse uploads (PEP 792)


def register(store: Store, caller: Caller, command: RegisterRelease) -> Decision:
    """Metadata may be sent to any stage that takes uploads."""
    index = stage_for_upload(store, caller, command.index, command.project)
    project = projects.find(store, index.incarnation, command.project)
    release = None if project is None else projects.find_release(store, project.incarnation, command.version)
    if release is not None and release.metadata == command.metadata:
        return Already(release.since)
    return [ReleaseRegistered(index.incarnation, command.project, command.version, command.metadata)]


def delete_release(store: Store, caller: Caller, command: DeleteRelease) -> Decision:
    """Delete what is there."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    project = found(store, command.index, index, command.project)
    if projects.find_release(store, project.incarnation, command.version) is None:
        raise NotFound(f"no release {command.version} of {command.project} in {command.index}")
    check_volatile(command.index, index, force=command.force)
    return [ReleaseDeleted(index.incarnation, command.project, command.version)]


def delete(store: Store, caller: Caller, command: DeleteProject) -> Decision:
    """Delete what is there."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    found(store, command.index, index, command.project)
    check_volatile(command.index, index, force=command.force)
    return [ProjectDeleted(index.incarnation, command.project)]


def set_status(store: Store, caller: Caller, command: SetProjectStatus) -> Decision:
    """Whoever may delete a project may also close it."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    project = found(store, command.index, index, command.project)
    if (project.status, project.reason) == (command.status, command.reason):
        return Already(project.since)
    return [ProjectStatusSet(index.incarnation, command.project, command.status, command.reason)]


def stage_for_upload(store: Store, caller: Caller, name: IndexName, project: ProjectName) -> Index:
    """Return the stage, to which the caller may upload something of *project*, or raise why not."""
    index = stage(store, name)
    check_upload(caller, name, index, project)
    check_open(store, name, index, project)
    return index


def stage_for_deletion(store: Store, caller: Caller, name: IndexName, project: ProjectName) -> Index:
    """Return the stage, of which the caller may delete and yank something of *project*, or raise why not."""
    index = stage(store, name)
    check_delete(caller, name, index, project)
    return index


def stage(store: Store, name: IndexName) -> Index:
    """Return the index if it takes uploads, or raise NotFound."""
    index = existing(store, name)
    if index.type != indexes.STAGE:
        raise NotFound(f"the index {name} is a {index.type} and takes no uploads")
    return index


def found(store: Store, name: IndexName, index: Index, project: ProjectName) -> Project:
    """Return the project of the index itself, or raise NotFound, Gone if it was there."""
    row = projects.find(store, index.incarnation, project)
    if row is not None:
        return row
    if projects.existed(store, index.incarnation, project):
        raise Gone(f"the project {project} was deleted from {name}")
    raise NotFound(f"no project {project} in {name}")


def check_open(store: Store, name: IndexName, index: Index, project: ProjectName) -> None:
    """Raise Refused if the project's status refuses uploads (PEP 792)."""
    row = projects.find(store, index.incarnation, project)
    if row is not None and row.status in CLOSED:
        raise Refused(f"the project {project} in {name} is {row.status}: no uploads")
