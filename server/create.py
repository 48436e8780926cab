"""Making a new node: folders, keys, and the first entries of a log."""

import secrets
import time
import uuid
from collections.abc import Sequence

from changelog import rebuild
from changelog.blobs import Blobs, sync_folder
from changelog.env import Env
from changelog.errors import Conflict
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged
from changelog.events.indexes import IndexCreated
from changelog.events.users import PasswordSet, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import IndexName, UserName
from changelog.records import NONE, Record, new_record
from changelog.tree import EMPTY_ROOT
from changelog.views.cluster import epoch_of
from changelog.views.indexes import MIRROR, STAGE
from changelog.writer import Keys, Writer
from server import keys
from server.layout import Layout
from server.options import URL, merged_texts, parse_texts, private_keys
from server.permissions import ROOT

FIRST_MEMBER = 1
PYPI = IndexName("root/pypi")
PASSWORD_BYTES = 12  # of a generated one


def generated_password() -> str:
    """Return a new password for root."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def create_node(
    layout: Layout,
    root_secret: bytes,
    stages: Sequence[IndexName] = (),
    *,
    mirror: str = "",
    map_size: int = 1 << 40,
) -> None:
    """Make the data folder of a primary with the user root and *stages* of it, durably.

    *root_secret* is the hash of root's password, as :mod:`server.passwords` makes it.

    The index ``root/pypi`` mirrors the upstream at the URL *mirror*; stages inherit it.

    Raises:
        Conflict: there is a node, or something else, already.
    """
    if layout.serverdir.exists() and any(layout.serverdir.iterdir()):
        cure = "" if layout.data_file.exists() else "; it holds no whole node: remove it to begin again"
        raise Conflict(f"{layout.serverdir} is not empty{cure}")
    for folder in (layout.serverdir, layout.keys, layout.run, layout.spool, layout.pages):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pair = Keys(keys.generate(layout.keys, keys.LOG_KEY), keys.generate(layout.keys, keys.NODE_KEY))
    blobs = Blobs(layout.blobs)
    blobs.create()
    making = layout.serverdir / "changelog.new"  # renamed when whole: a node is there or is not
    making.mkdir(mode=0o700)
    env = Env(making, VIEW_TABLES, readonly=False, map_size=map_size)
    _begin_log(Writer(env, blobs, pair, _now), env, pair, root_secret, _indexes(stages, mirror))
    env.close()
    sync_folder(making)  # the names of LMDB's files, which LMDB does not sync
    making.rename(layout.changelog)
    sync_folder(layout.serverdir)
    sync_folder(layout.serverdir.parent)


def _begin_log(
    writer: Writer,
    env: Env,
    pair: Keys,
    root_secret: bytes,
    made: Sequence[tuple[IndexCreated, Record | None]],
) -> None:
    name = uuid.uuid4().hex
    origin = f"ledgerpi/{name}"
    secret = new_record(root_secret)
    log_key, node_key = keys.public(pair.log), keys.public(pair.node)
    writer.create(
        [
            LogCreated(origin, log_key),
            MemberAdded(name, FIRST_MEMBER, "", node_key, voter=True, may_promote=True),
            PrimaryChanged(FIRST_MEMBER, 0, 0, EMPTY_ROOT),
            UserCreated(UserName(ROOT), NONE),
            PasswordSet(UserName(ROOT), secret.commitment),
            *(index for index, _ in made),
        ],
        [secret, *(record for _, record in made if record is not None)],
        epoch_of(1, FIRST_MEMBER),
    )
    with env.write() as store:
        rebuild.mark_current(store)


def _indexes(stages: Sequence[IndexName], mirror: str) -> list[tuple[IndexCreated, Record | None]]:
    """Return the first indexes with their private records."""
    if not mirror:
        return [(IndexCreated(stage, STAGE, (), NONE), None) for stage in stages]
    texts = parse_texts({URL: mirror, "title": "PyPI"}, private_keys(MIRROR))
    record = new_record(merged_texts({}, texts))
    inherits = (("bases", (PYPI,)),)
    first = IndexCreated(PYPI, MIRROR, (("volatile", False),), record.commitment)
    return [(first, record), *((IndexCreated(stage, STAGE, inherits, NONE), None) for stage in stages)]


def _now() -> int:
    return time.time_ns() // 1_000
