"""Configuration: one frozen class; the command line fills it and no other module reads the environment."""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from attrs import field, frozen
from attrs.validators import deep_iterable, ge, gt, in_

from changelog.env import DEFAULT_MAP_SIZE
from changelog.names import user_name
from server.layout import Layout

GIB = 1 << 30
LOCATION = re.compile(r"/(?:\w[\w.-]*/)+", re.ASCII)


def _check_user(_config: object, _field: object, text: str) -> None:
    """Raise InvalidName unless *text* is a user's name."""
    user_name(text)


def _check_location(_config: object, _field: object, text: str) -> None:
    """Raise ValueError unless *text* is the path of a location of nginx, or nothing."""
    if text and not LOCATION.fullmatch(text):
        raise ValueError(f"--x-accel-redirect has to be a path such as /_blobs/, not {text!r}")


def _check_network(_config: object, _field: object, text: str) -> None:
    """Raise ValueError unless *text* is a network in CIDR notation."""
    ip_network(text)


def _check_tls(config: "Config", _field: object, key: str) -> None:
    """Raise ValueError unless certificate and key are given together."""
    if bool(key) != bool(config.tls_certificate):
        raise ValueError("--tls-certificate and --tls-key go together")


@frozen
class Config:
    """The options of ``ledgerpi serve``."""

    serverdir: Path = field(converter=Path)  # the data folder
    host: str = "localhost"  # address to listen on
    port: int = field(default=3141, validator=ge(0))  # TCP port; 0 = any free one
    workers: int = field(default=0, validator=ge(0))  # processes that serve HTTP; 0 = one per core
    tls_certificate: str = ""  # PEM file with the node's certificate and its chain, "" = no TLS
    tls_key: str = field(default="", validator=_check_tls)  # PEM file with its private key
    outside_url: str = ""  # where clients reach this node, "" = as they asked
    absolute_urls: bool = False  # links to files on simple pages have scheme and host
    trusted_proxy: tuple[str, ...] = (
        field(  # networks, CIDR, of front servers whose X-Outside-Url and such are believed
            default=("127.0.0.0/8", "::1/128"), converter=tuple, validator=deep_iterable(_check_network)
        )
    )
    max_request_body_size: int = field(default=4 * GIB, validator=ge(1))  # bytes of one file, sent or fetched
    upload_checks: str = field(default="strict", validator=in_(("strict", "lenient")))  # where the index says nothing
    login_attempts: int = field(default=10, validator=ge(1))  # wrong passwords a minute by user and address
    login_expiry_s: int = field(default=36_000, validator=ge(1))  # seconds that a login is good for
    password_memory_s: int = field(default=300, validator=ge(0))  # seconds that a checked password is remembered
    map_size: int = field(default=DEFAULT_MAP_SIZE, validator=ge(1 << 20))  # bytes of address space of the changelog
    restrict_modify: tuple[str, ...] = field(  # users who alone may change users and indexes; () = no restriction
        default=(), converter=tuple, validator=deep_iterable(_check_user)
    )
    x_accel_redirect: str = field(default="", validator=_check_location)  # nginx sends blobs from there, "" = we do
    debug: bool = False  # every request is logged
    offline_mode: bool = False  # no upstream is asked; mirrors show only what is cached
    mirror_cache_expiry_s: int = field(default=1_800, validator=ge(0))  # of a page where its mirror does not say
    request_timeout_s: float = field(default=5.0, validator=ge(0))  # seconds that a client waits for news of a page
    upstream_connect_timeout_s: float = field(default=5.0, validator=gt(0))  # seconds, of one connection with its TLS
    upstream_first_byte_timeout_s: float = field(default=15.0, validator=gt(0))  # seconds, from request to answer
    upstream_timeout_s: float = field(
        default=60.0, validator=gt(0)
    )  # seconds, of a whole page; files have no such bound
    max_page_size: int = field(default=64 << 20, validator=ge(1))  # bytes of an upstream's page, unpacked
    allow_private_upstreams: tuple[str, ...] = field(  # networks, CIDR; addresses elsewhere have to be public
        default=(), converter=tuple, validator=deep_iterable(_check_network)
    )
    upstream_proxy: str = ""  # URL of a proxy for all upstreams, "" = none
    upstream_ca_file: str = ""  # certificates that are trusted besides the system's, "" = none
    mirror_cache_size: int = field(default=0, validator=ge(0))  # bytes of fetched files that are kept; 0 = all
    durability_timeout_s: float = field(default=30.0, validator=gt(0))  # seconds that a write waits for voters
    page_cache: int = field(default=16 << 20, validator=ge(0))  # bytes of rendered pages in each worker's memory
    file_cache: int = field(default=8 << 20, validator=ge(0))  # bytes of small files in each worker's memory

    @property
    def layout(self) -> Layout:
        """Where things lie."""
        return Layout(self.serverdir)

    @property
    def worker_count(self) -> int:
        """How many workers to start."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def private_upstreams(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Networks beyond the public ones in which upstreams may be."""
        return tuple(map(ip_network, self.allow_private_upstreams))

    @property
    def trusted_proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Networks of front servers."""
        return tuple(map(ip_network, self.trusted_proxy))
