"""The options of a node, primary or replica."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ops import standard_streams
from ops.serve_upstream import upstream_options
from server.config import Config

F = TypeVar("F", bound=Callable[..., Any])
DEFAULTS = Config(Path())


def _listed(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[str, ...]:
    """Return the words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--serverdir", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The data folder."),
    click.option("--host", metavar="H", default=DEFAULTS.host, show_default=True, help="Address to listen on."),
    click.option(
        "--port", metavar="P", type=int, default=DEFAULTS.port, show_default=True, help="TCP port; 0 = any free."
    ),
    click.option(
        "--workers", metavar="N", type=int, default=0, help="Processes that serve HTTP. Default: one per core."
    ),
    click.option(
        "--tls-certificate",
        metavar="FILE",
        default="",
        help="Serve HTTPS with this certificate and its chain, PEM; read again when it is renewed.",
    ),
    click.option("--tls-key", metavar="FILE", default="", help="The private key of the certificate, PEM."),
    click.option(
        "--outside-url", metavar="URL", default="", help="Where clients reach this node behind a front server."
    ),
    click.option("--absolute-urls", is_flag=True, help="Links to files on simple pages have scheme and host."),
    click.option(
        "--trusted-proxy",
        metavar="CIDR",
        multiple=True,
        default=DEFAULTS.trusted_proxy,
        help="A front server, whose X-Outside-Url, X-Forwarded-* and X-Real-IP are believed; may be repeated. "
        "Default: this machine.",
    ),
    click.option(
        "--max-request-body-size",
        metavar="BYTES",
        type=int,
        default=DEFAULTS.max_request_body_size,
        show_default=True,
        help="Of one file, uploaded or fetched.",
    ),
    click.option(
        "--upload-checks",
        type=click.Choice(["strict", "lenient"]),
        default=DEFAULTS.upload_checks,
        show_default=True,
        help="Where an index does not say: all of the archive, or devpi's rules for names only.",
    ),
    click.option(
        "--restrict-modify",
        metavar="USER[,USER...]",
        default="",
        callback=_listed,
        help="Only these users may make, change and delete users and indexes. Default: anybody makes users, users "
        "change what is theirs, root everything.",
    ),
    click.option(
        "--x-accel-redirect",
        metavar="PATH",
        default="",
        help="Let nginx send large files, from the location PATH of it that leads to the folder blobs.",
    ),
    click.option("--debug", is_flag=True, help="Log every request."),
    click.option(
        "--login-attempts",
        metavar="N",
        type=int,
        default=DEFAULTS.login_attempts,
        show_default=True,
        help="Wrong passwords a minute, by user and address.",
    ),
    click.option(
        "--login-expiry",
        "login_expiry_s",
        metavar="S",
        type=int,
        default=DEFAULTS.login_expiry_s,
        show_default=True,
        help="Seconds that a login is good for.",
    ),
    click.option(
        "--password-memory",
        "password_memory_s",
        metavar="S",
        type=int,
        default=DEFAULTS.password_memory_s,
        show_default=True,
        help="Seconds that a checked password is remembered.",
    ),
    click.option(
        "--map-size",
        metavar="BYTES",
        type=int,
        default=DEFAULTS.map_size,
        show_default=True,
        help="Address space for the changelog; the most it can grow to.",
    ),
    click.option(
        "--durability-timeout",
        "durability_timeout_s",
        metavar="S",
        type=float,
        default=DEFAULTS.durability_timeout_s,
        show_default=True,
        help="Seconds that a write waits for the copies that it is to have, before it is answered with 503.",
    ),
    click.option(
        "--page-cache",
        metavar="BYTES",
        type=int,
        default=DEFAULTS.page_cache,
        show_default=True,
        help="Rendered pages in each worker's memory.",
    ),
    click.option(
        "--file-cache",
        metavar="BYTES",
        type=int,
        default=DEFAULTS.file_cache,
        show_default=True,
        help="Small files in each worker's memory.",
    ),
    upstream_options,
)


def node_options(function: F) -> F:
    """Give a command all options of a node but those that are its own."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def announce(url: str) -> None:
    """Print where a node answers; it serves all the same if that can not be written."""
    try:
        click.echo(f"ledgerpi serves {url}")
        click.echo(f"  a mirror:    {url}/root/pypi/+simple/    (pip, uv)")
        click.echo(f"  an index:    {url}/root/dev/+simple/     (pip, uv)")
        click.echo(f"  uploads to:  {url}/root/dev/             (twine, uv publish, devpi)")
    except OSError:  # a full disk, or nobody reads any more
        standard_streams.give_up_output()
