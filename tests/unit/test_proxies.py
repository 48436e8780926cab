"""Who asks, by what front servers say."""

from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from server.proxies import OUTSIDE, SENDER, Proxies

NO_READER: Any = None  # no token is shown
TRUSTED = (ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"), ip_network("::1/128"))
CLIENT, OTHER = "198.51.100.7", "203.0.113.9"


def seen(
    *headers: tuple[str, str], peer: str = "127.0.0.1", path: str = "/a/b", outside_url: str = ""
) -> web.BaseRequest:
    request = make_mocked_request("GET", path, CIMultiDict(headers)).clone(remote=peer)
    return Proxies(TRUSTED, outside_url, NO_READER).seen(request)


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ((), "127.0.0.1"),
        ((("X-Forwarded-For", CLIENT),), CLIENT),
        ((("X-Forwarded-For", f"{OTHER}, {CLIENT}, 10.1.2.3"),), CLIENT),
        ((("X-Forwarded-For", OTHER), ("X-Forwarded-For", CLIENT)), CLIENT),
        ((("X-Forwarded-For", f"{CLIENT}, made up"),), "127.0.0.1"),
        ((("X-Forwarded-For", "10.1.2.3"),), "127.0.0.1"),
        ((("X-Forwarded-For", "2001:db8::1, ::ffff:10.1.0.1"),), "2001:db8::1"),
        ((("X-Real-IP", CLIENT),), CLIENT),
        ((("X-Real-IP", CLIENT), ("X-Forwarded-For", OTHER)), CLIENT),
        ((("X-Real-IP", ""),), "127.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_no_front_server_has(
    headers: tuple[tuple[str, str], ...], address: str
) -> None:
    assert seen(*headers).remote == address


@pytest.mark.parametrize("peer", [CLIENT, "10.2.0.1", "::2", "", "unix"])
def test_nothing_is_believed_of_others(peer: str) -> None:
    told = (("X-Forwarded-For", OTHER), ("X-Outside-Url", "https://a.example"), ("X-Forwarded-Proto", "https"))
    request = seen(*told, peer=peer)
    assert (request.remote, request.scheme) == (peer, "http")
    assert OUTSIDE not in request


def test_only_a_front_server_that_is_trusted_sends_files() -> None:
    sends = ("X-Sendfile-Type", "X-Accel-Redirect")
    assert seen(sends).get(SENDER) == "X-Accel-Redirect"
    assert seen(sends, ("X-Real-IP", CLIENT)).get(SENDER) == "X-Accel-Redirect"
    assert not seen(sends, peer=CLIENT).get(SENDER)
    assert not seen(sends, peer=CLIENT, outside_url="https://a.example/at/").get(SENDER)


@pytest.mark.parametrize(
    ("path", "rest"),
    [("/at/x", "/x"), ("/at", "/"), ("/at?q=1", "/?q=1"), ("/at/", "/"), ("/attic", "/attic"), ("/x/at/y", "/x/at/y")],
)
def test_the_prefix_of_the_outside_url_is_taken_off_the_path(path: str, rest: str) -> None:
    assert seen(path=path, outside_url="https://a.example/at/").raw_path == rest
