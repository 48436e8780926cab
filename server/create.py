"""Making a new node: folders, keys, and the first entries of a log."""

import secrets
import time
import uuid
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import rebuild
from changelog.blobs import Blobs, sync_folder
from changelog.env import Env
from changelog.errors import Conflict
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged
from changelog.events.indexes import IndexCreated
from changelog.events.users import PasswordSet, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import IndexName, UserName
from changelog.records import NONE, new_record
from changelog.tree import EMPTY_ROOT
from changelog.views.cluster import epoch_of
from changelog.views.indexes import STAGE
from changelog.writer import Writer
from server import keys
from server.layout import Layout
from server.passwords import hashed
from server.permissions import ROOT

FIRST_MEMBER = 1
PASSWORD_BYTES = 12  # of a generated one


def generated_password() -> str:
    """Return a new password for root."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def create_node(layout: Layout, root_password: str, stages: Sequence[IndexName] = (), map_size: int = 1 << 40) -> None:
    """Make the data folder of a primary with the user root and *stages* of it, durably.

    Raises:
        Conflict: there is a node, or something else, already.
    """
    if layout.serverdir.exists() and any(layout.serverdir.iterdir()):
        cure = "" if layout.data_file.exists() else "; it holds no whole node: remove it to begin again"
        raise Conflict(f"{layout.serverdir} is not empty{cure}")
    for folder in (layout.serverdir, layout.keys, layout.run, layout.spool, layout.pages):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_key = keys.generate(layout.keys, keys.LOG_KEY)
    node_key = keys.generate(layout.keys, keys.NODE_KEY)
    blobs = Blobs(layout.blobs)
    blobs.create()
    making = layout.serverdir / "changelog.new"  # renamed when whole: a node is there or is not
    making.mkdir(mode=0o700)
    env = Env(making, VIEW_TABLES, readonly=False, map_size=map_size)
    _begin_log(Writer(env, blobs, log_key, _now), env, (log_key, node_key), root_password, stages)
    env.close()
    sync_folder(making)  # the names of LMDB's files, which LMDB does not sync
    making.rename(layout.changelog)
    sync_folder(layout.serverdir)
    sync_folder(layout.serverdir.parent)


def _begin_log(
    writer: Writer,
    env: Env,
    pair: tuple[Ed25519PrivateKey, Ed25519PrivateKey],
    root_password: str,
    stages: Sequence[IndexName],
) -> None:
    name = uuid.uuid4().hex
    origin = f"ledgerpi/{name}"
    secret = new_record(hashed(root_password))
    log_key, node_key = map(keys.public, pair)
    writer.create(
        origin,
        [
            LogCreated(origin, log_key),
            MemberAdded(name, FIRST_MEMBER, "", node_key, voter=True, may_promote=True),
            PrimaryChanged(FIRST_MEMBER, 0, 0, EMPTY_ROOT),
            UserCreated(UserName(ROOT), NONE),
            PasswordSet(UserName(ROOT), secret.commitment),
            *(IndexCreated(stage, STAGE, (), NONE) for stage in stages),
        ],
        [secret],
        epoch_of(1, FIRST_MEMBER),
    )
    with env.write() as store:
        rebuild.mark_current(store)


def _now() -> int:
    return time.time_ns() // 1_000
