"""What entries name besides themselves: private records, small contents and blobs."""

from attrs import frozen

from changelog.codec import Event
from changelog.events.documentation import DocumentationUploaded
from changelog.events.files import FileUploaded
from changelog.events.indexes import IndexCreated, IndexTextsChanged
from changelog.events.projects import ReleaseRegistered
from changelog.events.results import TestResultUploaded
from changelog.events.tokens import TokenCreated, TokenKeySet
from changelog.events.upstream import MirrorFileFetched, MirrorMetadataFetched
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated

UPLOADS = (FileUploaded, DocumentationUploaded, TestResultUploaded)
WITH_BLOB = (*UPLOADS, MirrorFileFetched)  # their sha256 and size are those of a blob
WITH_METADATA = (  # their metadata is a digest, or b""
    FileUploaded,
    MirrorFileFetched,
    ReleaseRegistered,
    MirrorMetadataFetched,
)
WITH_BYTES = (*WITH_BLOB, *WITH_METADATA)  # each is about an index
RECORD_FIELDS: dict[type, str] = {  # events with the commitment to a private record, b"" = none
    UserCreated: "profile",
    ProfileChanged: "profile",
    PasswordSet: "password",
    IndexCreated: "texts",
    IndexTextsChanged: "texts",
    TokenCreated: "description",
    TokenKeySet: "key",
}


@frozen
class Blob:
    """A distribution file, documentation or test result that an entry names."""

    sha256: bytes
    size: int  # bytes
    uploaded: bool  # else it is an upstream's, which may be removed and fetched again


def blob(event: Event) -> Blob | None:
    """Return the blob that *event* names, other than core metadata."""
    if isinstance(event, WITH_BLOB):
        return Blob(event.sha256, event.size, isinstance(event, UPLOADS))
    return None


def metadata(event: Event) -> bytes:
    """Return the digest of the core metadata that *event* names, b"" = none."""
    digest: bytes = event.metadata if isinstance(event, WITH_METADATA) else b""
    return digest


def commitment(event: Event) -> bytes:
    """Return the commitment to a private record in *event*, b"" = none."""
    name = RECORD_FIELDS.get(type(event))
    found: bytes = getattr(event, name) if name else b""
    return found
