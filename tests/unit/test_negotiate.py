from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import NotAcceptable
from server.render.negotiate import Form, accepts_gzip, choose

JSON = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize("accept", [None, "", " ", ",", " ,", "*/*", "*", "text/*", "*/*;q=0.1"])
def test_who_names_no_form_gets_text_html(accept: str | None) -> None:
    assert choose(accept) is Form.HTML


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{JSON}, {HTML_V1}; q=0.1, text/html; q=0.01", Form.JSON),  # pip
        (f"{JSON}, {HTML_V1};q=0.2, text/html;q=0.01", Form.JSON),  # uv, poetry
        (BROWSER, Form.HTML),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", Form.HTML),  # old Java
        ("text/html", Form.HTML),
        ("text/html;charset=utf-8", Form.HTML),
        ('text/html; charset="UTF-8"', Form.HTML),
        (HTML_V1, Form.HTML_V1),
        (JSON.upper(), Form.JSON),
        ("application/*", Form.JSON),
    ],
)
def test_clients_get_the_form_they_expect(accept: str, form: Form) -> None:
    assert choose(accept) is form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/vnd.pypi.simple.latest+json", Form.JSON),
        ("application/vnd.pypi.simple.latest+html", Form.HTML_V1),
    ],
)
def test_latest_is_answered_with_the_concrete_type(accept: str, form: Form) -> None:
    assert choose(accept).content_type == form.content_type
    assert "latest" not in form.content_type


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"text/html, {HTML_V1}, {JSON}", Form.JSON),
        (f"text/html, {HTML_V1}", Form.HTML_V1),
        (f"*/*, {JSON}", Form.JSON),
        (f"{JSON}, text/*", Form.JSON),
        ("*/*, application/*", Form.JSON),
    ],
)
def test_equal_quality_prefers_the_named_form_and_then_json(accept: str, form: Form) -> None:
    assert choose(accept) is form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{JSON};q=0.5, text/html;q=0.6", Form.HTML),
        (f"*/*, {JSON};q=0.1", Form.HTML),
        ("*/*, text/html;q=0", Form.JSON),
        (f"application/*;q=0.9, {JSON};q=0, text/html;q=0.1", Form.HTML_V1),
        ("text/html;level=1, */*;q=0.1", Form.HTML),
        (f"text/html;q=0.4, text/html;charset=utf-8;q=0.1, {JSON};q=0.2", Form.JSON),
    ],
)
def test_the_most_specific_range_decides_the_quality(accept: str, form: Form) -> None:
    assert choose(accept) is form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (f"{JSON};q=2, text/html;q=.9", Form.JSON),  # clamped to 1
        (f"{JSON};q=-1, text/html;q=0.1", Form.HTML),  # clamped to 0
        (f"{JSON};q=.2, text/html;q=.3", Form.HTML),  # no leading zero
        (f"{JSON};q=1., text/html;q=0.99999", Form.JSON),  # too many digits
        (f"{JSON};q=high, text/html;q=0.9", Form.JSON),  # unreadable: as if not given
        (f"{JSON};Q = 0.1, text/html ; q= 0.2", Form.HTML),
        (f"{JSON};;q=0.1;ext=1, text/html;q=0.2", Form.HTML),
        (f"{JSON};q=nan, text/html;q=inf", Form.JSON),
    ],
)
def test_a_malformed_quality_is_tolerated(accept: str, form: Form) -> None:
    assert choose(accept) is form


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "nonsense",
        "image/*",
        "application/vnd.pypi.simple.v2+json",
        "application/vnd.pypi.simple.v1",
        f"{JSON};q=0",
        "*/*;q=0",
        "text_html",
        "text/html;level=1",
        f'image/x;a=", {JSON}, "',  # inside a quoted string
        "/*",
    ],
)
def test_nothing_acceptable_is_refused_with_what_was_asked(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose(accept)
    assert ascii(accept) in str(caught.value)


def test_a_refusal_is_plain_ascii() -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose("image/\u2028\r\nX: y")
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)


def test_a_long_refused_header_is_not_repeated_whole() -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose("image/png," * 800)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("parameter", "form"),
    [
        (JSON, Form.JSON),
        ("application/vnd.pypi.simple.v1 json", Form.JSON),  # its + was decoded as a space
        ("application/vnd.pypi.simple.latest html", Form.HTML_V1),
        ("text/html", Form.HTML),
    ],
)
def test_the_format_parameter_wins_over_accept(parameter: str, form: Form) -> None:
    assert choose("image/png", parameter) is form


@pytest.mark.parametrize("parameter", ["", "json", "*/*", "text/html;q=1", f"{JSON},text/html"])
def test_the_format_parameter_is_one_whole_type(parameter: str) -> None:
    with pytest.raises(NotAcceptable):
        choose(JSON, parameter)


def test_content_types_are_media_types() -> None:
    assert [form.content_type for form in Form] == [JSON, HTML_V1, "text/html; charset=utf-8"]


RANGES = ["*/*", "text/*", "application/*", "text/html", JSON, HTML_V1, "image/png", "a/*"]
QUALITIES = ["", ";q=0", ";q=0.5", "; q=0.25", ";q=1.000", ";q=0.001"]


def naive_choice(ranges: list[tuple[str, str]]) -> Form | None:
    """Read the RFC and PEP 691 form by form, with no thought of speed."""
    scores = []
    for form in Form:
        for pattern in (form.value, form.value.split("/")[0] + "/*", "*/*"):
            found = [float(q.partition("=")[2] or 1) for name, q in ranges if name == pattern]
            if found:
                kind = (form.value, "*/*").index(pattern) if pattern in (form.value, "*/*") else 0.5
                order = [Form.JSON, Form.HTML_V1, Form.HTML]
                if kind:
                    order = [Form.HTML, Form.JSON, Form.HTML_V1]
                scores.append((max(found), -kind, -order.index(form), form))
                break
    if not scores or max(scores)[0] == 0:
        return None
    return max(scores)[3]


@given(st.lists(st.tuples(st.sampled_from(RANGES), st.sampled_from(QUALITIES)), min_size=1, max_size=8))
def test_it_agrees_with_a_naive_reading(ranges: list[tuple[str, str]]) -> None:
    accept = ", ".join(name + quality for name, quality in ranges)
    expected = naive_choice(ranges)
    if expected is None:
        with pytest.raises(NotAcceptable):
            choose(accept)
    else:
        assert choose(accept) is expected


@given(st.one_of(st.text(), st.text(alphabet='*/;,="\\q01. texhml')))
def test_any_header_is_answered_or_refused(header: str) -> None:
    accepts_gzip(header)
    with suppress(NotAcceptable):
        assert choose(header) in Form


@pytest.mark.parametrize("unit", [",", '"', '"\\', ";", ";q=", "*/*,", '";', "text/html;a=\\"])
def test_a_hostile_header_takes_linear_time(unit: str) -> None:
    header = unit * 200_000  # at quadratic cost this would run for many minutes
    accepts_gzip(header)
    with suppress(NotAcceptable):
        choose(header)


@pytest.mark.parametrize(
    "header",
    [
        "gzip",
        "GZIP",
        "x-gzip",
        "gzip, deflate, br",
        "*",
        "gzip;q=0.5",
        "br;q=1, gzip;q=0.1",
        "identity, gzip",
        "gzip;q=0.5, identity;q=0.5",
        "identity;q=0, *",
        "*;q=0, gzip",
    ],
)
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip; q=0.000",
        "*, gzip;q=0",
        "*;q=0",
        "gzipped",
        "gzip;q=0.5, identity",
        "*;q=0.1, identity;q=0.2",
        "identity;q=0",
    ],
)
def test_gzip_is_not_accepted(header: str | None) -> None:
    assert not accepts_gzip(header)
