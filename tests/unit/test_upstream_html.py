"""What the HTML form of an upstream's pages says (PEP 503, 592, 629, 658, 714, 792), and what listings say."""

import io

import pytest

from changelog.names import FileName, IndexName, Sha256, Version
from changelog.views.page import ListedProject, PageFile, ProjectPage, Status
from server.render import simple_html, simple_json
from server.upstream.page import InvalidPage
from server.upstream.read_page import read_list
from tests.upstream_pages import DEMO, HTML, JSON, SHA256, URL, WHEEL, only, read_bytes, read_html

AUTOINDEX = """<html>
<head><title>Index of /simple/demo-project/</title></head>
<body>
<h1>Index of /simple/demo-project/</h1><hr><pre><a href="../">../</a>
<a href="old/">old/</a>                                       01-Jan-2020 00:00       -
<a href="demo-project-1.0.tar.gz">demo-project-1.0.tar.gz</a> 01-Jan-2020 00:00    1234
<a href="demo_project-1.0%2Bup.1-py3-none-any.whl">demo_project-1.0+up.1-py3-none-..&gt;</a> 01-Jan-2020 00:00  99
</pre><hr></body>
</html>
"""


def test_every_attribute_of_a_link_is_read() -> None:
    found = read_html(
        f"""<!DOCTYPE html><html><head>
        <meta name="pypi:repository-version" content="1.4">
        <META NAME="pypi:project-status" CONTENT="deprecated">
        <meta name="pypi:project-status-reason" content="use &lt;other&gt;">
        </head><body>
        <A HREF="../../files/{WHEEL}#sha256={SHA256}" data-requires-python="&gt;=3.8, &lt;4" data-yanked="a &amp; b"
           data-core-metadata="sha256={"cd" * 32}" data-dist-info-metadata="true"
           data-provenance="https://index.example/p">{WHEEL}</A><br/>
        </body></html><!--SERIAL 42-->"""
    )
    file = only(found)
    assert (found.status, found.reason, found.serial) == (Status.DEPRECATED, "use <other>", 42)
    assert (file.filename, file.version, file.url) == (WHEEL, "1.0", f"https://index.example/files/{WHEEL}")
    assert (file.sha256.hex(), file.hashes, file.requires_python) == (SHA256, (), ">=3.8, <4")
    assert (file.yanked, file.core_metadata) == ("a & b", bytes.fromhex("cd" * 32))
    assert (file.provenance, file.size, file.upload_time) == ("https://index.example/p", None, None)


def test_listings_of_web_servers_are_read() -> None:
    found = read_html(AUTOINDEX)
    assert [(file.filename, file.version, file.sha256) for file in found.files] == [
        ("demo-project-1.0.tar.gz", "1.0", b""),
        ("demo_project-1.0+up.1-py3-none-any.whl", "1.0+up.1", b""),
    ]
    assert found.files[1].url == URL + "demo_project-1.0%2Bup.1-py3-none-any.whl"
    assert (found.status, found.serial, found.left_out) == (Status.ACTIVE, None, ())


@pytest.mark.parametrize(
    "link",
    [
        *('<a name="x">', "<a>", "<a href>", '<a href="">', '<a href="#top">', '<a href="../">', '<a href="..">'),
        *('<a href="mailto:demo-project-1.0.zip">', '<a href="javascript:demo-project-1.0.zip">', '<a href="/">'),
        *('<a href="file:///demo-project-1.0.zip">', '<a href="C:\\demo-project-1.0.zip">', '<a href="?C=N;O=D">'),
        *('<a href="demo-project-1.0.zip.asc">', '<a href="x.whl.metadata">', '<a href="x.sig">', '<a href="a.txt">'),
        *('<link href="demo-project-1.0.zip">', '<!-- <a href="demo-project-1.0.zip"> -->', '<a href="x?a=b.zip">'),
        *("<script>\"<a href='demo-project-1.0.zip'>\"</script>", "<a href='demo-project-1.0.zip/'>"),
    ],
)
def test_links_that_are_no_files_are_passed_over(link: str) -> None:
    found = read_html(f'<html><a href="../">up</a>{link}x</a></html>')
    assert (found.files, found.left_out) == ((), ())


LOGIN = "<html><title>Sign in</title><form method=post><input type=password></form><a href='/reset/'>Reset</a></html>"


@pytest.mark.parametrize("text", [LOGIN, "<html><h1>Something went wrong</h1></html>", "<script>location='/'</script>"])
def test_a_page_in_place_of_a_simple_page_is_none(text: str) -> None:
    with pytest.raises(InvalidPage, match="not a simple page"):
        read_html(text)


def test_a_simple_page_may_list_nothing_and_have_a_form() -> None:
    assert read_html("<meta name='pypi:repository-version' content='1.0'><form></form>").files == ()
    assert only(read_html(f"<form></form><a href='{WHEEL}'>x</a>")).filename == WHEEL


@pytest.mark.parametrize(
    "href",
    [
        *("..%2fdemo-project-1.0.zip", "%2e%2e%5cdemo-project-1.0.zip", "demo-project-1.0%00.zip"),
        *("other-1.0.zip", "a b/demo-project-1.0.zip", "a\\demo-project-1.0.zip", "demo-project-1.0%0a.zip"),
        *("https://[/demo-project-1.0.zip", "x/" * 1_000 + "demo-project-1.0.zip", "demo-project-%ff.zip"),
        *(f"{WHEEL}#sha256=abc", f"{WHEEL}#sha256={'x' * 64}", f"{WHEEL}#SHA256=&sha256=1"),
    ],
)
def test_files_that_can_not_be_are_left_out_and_named(href: str) -> None:
    found = read_html(f'<a href="{href}">x</a>')
    assert not found.files
    (reason,) = found.left_out
    assert len(reason) < 400


@pytest.mark.parametrize(
    ("fragment", "sha256", "hashes"),
    [
        ("", "", ()),
        ("#", "", ()),
        ("#egg=demo-project", "", ()),
        ("#md5=" + "AB" * 16, "", (("md5", "ab" * 16),)),
        (f"#SHA256={SHA256.upper()}&egg=x&sha1={'cd' * 20}", SHA256, (("sha1", "cd" * 20),)),
    ],
)
def test_the_fragment_has_the_digests(fragment: str, sha256: str, hashes: object) -> None:
    file = only(read_html(f'<a href="{WHEEL}{fragment}">x</a>'))
    assert (file.sha256.hex(), file.hashes, file.url) == (sha256, hashes, URL + WHEEL)


@pytest.mark.parametrize(
    ("attributes", "core_metadata", "yanked"),
    [
        ("data-yanked", None, ""),
        ('data-yanked=""', None, ""),
        ("data-yanked='x' data-yanked='y'", None, "x"),
        ("data-core-metadata=true", b"", None),
        ("data-core-metadata=false data-dist-info-metadata=true", None, None),
        ("data-core-metadata", None, None),
        (f"data-dist-info-metadata=sha256={SHA256}", bytes.fromhex(SHA256), None),
        ("data-dist-info-metadata=md5=abcd", b"", None),
        ("data-dist-info-metadata=sha256=abcd", None, None),
    ],
)
def test_attributes_say_what_the_json_form_says(
    attributes: str, core_metadata: bytes | None, yanked: str | None
) -> None:
    file = only(read_html(f"<a href={WHEEL} {attributes}>x</a>"))
    assert (file.core_metadata, file.yanked) == (core_metadata, yanked)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://files.example/a/", "https://files.example/a/" + WHEEL),
        ("../files/", "https://index.example/simple/files/" + WHEEL),
        ("", URL + WHEEL),
        ("file:///a/", URL + WHEEL),
        ("https://files.example/a/'><base href='https://other.example/", "https://files.example/a/" + WHEEL),
    ],
)
def test_links_are_relative_to_the_first_base(base: str, url: str) -> None:
    assert only(read_html(f"<base href='{base}'><a href=' {WHEEL}\n'>x</a>")).url == url


def test_the_charset_of_the_type_is_respected() -> None:
    text = f'<a href="{WHEEL}" data-yanked="\u00e9">x</a>'
    for charset in ("utf-8", "UTF8", "latin-1", '"utf-16"', "windows-1252"):
        body = text.encode(charset.strip('"'))
        assert only(read_bytes(body, f"text/html; a=b; charset={charset}")).yanked == "\u00e9"
    assert only(read_bytes(text.encode("latin-1"), "text/html")).yanked == "\ufffd"
    assert only(read_bytes(text.encode("utf-8-sig"), "")).yanked == "\u00e9"


@pytest.mark.parametrize("charset", ["zlib", "idna", "rot13", "unknown", "utf-7", "../x", "hex"])
def test_another_charset_is_refused(charset: str) -> None:
    with pytest.raises(InvalidPage, match="charset"):
        read_bytes(b"<html>", f"text/html;charset={charset}")


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "no tag", '{"files": []}', "<", "</a>", "<!-- x -->", '<a href="x', "<html><!-- x", "<html><a"),
        *('<meta name="pypi:repository-version" content="2.0">', '<meta name="pypi:repository-version">'),
        *("<html><![x[y]]>", f"<html>&#{'9' * 5_000};</html>"),
    ],
)
def test_what_is_no_html_page_is_refused(text: str) -> None:
    with pytest.raises(InvalidPage) as refused:
        read_html(text)
    assert 10 < len(str(refused.value)) < 400


def test_a_script_of_any_size_is_passed_over() -> None:
    script = "if (a<b) { x('</b>'); } " * 20_000
    assert only(read_html(f"<html><script>{script}</script  ><a href='{WHEEL}'>x</a>")).filename == WHEEL


def test_a_long_text_is_passed_over() -> None:
    assert only(read_html("<p>" + "a&amp" * 100_000 + f"<a href='{WHEEL}'>x</a>")).filename == WHEEL


def test_the_names_of_a_list_are_those_of_its_links() -> None:
    text = (
        "<a href='../'>..</a><a href='/simple/A_b/'>x</a><a href='c#x'>c</a><a href='mailto:d'>d</a><a href='-/'>-</a>"
    )
    assert list(read_list(io.BytesIO(text.encode()), HTML)) == ["a-b", "c"]


def test_a_list_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidPage, match="version 1"):
        list(read_list(io.BytesIO(b'<meta name="pypi:repository-version" content="2.0">'), HTML))


def _own_page() -> ProjectPage:
    file = PageFile(
        filename=FileName("demo_project-1.0+up.1-py3-none-any.whl"),
        index=IndexName("alice/dev"),
        version=Version("1.0+up.1"),
        sha256=Sha256(b"\xab" * 32),
        size=5,
        upload_time=1_000_001,
        requires_python=">=3.8,<4",
        yanked='"a" <b>',
        core_metadata=Sha256(b"\xcd" * 32),
    )
    return ProjectPage(file.index, DEMO, [file], [file.version], Status.ARCHIVED, "a & b", 9)


def test_both_forms_of_our_own_pages_are_read() -> None:
    url, page = "https://index.example/alice/dev/+simple/demo-project/", _own_page()
    from_html = read_bytes("".join(simple_html.project_page(page)).encode(), HTML, url=url)
    from_json = read_bytes("".join(simple_json.project_page(page)).encode(), JSON, url=url)
    for found in (from_html, from_json):
        file = only(found)
        assert (found.status, found.reason, found.serial) == (Status.ARCHIVED, "a & b", 9)
        assert file.url == "https://index.example/alice/dev/" + page.files[0].path.replace("1.0+", "1.0%2B")
        for name in ("filename", "version", "sha256", "requires_python", "yanked", "core_metadata"):
            assert getattr(file, name) == getattr(page.files[0], name)
    assert (only(from_json).size, only(from_json).upload_time) == (5, 1_000_001)


def test_both_forms_of_our_own_list_are_read() -> None:
    listed = [ListedProject(DEMO, 9)]
    for pieces, kind in (
        (simple_html.project_list(IndexName("alice/dev"), listed, 9), HTML),
        (simple_json.project_list(listed, 9), JSON),
    ):
        assert list(read_list(io.BytesIO("".join(pieces).encode()), kind)) == [DEMO]
