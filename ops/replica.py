"""``ledgerpi replica``: run a replica in the foreground; it is made first where there is none."""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from changelog import log, promise
from changelog.env import Env
from changelog.errors import InvalidInput
from changelog.fold import VIEW_TABLES
from changelog.views import cluster
from changelog.views.cluster import epoch_under
from ops import roles
from ops.configured import Configured
from ops.follower_options import follower_options
from ops.node import locked
from ops.node_options import node_options
from replica import rejoin
from replica.config import ALL, ReplicaConfig
from replica.create import create_replica, is_enrolled, put_token, read_token
from server import keys, replica_token
from server.replica_token import ReplicaToken


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi replica --serverdir /srv/replica --primary https://index.example --token-file eu-1.token

\b
Exit codes where the history can not be copied: 3 = diverged, 4 = not what the log signed, 6 = another log.""",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What ledgerpi replica-token printed; needed once, and again for another token.",
)
@follower_options
@node_options
def replica(serverdir: Path, token_file: Path | None, **options: Any) -> None:  # noqa: ANN401 - fields of Config
    """Run a replica in the foreground until SIGTERM or Ctrl-C: it copies a primary's log and serves its pages.

    One that was promoted goes on as a primary, also when it is started again.
    """
    config = roles.made(serverdir, **options)
    rejoin.finish(config.layout)
    _make(config, token_file)
    roles.run(config)


def _make(config: ReplicaConfig, token_file: Path | None) -> None:
    """Make the node if there is none; one that is there takes the token."""
    layout = config.layout
    there = layout.data_file.is_file()
    if not there and not config.primary:
        raise click.UsageError("a new replica needs --primary, whom it is to follow")
    if token_file is None:
        if not there:
            raise click.UsageError("a new replica needs --token-file (ledgerpi replica-token makes one)")
        if not is_enrolled(layout):
            raise click.UsageError(f"{layout.serverdir} holds a primary; a replica needs a folder of its own")
        return
    try:
        token = replica_token.read(token_file.read_text())
    except InvalidInput as error:
        raise click.UsageError(f"{token_file}: {error}") from error
    if not there:
        _check_files(config, token)
        import_module("ops.first_copy")  # takes a while, and is needed as soon as the folder is there
        create_replica(layout, token, config.map_size)
    elif not is_enrolled(layout) or read_token(layout).secret != token.secret:  # else it has it, and may run
        _take(config, token, token_file)


def _take(config: ReplicaConfig, token: ReplicaToken, token_file: Path) -> None:
    """Take another token, as the one before may have been revoked, or the log goes on under another origin."""
    layout = config.layout
    with locked(layout):
        env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=config.map_size)
        try:
            with env.write() as store:
                there = read_token(layout).origin if is_enrolled(layout) else cluster.origin(store).origin
                if not (log.continues(token.origin, there) or log.continues(there, token.origin)):
                    raise click.UsageError(f"{token_file} is for {token.origin}, but {layout.serverdir} has {there}")
                if not is_enrolled(layout) and token.origin == there:
                    raise click.UsageError(f"{layout.serverdir} holds a primary; a replica needs a folder of its own")
                promise.keep(store, max(promise.given(store), epoch_under(token.origin)))
        finally:
            env.close()
        if token.log_seed and token.origin != there and log.continues(token.origin, there):
            keys.replace(layout.keys, keys.LOG_KEY, token.log_seed)
        put_token(layout, token)


def _check_files(config: ReplicaConfig, token: ReplicaToken) -> None:
    if token.voter and config.files != (ALL,):
        raise click.UsageError(f"a voter keeps all files: --files {' '.join(config.files)} is not for it")
