"""Making the data folder of a new replica: folders, a key of its own, the token, and a log without entries."""

import os
import shutil
from pathlib import Path

from attrs import evolve

from changelog import promise, vouching
from changelog.blobs import Blobs, sync_folder
from changelog.env import Env
from changelog.errors import Conflict
from changelog.fold import VIEW_TABLES
from replica.config import TOKEN_FILE, ReplicaConfig
from server import keys, replica_token
from server.layout import Layout
from server.replica_token import ReplicaToken


def create_replica(layout: Layout, token: ReplicaToken, map_size: int) -> None:
    """Make the data folder of a replica, durably; the log is copied later.

    Raises:
        Conflict: there is something already.
    """
    if layout.serverdir.exists() and any(layout.serverdir.iterdir()):
        cure = "" if layout.data_file.exists() else "; it holds no whole node: remove it to begin again"
        raise Conflict(f"{layout.serverdir} is not empty{cure}")
    for folder in (layout.serverdir, layout.keys, layout.run, layout.spool, layout.pages):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys.generate(layout.keys, keys.NODE_KEY)
    keys.generate(layout.keys, keys.COSIGNER_KEY)
    if token.log_seed:
        keys.write(layout.keys, keys.LOG_KEY, token.log_seed)
    put_token(layout, token)
    Blobs(layout.blobs).create()
    create_log(layout, 0, map_size)
    sync_folder(layout.serverdir.parent)


def create_log(layout: Layout, promised: int, map_size: int) -> None:
    """Make a log without entries, durably, of a node that promised an epoch, 0 = none."""
    making = make_log(layout, promised, map_size)  # renamed when whole: a node is there or is not
    making.rename(layout.changelog)
    sync_folder(layout.serverdir)


def make_log(layout: Layout, promised: int, map_size: int) -> Path:
    """Make the same beside the log that is there, and return its folder."""
    making = layout.serverdir / "changelog.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    env = Env(making, VIEW_TABLES, readonly=False, map_size=map_size)
    with env.write() as store:
        promise.keep(store, promised)
    env.close()
    sync_folder(making)
    return making


def put_token(layout: Layout, token: ReplicaToken) -> None:
    """Keep the token where only the owner of the node can read it; it replaces the one before."""
    temporary = layout.keys / f"{TOKEN_FILE}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{evolve(token, log_seed=b'').text}\n")
        file.flush()
        os.fsync(descriptor)
    temporary.replace(layout.keys / TOKEN_FILE)
    sync_folder(layout.keys)


def read_token(layout: Layout) -> ReplicaToken:
    """Return the token of a replica.

    Raises:
        InvalidInput: the file is no token.
        OSError: it can not be read.
    """
    return replica_token.read((layout.keys / TOKEN_FILE).read_text())


def is_enrolled(layout: Layout) -> bool:
    """Return whether the node in a data folder has, or had, the token of a replica."""
    return (layout.keys / TOKEN_FILE).exists()


def lacks_copy(config: ReplicaConfig) -> bool:
    """Return whether the log was never copied to its end."""
    env = Env(config.layout.changelog, VIEW_TABLES, readonly=True, map_size=config.map_size)
    try:
        with env.read() as store:
            return not vouching.find(store)
    finally:
        env.close()
