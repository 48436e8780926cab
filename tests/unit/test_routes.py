"""Paths and the handlers that answer them."""

import pytest
from aiohttp.test_utils import make_mocked_request

from server.requests import path_segments
from server.routes import ROUTES, is_own, shape


@pytest.mark.parametrize("form", ROUTES)
def test_a_slash_at_the_end_makes_no_difference_to_what_answers(form: str) -> None:
    path = "/" + "/".join("a" if part == "*" else part for part in form.split("/"))
    found = [shape(path_segments(path + end)[0]) for end in ("", "/", "?x=1", "/?x=1")]
    assert found == [form] * 4


@pytest.mark.parametrize(
    ("method", "path", "kind", "own"),
    [
        ("GET", "/a/b/c", "", True),
        ("POST", "/a/b", "text/xml", True),
        ("POST", "/a/b/", "text/xml; charset=utf-8", True),
        ("POST", "/a/b", "application/json", False),
        ("POST", "/+login", "text/xml", False),
        ("POST", "/a/+tokens", "text/xml", False),
        ("POST", "/a/b/+f/abc/def/c", "text/xml", False),
        ("DELETE", "/a/b", "text/xml", False),
        ("PUT", "/a/b", "text/xml", False),
        ("POST", "/+promise", "", True),
    ],
)
def test_a_replica_hands_on_what_is_no_read(method: str, path: str, kind: str, *, own: bool) -> None:
    assert is_own(make_mocked_request(method, path, {"Content-Type": kind})) is own
