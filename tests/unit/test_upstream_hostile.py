"""Upstreams that send anything: a page is refused, and never costs more than its bounds."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, repeat

import pytest

from server.upstream import events, pieces, read_json
from server.upstream.page import MAX_FILES, InvalidPage
from server.upstream.read_page import read_list, read_page
from tests.upstream_pages import DEMO, HTML, JSON, URL, item, lazily, page, read_bytes, read_html

MIB = 1 << 20
LINKS = 1_000_000
HEAD = '{"meta":{"api-version":"1.4"},"name":"demo-project","files":['


def _json_links(count: int) -> Iterator[str]:
    yield HEAD
    for number in range(count):
        name, digest = f"demo_project-{number}-py3-none-any.whl", f"{number:064x}"
        yield f'{{"filename":"{name}","url":"https://files.example/{digest}/{name}","hashes":{{"sha256":"{digest}"}}}},'
    yield "{}]}"


def _html_links(count: int) -> Iterator[str]:
    for number in range(count):
        name, digest = f"demo_project-{number}-py3-none-any.whl", f"{number:064x}"
        yield f'<a href="https://files.example/{digest}/{name}#sha256={digest}">{name}</a><br>\n'


LINKS_OF = {"json": (_json_links, JSON), "html": (_html_links, HTML)}

_MEASURED = """
import resource, sys
sys.path.insert(0, "")
from tests.unit import test_upstream_hostile as hostile
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(hostile.refused(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def refused(form: str) -> str:
    """Return why a page of a million links in that form is refused; also for the process that is measured."""
    links, content_type = LINKS_OF[form]
    try:
        read_page(lazily(links(LINKS)), content_type, URL, DEMO)
    except InvalidPage as error:
        return str(error)
    return ""


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_page_of_a_million_links_is_refused_within_300_mb(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", _MEASURED, form], capture_output=True, text=True, check=True)
    reason, kib = done.stdout.splitlines()
    assert str(MAX_FILES) in reason
    assert int(kib) < 300 << 10


def test_files_that_are_left_out_count_too() -> None:
    with pytest.raises(InvalidPage, match=str(MAX_FILES)):
        read_bytes((HEAD + "1," * (MAX_FILES + 1) + "1]}").encode(), JSON)


@pytest.mark.parametrize("pad", ["", " " * (5 * MIB // 2) + "\n"])
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_json_nested_too_deep_is_refused(opening: str, pad: str) -> None:
    for start in ("", '{"a":', '{"files":', '{"files":[', '{"files":[{"hashes":', '{"files":[],"meta":'):
        with pytest.raises(InvalidPage):
            read_bytes((pad + start + opening * 500_000).encode(), JSON)


@pytest.mark.parametrize("depth", [events.MAX_DEPTH + 10, 5_000])
def test_well_formed_json_nested_too_deep_is_refused(depth: int) -> None:
    body = json.dumps(page(item())).replace('"meta"', '"x":' + "[" * depth + "]" * depth + ',"meta"').encode()
    with pytest.raises(InvalidPage, match="deep"):
        read_json.read_project(iter([body + b" " * read_json.SMALL]), URL, DEMO)


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "Infinity", "-Infinity", "9" * 5_000, "-" + "9" * 5_000, "1e" + "9" * 30, '"' + "\\udc00" + '"'),
        *('"\x01"', '"\\x"', "01", "+1", ".5", "'x'", "\v1", "\f1", "1 1", "/**/1"),
    ],
)
@pytest.mark.parametrize("small", [0, read_json.SMALL])
def test_values_that_json_does_not_have_are_refused(value: str, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_json, "SMALL", small)
    for template in ('{"name":"demo-project","files":[{"size":%s}]}', '{"x":%s,"name":"demo-project","files":[]}'):
        with pytest.raises(InvalidPage):
            read_bytes((template % value).encode(), JSON)


@pytest.mark.parametrize("cut", [1, 10, 50, -1])
def test_truncated_json_is_refused(cut: int) -> None:
    body = json.dumps(page(item())).encode()
    with pytest.raises(InvalidPage, match="not JSON"):
        read_bytes(body[:cut], JSON)
    with pytest.raises(InvalidPage, match="not JSON"):
        read_bytes(body[:-1] + b" " * read_json.SMALL, JSON)


def test_no_half_of_a_surrogate_pair_comes_through() -> None:
    for text in ("\ud83d", "\ud83dx", "x\ud83d\ud83d"):
        (file,) = read_bytes(json.dumps(page(item(yanked=text))).encode(), JSON).files
        assert (file.yanked or "").encode()
    (file,) = read_bytes(json.dumps(page(item(yanked="\U0001f600"))).encode(), JSON).files
    assert file.yanked == "\U0001f600"


def test_bytes_that_are_no_utf8_are_refused_in_json() -> None:
    for body in (b'{"files":["\xff"]}', b'{"\xed\xa0\x80":1}', json.dumps(page()).encode("utf-16")):
        with pytest.raises(InvalidPage):
            read_bytes(body, JSON)


def test_a_text_without_end_is_refused_before_it_is_all_read() -> None:
    parts = iter(['{"x":"', *["x" * (MIB >> 7)] * 5_000])
    with pytest.raises(InvalidPage, match="4 MiB"):
        read_page(lazily(parts), JSON, URL, DEMO)
    assert next(parts)


@pytest.mark.parametrize(("start", "more", "content_type"), [('{"x":[1', ",1,[1]", JSON), ("<a>", "<b>x</b>\n", HTML)])
def test_a_body_without_end_is_refused(
    start: str, more: str, content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "MAX_BODY", MIB)
    with pytest.raises(InvalidPage, match="bytes"):
        read_page(lazily(chain([start], repeat(more))), content_type, URL, DEMO)


def test_more_versions_than_files_may_be_are_refused() -> None:
    body = json.dumps(page(versions=["1"] * (MAX_FILES + 1))).encode()
    for padding in (0, read_json.SMALL):
        with pytest.raises(InvalidPage, match=str(MAX_FILES)):
            read_bytes(body + b" " * padding, JSON)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<",
            "<a",
            "<a ",
            "<a x='",
            '<a "',
            "<a x=",
            "<a/",
            "<!",
            "<!-",
            "<!--",
            "<!--x--",
            "<?",
            "</",
            "</a",
            "<a\n",
        ),
        *("&", "&#", "&#x", "&a", "<a x=''", "<script>", "<script></", "<![CDATA[", "<a x='&'>", "a", "<a b>", "<a='"),
        *("<title>", "<textarea><", "<style>", "<plaintext>", "<p =", "\x00<", "<a\x00", "'\">", "<!-->", "--!>"),
    ],
)
def test_html_takes_time_in_proportion_to_its_size(piece: str) -> None:
    started = time.process_time()
    with suppress(InvalidPage):
        read_html("<html>" + piece * (MIB // len(piece)))
    assert time.process_time() - started < 8


def test_a_tag_without_end_is_refused_before_it_is_all_read() -> None:
    parts = iter(["<html><a x='", *["x" * (MIB >> 7)] * 5_000])
    with pytest.raises(InvalidPage, match="a tag of more"):
        read_page(lazily(parts), HTML, URL, DEMO)
    assert next(parts)


def test_lists_are_read_as_they_come() -> None:
    for parts, content_type in (
        (chain(['{"projects":['], (f'{{"name":"p{number}"}},' for number in range(LINKS))), JSON),
        ((f'<a href="p{number}/">p</a>' for number in range(LINKS)), HTML),
    ):
        names = read_list(lazily(parts), content_type)
        assert [next(names) for _ in range(3)] == ["p0", "p1", "p2"]
        assert next(parts)


def test_a_body_that_comes_in_single_bytes_is_read() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(1, size or 0))

    body = json.dumps(page(item())).encode()
    assert len(read_page(Slow(body), JSON, URL, DEMO).files) == 1


@pytest.mark.parametrize(
    "url", ["https://al:secret@h.example:x/a", "//al:secret@[/", "https://h.example/ x?key=secret"]
)
def test_reasons_for_the_log_have_no_credentials(url: str) -> None:
    found = read_bytes(json.dumps(page(item(url=url))).encode(), JSON)
    (reason,) = found.left_out
    assert "secret" not in reason
