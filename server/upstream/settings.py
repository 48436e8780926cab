"""What a mirror's options say about its upstream."""

import json
from urllib.parse import quote, urljoin

from attrs import frozen

from changelog import records
from changelog.names import IndexName, ProjectName
from changelog.tables import Store
from changelog.views import indexes, serials
from changelog.views.indexes import MIRROR
from server.upstream.diff import Referrer
from server.upstream.origins import Credentials, origin_of, split_credentials, tokens
from server.upstream.state import identity

EXPIRY_S = 1_800  # seconds that a page counts as fresh where the index does not say


@frozen
class Settings:
    """An upstream, as one mirror asks it."""

    name: IndexName
    incarnation: int
    url: str  # without credentials; ends in a slash
    credentials: Credentials | None
    identity: bytes
    expiry_s: int
    external: bool  # clients are sent to upstream for files
    lists: bool  # the list of all projects may be asked for
    ignore_serial: bool
    core_metadata: bool  # upstream's .metadata are used; else those in the wheels

    def page_url(self, project: ProjectName) -> str:
        """Return the URL of a project's page."""
        return f"{self.url}{quote(project)}/"

    def file_url(self, project: ProjectName, reference: str) -> str:
        """Return the URL that *reference*, of a file on a project's page, means."""
        return urljoin(self.page_url(project), reference)

    def public_url(self, project: ProjectName, reference: str) -> str:
        """Return the URL that *reference* means, "" if it is not said, needs our credentials or may hold a secret."""
        url = self.file_url(project, reference)
        needs_ours = self.credentials is not None and origin_of(url) == self.credentials.origin
        return url if reference and not needs_ours and Referrer(self.page_url(project)).is_public(url) else ""

    def without_tokens(self, text: str) -> str:
        """Return *text* without what may be tokens in the path of the upstream's URL."""
        for token in tokens(self.url):
            text = text.replace(token, "***")
        return text


class SettingsCache:
    """The settings of mirrors, remembered until an index changes."""

    def __init__(self, expiry_s: int = EXPIRY_S) -> None:
        """Begin with none; a page counts as fresh for *expiry_s* seconds where its index does not say."""
        self._expiry_s = expiry_s
        self._serial = -1
        self._known: dict[int, Settings | None] = {}

    def of(self, store: Store, incarnation: int) -> Settings | None:
        """Return the settings of the mirror with *incarnation*, None if it is none or was deleted."""
        serial = serials.of_indexes(store)
        if serial != self._serial:
            self._serial, self._known = serial, {}
        if incarnation not in self._known:
            self._known[incarnation] = read(store, incarnation, self._expiry_s)
        return self._known[incarnation]


def read(store: Store, incarnation: int, expiry_s: int = EXPIRY_S) -> Settings | None:
    """Return the settings of the mirror with *incarnation* from its row and private record."""
    life = indexes.life(store, incarnation)
    row = None if life is None or life.until else indexes.find(store, life.index)
    if life is None or row is None or row.type != MIRROR:
        return None
    stored = store.get("records", row.texts) if row.texts else None
    url = "" if stored is None else str(json.loads(records.from_stored(stored).payload).get("mirror_url", ""))
    if not url:
        return None
    plain, credentials = split_credentials(url)
    expiry = row.option("mirror_cache_expiry", expiry_s)
    core_metadata = bool(row.option("mirror_provides_core_metadata", True))  # noqa: FBT003 - a value
    return Settings(
        name=life.index,
        incarnation=incarnation,
        url=plain,
        credentials=credentials,
        identity=identity(url if core_metadata else f"{url}#"),  # the page is another one without
        expiry_s=expiry if isinstance(expiry, int) else expiry_s,
        external=bool(row.option("mirror_use_external_urls", False)),  # noqa: FBT003
        lists=not row.option("mirror_no_project_list", False),  # noqa: FBT003
        ignore_serial=bool(row.option("mirror_ignore_serial_header", False)),  # noqa: FBT003
        core_metadata=core_metadata,
    )
