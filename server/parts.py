"""What a worker is made of; a replica's is made of other parts of the same kinds."""

from attrs import frozen

from changelog.blobs import Blobs
from changelog.reader import Reader
from server.auth import Auth
from server.config import Config
from server.file_cache import FileCache
from server.mirrors import Mirrors
from server.page_cache import PageCache
from server.sources import Sources
from server.spool import Spool
from server.submit import Submit


@frozen
class Parts:
    """All that handlers use."""

    config: Config
    reader: Reader
    blobs: Blobs
    submit: Submit
    auth: Auth
    sources: Sources
    pages: PageCache
    files: FileCache
    spool: Spool
    mirrors: Mirrors
    member: str  # id of this node, for X-Devpi-Uuid
    origin: str
