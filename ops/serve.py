"""``ledgerpi serve``: run a node in the foreground."""

from pathlib import Path
from typing import Any

import click

from ops.serve_upstream import upstream_options
from server.config import Config
from server.layout import Layout
from server.logs import configure_logs
from server.supervisor import Supervisor

DEFAULTS = Config(Path())


@click.command(
    epilog="""\b
Example:
  ledgerpi serve --serverdir /srv/ledgerpi --host 0.0.0.0 --port 3141"""
)
@click.option("--serverdir", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The data folder.")
@click.option("--host", metavar="H", default=DEFAULTS.host, show_default=True, help="Address to listen on.")
@click.option("--port", metavar="P", type=int, default=DEFAULTS.port, show_default=True, help="TCP port; 0 = any free.")
@click.option("--workers", metavar="N", type=int, default=0, help="Processes that serve HTTP. Default: one per core.")
@click.option("--outside-url", metavar="URL", default="", help="Where clients reach this node behind a front server.")
@click.option(
    "--max-request-body-size",
    metavar="BYTES",
    type=int,
    default=DEFAULTS.max_request_body_size,
    show_default=True,
    help="Of one file, uploaded or fetched.",
)
@click.option(
    "--upload-checks",
    type=click.Choice(["strict", "lenient"]),
    default=DEFAULTS.upload_checks,
    show_default=True,
    help="Where an index does not say: all of the archive, or devpi's rules for names only.",
)
@click.option(
    "--login-attempts",
    metavar="N",
    type=int,
    default=DEFAULTS.login_attempts,
    show_default=True,
    help="Wrong passwords a minute, by user and address.",
)
@click.option(
    "--login-expiry",
    "login_expiry_s",
    metavar="S",
    type=int,
    default=DEFAULTS.login_expiry_s,
    show_default=True,
    help="Seconds that a login is good for.",
)
@click.option(
    "--password-memory",
    "password_memory_s",
    metavar="S",
    type=int,
    default=DEFAULTS.password_memory_s,
    show_default=True,
    help="Seconds that a checked password is remembered.",
)
@click.option(
    "--map-size",
    metavar="BYTES",
    type=int,
    default=DEFAULTS.map_size,
    show_default=True,
    help="Address space for the changelog; the most it can grow to.",
)
@click.option(
    "--page-cache",
    metavar="BYTES",
    type=int,
    default=DEFAULTS.page_cache,
    show_default=True,
    help="Rendered pages in each worker's memory.",
)
@click.option(
    "--file-cache",
    metavar="BYTES",
    type=int,
    default=DEFAULTS.file_cache,
    show_default=True,
    help="Small files in each worker's memory.",
)
@upstream_options
def serve(serverdir: Path, **options: Any) -> None:  # noqa: ANN401 - the fields of Config
    """Run a node in the foreground until SIGTERM or Ctrl-C, which take its processes along."""
    if not Layout(serverdir).data_file.is_file():
        raise click.UsageError(f"{serverdir} holds no node (ledgerpi init makes one)")
    try:
        config = Config(serverdir=serverdir.absolute(), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    configure_logs()
    try:
        supervisor = Supervisor(config, _announce)
    except OSError as error:
        raise click.ClickException(f"can not listen on {config.host}:{config.port}: {error}") from error
    supervisor.run()
    if supervisor.failed:
        raise click.ClickException("the node can not start; the log says why")


def _announce(url: str) -> None:
    click.echo(f"ledgerpi serves {url}")
    click.echo(f"  a mirror:    {url}/root/pypi/+simple/    (pip, uv)")
    click.echo(f"  an index:    {url}/root/dev/+simple/     (pip, uv)")
    click.echo(f"  uploads to:  {url}/root/dev/             (twine, uv publish, devpi)")
