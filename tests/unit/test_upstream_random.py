"""Whatever an upstream sends, a page is refused or has only fields that keep their rules."""

import io
import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog import names
from changelog.views.page import Status
from server.upstream import read_json
from server.upstream.files import FIELDS
from server.upstream.page import InvalidPage, UpstreamFile, UpstreamPage
from server.upstream.read_page import read_list, read_page
from tests.upstream_pages import DEMO, HTML, JSON, SHA256, URL, WHEEL, item, page

TYPES = st.sampled_from([JSON, HTML, "", "text/html; charset=utf-16", "application/json"])

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(exclude_categories=()), max_size=5),  # with surrogates
    st.sampled_from([WHEEL, "demo-project-1.0.tar.gz", "demo-project-2-py3.egg", "../x", "https://h/x", SHA256, "1.0"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just({"sha256": SHA256})),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*sorted(FIELDS), "x"])
ITEMS = st.one_of(
    VALUES,
    st.builds(lambda more: {**item(), **more}, st.dictionaries(KEYS, VALUES, max_size=3)),
    st.builds(lambda name: item(f"demo-project-{name}.zip"), st.text("0123456789.abrc-+", max_size=6)),
)
TOPS = st.dictionaries(
    st.sampled_from(["meta", "name", "versions", "project-status", "files", "x"]), VALUES, max_size=2
)
PAGES = st.builds(lambda items, top: {**page(*items), **top}, st.lists(ITEMS, max_size=5), TOPS)

LINKS = st.builds(
    lambda href, name, value: f'<a href="{href}" {name}="{value}">',
    st.one_of(TEXTS, TEXTS.map(lambda text: f"{WHEEL}#{text}"), st.just(f"{WHEEL}#sha256={SHA256}")),
    st.sampled_from(["data-yanked", "data-core-metadata", "data-requires-python", "data-provenance", "x"]),
    TEXTS,
)
MARKUP = st.lists(
    st.one_of(
        LINKS,
        TEXTS,
        st.sampled_from(
            ["<base href='", "'>", "<!--SERIAL 1-->", "<!--", "<script>", "<![if", "<meta name=", "&#1;", "</a>"]
        ),
    ),
    max_size=12,
).map("".join)


def _read(body: bytes, content_type: str) -> UpstreamPage | None:
    try:
        found = read_page(io.BytesIO(body), content_type, URL, DEMO)
    except InvalidPage:
        return None
    _check(found)
    return found


def _check(found: UpstreamPage) -> None:
    assert len({file.filename for file in found.files}) == len(found.files)
    assert found.status in Status
    assert len(found.reason.encode()) <= 4_000
    assert found.serial is None or 0 <= found.serial < 1 << 63
    assert len(found.left_out) <= 20
    assert all(len(reason) < 3_000 for reason in found.left_out)
    for file in found.files:
        _check_file(file)


def _check_file(file: UpstreamFile) -> None:
    assert names.file_name(file.filename) == file.filename
    assert names.version(file.version) == file.version
    assert re.fullmatch(r"https?://[^\s\\#\x00-\x20]{1,2000}", file.url)
    assert len(file.sha256) in {0, 32}
    assert list(file.hashes) == sorted(file.hashes)
    assert all(re.fullmatch(r"[a-z0-9_]+ [0-9a-f]+", f"{name} {text}") for name, text in file.hashes)
    assert file.size is None or 0 <= file.size < 1 << 63
    assert file.upload_time is None or file.upload_time >= 0
    assert len(file.requires_python) <= 1_000
    assert not re.search(r"[\x00-\x1f]", file.requires_python)
    assert file.core_metadata is None or len(file.core_metadata) in {0, 32}
    assert not file.provenance or file.provenance.startswith(("http://", "https://"))
    assert (file.url + file.requires_python + (file.yanked or "") + file.provenance).encode()


def _both_ways(body: bytes) -> tuple[UpstreamPage | None, UpstreamPage | None]:
    with pytest.MonkeyPatch.context() as patch:
        at_once = _read(body, JSON)
        patch.setattr(read_json, "SMALL", -1)
        return at_once, _read(body, JSON)


@given(st.binary(max_size=200), TYPES)
def test_any_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    _read(body, content_type)
    with suppress(InvalidPage):
        assert all(names.project_name(name) == name for name in read_list(io.BytesIO(body), content_type))


@given(PAGES)
def test_small_and_large_json_pages_read_the_same(said: dict[str, object]) -> None:
    at_once, by_events = _both_ways(json.dumps(said).encode())
    assert at_once == by_events


def test_pages_of_many_pieces_read_the_same() -> None:
    said = page(*(item(f"demo-project-1.{number}.zip", size=number, yanked="x" * number) for number in range(999)))
    at_once, by_events = _both_ways(json.dumps(said).encode())
    assert at_once == by_events
    assert at_once is not None
    assert len(at_once.files) == 999


@given(PAGES, st.integers(0), st.binary(max_size=3), st.integers(0, 5))
def test_mutated_json_pages_read_the_same(said: dict[str, object], at: int, put: bytes, skip: int) -> None:
    body = json.dumps(said, ensure_ascii=False).encode(errors="surrogatepass")
    at %= len(body)
    at_once, by_events = _both_ways(body[:at] + put + body[at + skip :])
    assert at_once == by_events


@given(PAGES, PAGES)
def test_of_equal_keys_the_last_counts_in_both(first: dict[str, object], second: dict[str, object]) -> None:
    body = json.dumps(first)[:-1] + "," + json.dumps(second)[1:]
    at_once, by_events = _both_ways(body.encode())
    assert at_once == by_events


@given(MARKUP, TYPES)
def test_any_markup_is_read_or_refused(text: str, content_type: str) -> None:
    _read(text.encode(errors="surrogatepass"), content_type)
    _read(("<html>" + text).encode(errors="surrogatepass"), HTML)
