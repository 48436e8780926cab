"""What a node runs as what it is: the log says whether that is a primary or a replica, and it may change."""

from pathlib import Path
from typing import Any

import click
from attrs import evolve

from changelog import log, rebuild
from changelog.env import Env
from changelog.fold import VIEW_TABLES
from changelog.reader import Reader
from changelog.views import cluster
from ops.node import locked
from ops.node_options import announce
from replica import rejoin
from replica.config import ALL, ReplicaConfig
from replica.create import lacks_copy
from server import keys, roles, tls
from server.config import Config
from server.logs import configure_logs
from server.supervisor import Programs, Supervisor

PRIMARY = Programs(cluster="replica.cluster_process")
TAKEN_OVER = evolve(PRIMARY, worker="replica.primary_worker", more=(("fetch", "replica.fetch_process"),))
REPLICA = Programs(
    writer="replica.writer_process",
    worker="replica.worker",
    more=(("tail", "replica.tail_process"), ("fetch", "replica.fetch_process")),
)
COPYING = Programs(writer="replica.copy_process", worker="replica.copying_worker")  # behind a log that was left


def run(config: ReplicaConfig) -> None:
    """Run a node until it is told to stop."""
    configure_logs()
    _check_tls(config)
    rejoin.finish(config.layout)
    bring_views_up(config)
    check_files(config)
    if _has_no_copy(config):
        from ops.first_copy import copy  # noqa: PLC0415 - takes longer to import than all that a start needs here

        with locked(config.layout):
            copy(config)
    try:
        supervisor = Supervisor(config, announce, programs)
    except OSError as error:
        raise click.ClickException(f"can not listen on {config.host}:{config.port}: {error}") from error
    supervisor.run()
    if supervisor.failed:
        raise click.ClickException("the node can not start; the log says why")


def _check_tls(config: ReplicaConfig) -> None:
    """Raise UsageError if certificate and key can not be read."""
    if not config.tls_certificate:
        return
    try:
        tls.context_of(Path(config.tls_certificate), Path(config.tls_key))
    except OSError as error:  # ssl.SSLError among them
        raise click.UsageError(f"--tls-certificate {config.tls_certificate}, --tls-key: {error}") from error


def bring_views_up(config: Config) -> None:
    """Fold the views anew if another version of the program made them: what the node is stands in them."""
    env = Env(config.layout.changelog, (), readonly=True, map_size=config.map_size)
    try:
        with env.read() as store:
            needed = rebuild.needed(store) and log.head(store).size
    finally:
        env.close()
    if needed:
        with locked(config.layout):
            _rebuild(config)


def _rebuild(config: Config) -> None:
    env = Env(config.layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
    try:
        for _ in rebuild.run(env):
            pass
    finally:
        env.close()


def programs(config: Config) -> Programs:
    """Return what the node runs as what it is now."""
    if not isinstance(config, ReplicaConfig):
        return PRIMARY
    rejoin.finish(config.layout)
    if _has_no_copy(config):
        return COPYING
    rejoin.forget(config.layout)
    if roles.of_node(config.layout) == roles.REPLICA:
        return REPLICA
    config.following_file.unlink(missing_ok=True)
    return TAKEN_OVER if config.backlog.exists() else PRIMARY  # it may still lack files that it had to fetch


def _has_no_copy(config: ReplicaConfig) -> bool:
    """Return whether a replica has never copied its log to the end."""
    return roles.of_node(config.layout) == roles.REPLICA and lacks_copy(config)


def check_files(config: ReplicaConfig) -> None:
    """Raise UsageError if a voter is not to keep all files: what it acknowledges would not be here."""
    reader = Reader(config.layout.changelog, config.map_size)
    try:
        with reader.snapshot() as store:
            public = keys.public(keys.load(config.layout.keys, keys.NODE_KEY))
            row = cluster.member(store, cluster.number_of(store, public))
    finally:
        reader.close()
    if row is not None and row.voter and config.files != (ALL,):
        raise click.UsageError(
            f"this node is a voter, so it keeps all files: --files {' '.join(config.files)} is not for it"
        )


def made(serverdir: Any, **options: Any) -> ReplicaConfig:  # noqa: ANN401 - the fields of Config
    """Return the configuration that the options of a command say."""
    try:
        return ReplicaConfig(serverdir=serverdir.absolute(), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
