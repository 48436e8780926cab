"""``ledgerpi gen-config``: write how nginx and service managers run a node with the given options."""

import getpass
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from attrs import evolve
from click.core import ParameterSource

from ops import roles
from ops.configured import Configured
from ops.deployment import Deployment, unquotable
from ops.follower_options import follower_options
from ops.node_options import node_options
from replica.config import REFUSE, ReplicaConfig

LOCATION = "/_blobs/"  # where nginx has blobs if nothing else is said
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - what is not an address to ask
OWN = frozenset({"output", "user", "role", "other_nodes", "replication", "page_age", "cache", "configfile"})
BY_NGINX = frozenset({"tls_certificate", "tls_key", "x_accel_redirect"})  # options of which the node gets none, or ours
PATHS = frozenset({"primary_ca_file", "token_file"})  # which service managers start elsewhere
PLAIN_URL = re.compile(r"https?://[\w.\[\]:-]+(?:/[\w./~-]*)?", re.ASCII)
HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)
USER = re.compile(r"[\w][\w.-]*\$?", re.ASCII)


@click.command(
    "gen-config",
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi gen-config --serverdir /srv/ledgerpi --outside-url https://packages.example --output deploy""",
)
@click.option(
    "--output",
    metavar="DIR",
    default="gen-config",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are written.",
)
@click.option("--user", metavar="NAME", default=getpass.getuser, help="Who runs the node. Default: who you are.")
@click.option(
    "--role",
    type=click.Choice(["primary", "replica"]),
    help="What is run. Default: a replica where --primary or --token-file is given.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Of a new replica, as for ledgerpi replica.",
)
@click.option(
    "--other-node",
    "other_nodes",
    metavar="URL",
    multiple=True,
    help="A node, by http, that nginx asks while this one does not answer. Again for more.",
)
@click.option("--replication", is_flag=True, help="Let replicas follow the node through nginx.")
@click.option(
    "--page-age",
    metavar="S",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Seconds that the caching nginx shows a page before it asks again.",
)
@click.option(
    "--cache",
    metavar="DIR",
    default="/var/cache/nginx/ledgerpi",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the caching nginx keeps pages.",
)
@follower_options
@node_options
@click.pass_context
def gen_config(context: click.Context, /, output: Path, **options: Any) -> None:  # noqa: ANN401 - fields of Config
    """Write configuration for nginx, systemd, supervisor, launchd, cron and Windows, with the options given here."""
    token, own = options["token_file"], {name: options[name] for name in options.keys() & OWN}
    config = roles.made(**{name: value for name, value in options.items() if name not in {*OWN, "token_file"}})
    role = own["role"] or ("replica" if config.primary or token else "primary")
    config = evolve(config, x_accel_redirect=config.x_accel_redirect or LOCATION)
    program = Path(sys.executable).with_name("ledgerpi")
    words = [f"--serverdir={config.serverdir}", *_said(context), f"--x-accel-redirect={config.x_accel_redirect}"]
    deployment = Deployment(
        command=(str(program), "replica" if role == "replica" else "serve", *words),
        verify=(str(program), "verify", f"--serverdir={config.serverdir}"),
        user=_user(own["user"]),
        serverdir=config.serverdir,
        blobs=config.layout.blobs,
        port=config.port,
        node=_address(config),
        others=tuple(map(_other, own["other_nodes"])),
        location=config.x_accel_redirect,
        outside_url=_outside(config),
        max_request_body_size=config.max_request_body_size,
        certificate=_absolute(config.tls_certificate),
        key=_absolute(config.tls_key),
        cache=own["cache"].absolute(),
        page_age_s=own["page_age"],
        refuses=config.when_stale == REFUSE,
        replication=own["replication"],
    )
    _check(deployment)
    _write(deployment, output)


def _said(context: click.Context) -> list[str]:
    """Return the options of the node that were said on the command line, by the environment or the file."""
    words = []
    for option in context.command.params:
        name = option.name or ""
        if name in OWN | BY_NGINX | {"serverdir"} or not isinstance(option, click.Option):
            continue
        if context.get_parameter_source(name) in {ParameterSource.DEFAULT, None}:
            continue
        words += _words(option, context.params[name])
    return words


def _words(option: click.Option, value: Any) -> list[str]:  # noqa: ANN401 - of the option
    flag = option.opts[0]
    if option.is_flag:
        return [flag] if value else []
    if option.multiple:
        return [f"{flag}={item}" for item in value]
    if isinstance(value, tuple):
        return [f"{flag}={','.join(value)}"] if value else []
    if value is None:
        return []
    return [f"{flag}={_absolute(str(value)) if option.name in PATHS else value}"]


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""


def _user(name: str) -> str:
    if not USER.fullmatch(name):
        raise click.BadParameter(f"not a user of this machine: {name!r}", param_hint="--user")
    return name


def _address(config: ReplicaConfig) -> str:
    """Return host and port where nginx, on this machine, reaches the node."""
    if not config.port:
        raise click.BadParameter("nginx has to know it: give one that is not 0", param_hint="--port")
    host = EVERYWHERE.get(config.host, config.host)
    if not HOST.fullmatch(host):
        raise click.BadParameter(f"no address: {config.host!r}", param_hint="--host")
    return f"{f'[{host}]' if ':' in host and host[0] != '[' else host}:{config.port}"


def _other(url: str) -> str:
    """Return host and port of another node."""
    parts = urlsplit(url)
    if not PLAIN_URL.fullmatch(url) or parts.scheme != "http" or parts.path.strip("/"):
        raise click.BadParameter(f"has to be http://HOST:PORT, not {url!r}", param_hint="--other-node")
    return parts.netloc


def _outside(config: ReplicaConfig) -> str:
    url = config.outside_url
    if url and not PLAIN_URL.fullmatch(url):
        raise click.BadParameter(f"nginx can not be told {url!r}", param_hint="--outside-url")
    return url


def _check(deployment: Deployment) -> None:
    """Raise UsageError if something can not be said in each of the files."""
    paths = (deployment.certificate, deployment.key, str(deployment.cache), str(deployment.blobs))
    odd = unquotable((*deployment.command, *paths))
    if odd is not None:
        raise click.UsageError(f"this can not be written into all of the files: {odd!r}")


def _write(deployment: Deployment, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for name, content in deployment.files().items():
        path = output / name
        path.touch(mode=0o640)  # options may have secrets: an --upstream-proxy with a password
        path.write_bytes(content)
        click.echo(str(path))
