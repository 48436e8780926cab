"""The options of ``ledgerpi serve`` about upstreams."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from server.config import Config

F = TypeVar("F", bound=Callable[..., Any])
DEFAULTS = Config(Path())
EVERYWHERE = ("0.0.0.0/0", "::/0")  # what --allow-private-upstreams alone means


def _networks(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(network for text in given for network in (text.split(",") if text else EVERYWHERE))


def _seconds(name: str, field: str, text: str) -> Callable[[F], F]:
    default = getattr(DEFAULTS, field)
    return click.option(name, field, metavar="S", type=float, default=default, show_default=True, help=text)


def _bytes(name: str, field: str, text: str) -> Callable[[F], F]:
    default = getattr(DEFAULTS, field)
    return click.option(name, field, metavar="BYTES", type=int, default=default, show_default=True, help=text)


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--offline-mode", is_flag=True, help="Ask no upstream; mirrors show only what is cached."),
    click.option(
        "--mirror-cache-expiry",
        "mirror_cache_expiry_s",
        metavar="S",
        type=int,
        default=DEFAULTS.mirror_cache_expiry_s,
        show_default=True,
        help="That a page counts as fresh where its mirror does not say.",
    ),
    _seconds("--request-timeout", "request_timeout_s", "That a client waits for news of a page that is known."),
    _seconds("--upstream-connect-timeout", "upstream_connect_timeout_s", "Of one connection to an upstream."),
    _seconds("--upstream-first-byte-timeout", "upstream_first_byte_timeout_s", "From a request to its answer's begin."),
    _seconds("--upstream-timeout", "upstream_timeout_s", "Of a whole page of an upstream."),
    _bytes("--max-page-size", "max_page_size", "Of an upstream's page, unpacked."),
    click.option(
        "--allow-private-upstreams",
        metavar="[CIDR,...]",
        multiple=True,
        is_flag=False,
        flag_value="",
        callback=_networks,
        help="Upstreams may be at private addresses: in these networks, or in all. Default: at public ones only.",
    ),
    click.option("--upstream-proxy", metavar="URL", default="", help="A proxy for all upstreams."),
    click.option(
        "--upstream-ca-file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True),
        callback=lambda _context, _parameter, path: path or "",
        help="Certificates to trust besides the system's.",
    ),
    _bytes("--mirror-cache-size", "mirror_cache_size", "Of fetched files to keep; the least used go first. 0 = all."),
)


def upstream_options(function: F) -> F:
    """Give a command the options about upstreams."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
