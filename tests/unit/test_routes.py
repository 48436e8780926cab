"""Paths and the handlers that answer them."""

import pytest

from server.requests import path_segments
from server.routes import ROUTES, shape


@pytest.mark.parametrize("form", ROUTES)
def test_a_slash_at_the_end_makes_no_difference_to_what_answers(form: str) -> None:
    path = "/" + "/".join("a" if part == "*" else part for part in form.split("/"))
    found = [shape(path_segments(path + end)[0]) for end in ("", "/", "?x=1", "/?x=1")]
    assert found == [form] * 4
