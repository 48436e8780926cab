"""What folds where: one table, and the version of what it makes."""

from collections.abc import Callable
from typing import Any

from changelog.codec import Event, Stamp, Unknown
from changelog.errors import InvalidEntry
from changelog.events.cluster import (
    DurabilitySet,
    LogCreated,
    LossAccepted,
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    MembersSettled,
    PrimaryChanged,
    ReplicaEnrolled,
    ReplicaRevoked,
)
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.events.files import FileDeleted, FileHistoryCarried, FileUnyanked, FileUploaded, FileYanked
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified, IndexTextsChanged
from changelog.events.projects import (
    ProjectDeleted,
    ProjectStatusSet,
    ReleaseDeleted,
    ReleaseRegistered,
)
from changelog.events.results import TestResultUploaded
from changelog.events.tokens import TokenCreated, TokenKeySet, TokenRevoked
from changelog.events.upstream import (
    MirrorFileFetched,
    MirrorHashAccepted,
    MirrorHashChanged,
    MirrorMetadataFetched,
    MirrorPageChanged,
)
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.tables import Store
from changelog.views import (
    cluster,
    digests,
    documentation,
    fetched,
    files,
    history,
    indexes,
    links,
    projects,
    results,
    serials,
    tokens,
    upstream,
    users,
    voting,
)

VIEWS_VERSION = 5  # another number makes the next start fold all views anew

Fold = Callable[[Store, Any, Stamp], None]

FOLDS: dict[type, tuple[Fold, ...]] = {
    LogCreated: (cluster.on_log_created,),
    MemberAdded: (cluster.on_member_added, voting.on_member_added),
    MemberChanged: (cluster.on_member_changed,),
    MemberRemoved: (cluster.on_member_removed, voting.on_member_removed),
    DurabilitySet: (voting.on_durability_set,),
    MembersSettled: (voting.on_members_settled,),
    PrimaryChanged: (cluster.on_primary_changed,),
    LossAccepted: (cluster.on_loss_accepted,),
    ReplicaEnrolled: (cluster.on_replica_enrolled,),
    ReplicaRevoked: (cluster.on_replica_revoked,),
    UserCreated: (users.on_user_created,),
    ProfileChanged: (users.on_profile_changed,),
    PasswordSet: (users.on_password_set,),
    UserDeleted: (users.on_user_deleted,),
    TokenCreated: (tokens.on_token_created,),
    TokenRevoked: (tokens.on_token_revoked,),
    TokenKeySet: (tokens.on_token_key_set,),
    IndexCreated: (indexes.on_index_created,),
    IndexModified: (indexes.on_index_modified,),
    IndexTextsChanged: (indexes.on_index_texts_changed,),
    IndexDeleted: (indexes.on_index_deleted,),
    ReleaseRegistered: (projects.on_release_registered,),
    ReleaseDeleted: (projects.on_release_deleted,),
    ProjectDeleted: (projects.on_project_deleted,),
    ProjectStatusSet: (projects.on_project_status_set,),
    FileUploaded: (files.on_file_uploaded,),
    FileDeleted: (files.on_file_deleted,),
    FileYanked: (files.on_file_yanked,),
    FileUnyanked: (files.on_file_unyanked,),
    FileHistoryCarried: (history.on_file_history_carried,),
    DocumentationUploaded: (documentation.on_documentation_uploaded,),
    DocumentationDeleted: (documentation.on_documentation_deleted,),
    TestResultUploaded: (results.on_test_result_uploaded,),
    MirrorPageChanged: (upstream.on_mirror_page_changed,),
    MirrorFileFetched: (fetched.on_mirror_file_fetched,),
    MirrorMetadataFetched: (fetched.on_mirror_metadata_fetched,),
    MirrorHashChanged: (fetched.on_mirror_hash_changed,),
    MirrorHashAccepted: (fetched.on_mirror_hash_accepted,),
}

VIEW_TABLES: tuple[str, ...] = (
    cluster.ORIGIN.name,
    cluster.MEMBERS.name,
    cluster.PRIMARY.name,
    cluster.REPLICAS.name,
    cluster.EPOCHS.name,
    voting.VOTING.name,
    *users.USERS.names,
    *tokens.TOKENS.names,
    tokens.OWNED,
    tokens.KEY.name,
    *indexes.INDEXES.names,
    indexes.LIVES.name,
    *projects.PROJECTS.names,
    *projects.RELEASES.names,
    *files.FILES.names,
    files.NAMED.name,
    *documentation.DOCUMENTATION.names,
    results.RESULTS.name,
    history.HISTORIES.name,
    links.LINKS.name,
    upstream.PAGES.name,
    upstream.ENTRIES,
    fetched.FETCHED.name,
    fetched.ALARMS.name,
    digests.DIGESTS.name,
    serials.TABLE,
    serials.COUNTS,
)


def fold(store: Store, event: Event, stamp: Stamp) -> None:
    """Put what *event* says into the views of *store*.

    Raises:
        InvalidEntry: the kind is unknown and must be understood.
    """
    if isinstance(event, Unknown):
        if event.must_understand:
            raise InvalidEntry(f"entry {stamp.serial} is a {event.kind}, which this version does not know")
        return
    for on_event in FOLDS[type(event)]:
        on_event(store, event, stamp)
