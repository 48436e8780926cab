"""``+simple``: negotiation, redirects, the two forms, bases, status, conditions."""

import gzip
import json
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import requests

from tests.http.accounts import make_index
from tests.http.client import Client, Dist, raw, sdist, wheel

V1_JSON = "application/vnd.pypi.simple.v1+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
HTML = "text/html"
PIP = f"{V1_JSON}, {V1_HTML}; q=0.1, text/html; q=0.01"
INSTALLERS = ("pip/25.0", "uv/0.13", "setuptools/80", "distribute/0.7", "pex/2")


class Anchors(HTMLParser):
    """The links of a page with their attributes and texts, and its meta elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.meta: dict[str | None, str | None] = {}
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.anchors.append({**found, "text": ""})
            self._inside = True
        elif tag == "meta":
            self.meta[found.get("name")] = found.get("content")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.anchors[-1]["text"] = f"{self.anchors[-1]['text']}{data}"


@pytest.fixture
def filled(owner: Client, index: str) -> str:
    """A volatile index with a wheel and an sdist of demo 1.0."""
    for dist in (wheel(), sdist()):
        assert owner.upload(index, dist).status_code == 200
    return index


def page(client: Client, index: str, project: str = "demo") -> dict[str, object]:
    answer = client.get(f"{index}/+simple/{project}/", V1_JSON)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


def urls(client: Client, index: str, project: str = "demo") -> dict[str, str]:
    """Return the absolute URLs of the files on a page."""
    answer = client.get(f"{index}/+simple/{project}/", V1_JSON)
    return {file["filename"]: urljoin(answer.url, file["url"]) for file in answer.json()["files"]}


NEGOTIATED = [
    ("", HTML),
    ("*/*", HTML),
    ("text/*", HTML),
    (HTML, HTML),
    (V1_JSON, V1_JSON),
    (V1_HTML, V1_HTML),
    (PIP, V1_JSON),
    ("application/vnd.pypi.simple.latest+json", V1_JSON),
    ("application/vnd.pypi.simple.latest+html", V1_HTML),
    (f"{V1_JSON};q=0.1, {HTML}", HTML),
    (f"{V1_JSON};q=0, */*", HTML),
    (f"{HTML};q=0, */*", V1_JSON),
    (f"{V1_JSON.upper()}", V1_JSON),
]


@pytest.mark.parametrize("path", ["+simple/", "+simple/demo/"])
@pytest.mark.parametrize(("accept", "kind"), NEGOTIATED)
def test_the_form_is_the_one_that_is_preferred(
    owner: Client, nobody: Client, path: str, accept: str, kind: str
) -> None:
    owner.upload(f"{owner.user}/shared", wheel()) if owner.put(f"{owner.user}/shared", {}).ok else None
    answer = nobody.get(f"{owner.user}/shared/{path}", accept)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == kind
    assert {"Accept", "Accept-Encoding"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize("path", ["+simple/", "+simple/demo/"])
@pytest.mark.parametrize(
    "accept", ["image/png", "application/json", f"{HTML};q=0", "application/vnd.pypi.simple.v2+json"]
)
def test_a_form_that_is_not_made_is_406(nobody: Client, filled: str, path: str, accept: str) -> None:
    assert nobody.get(f"{filled}/{path}", accept).status_code == 406


@pytest.mark.parametrize("kind", [V1_JSON, V1_HTML, HTML])
def test_the_format_parameter_wins_over_accept(nobody: Client, filled: str, kind: str) -> None:
    for spelled in (kind, kind.replace("+", "%2B"), kind.replace("/", "%2F")):
        answer = nobody.get(f"{filled}/+simple/demo/?format={spelled}", "image/png")
        assert answer.headers["Content-Type"].partition(";")[0] == kind


def test_an_unknown_format_is_406(nobody: Client, filled: str) -> None:
    assert nobody.get(f"{filled}/+simple/demo/?format=text/plain", HTML).status_code == 406


def test_a_json_page_has_all_fields_of_version_1_4(nobody: Client, filled: str) -> None:
    body = page(nobody, filled)
    assert body["name"] == "demo"
    assert body["versions"] == ["1.0"]
    assert body["project-status"] == {"status": "active"}
    assert body["meta"] == {"api-version": "1.4", "_last-serial": nobody.serial()}
    files = {file["filename"]: file for file in body["files"]}  # type: ignore[attr-defined] # JSON
    found = files[wheel().filename]
    assert found["hashes"] == {"sha256": wheel().sha256}
    assert found["size"] == len(wheel().content)
    assert found["requires-python"] == ">=3.9"
    assert found["yanked"] is False
    assert found["upload-time"].endswith("Z")
    assert found["core-metadata"]["sha256"]


def test_json_and_html_say_the_same(nobody: Client, filled: str) -> None:
    html = Anchors(nobody.get(f"{filled}/+simple/demo/", HTML).text)
    files = page(nobody, filled)["files"]
    assert html.meta["pypi:repository-version"] == "1.4"
    assert [anchor["text"] for anchor in html.anchors] == [file["filename"] for file in files]  # type: ignore[attr-defined] # JSON
    for anchor, file in zip(html.anchors, files, strict=True):  # type: ignore[call-overload] # JSON
        url, fragment = urldefrag(anchor["href"] or "")
        assert url == file["url"]
        assert fragment == f"sha256={file['hashes']['sha256']}"
        assert anchor.get("data-requires-python") == file.get("requires-python")
        metadata = f"sha256={file['core-metadata']['sha256']}" if "core-metadata" in file else None
        assert anchor.get("data-core-metadata") == anchor.get("data-dist-info-metadata") == metadata


@pytest.mark.parametrize("kind", [V1_JSON, HTML])
def test_every_url_of_a_page_leads_to_its_file(nobody: Client, owner: Client, filled: str, kind: str) -> None:
    owner.upload(filled, wheel("demo", "2.0+local.1"))
    answer = nobody.get(f"{filled}/+simple/demo/", kind)
    if kind == HTML:
        found = {str(anchor["text"]): urldefrag(str(anchor["href"])).url for anchor in Anchors(answer.text).anchors}
    else:
        found = {file["filename"]: file["url"] for file in answer.json()["files"]}
    dists = {dist.filename: dist for dist in (wheel(), sdist(), wheel("demo", "2.0+local.1"))}
    assert found.keys() == dists.keys()
    for filename, relative in found.items():
        url = urljoin(answer.url, relative)
        assert unquote(url).endswith(f"/{filename}")
        assert requests.get(url, timeout=30).content == dists[filename].content


@pytest.mark.parametrize("kind", [V1_JSON, HTML])
def test_the_list_has_all_projects_sorted_and_links_to_their_pages(
    owner: Client, nobody: Client, index: str, kind: str
) -> None:
    for project in ("zeta", "my-project", "alpha"):
        owner.upload(index, wheel(project))
    answer = nobody.get(f"{index}/+simple/", kind)
    expected = ["alpha", "my-project", "zeta"]
    if kind == HTML:
        anchors = Anchors(answer.text).anchors
        assert [anchor["text"] for anchor in anchors] == expected
        for anchor in anchors:
            assert requests.get(urljoin(answer.url, str(anchor["href"])), timeout=30).status_code == 200
    else:
        assert [listed["name"] for listed in answer.json()["projects"]] == expected


def test_an_empty_index_has_an_empty_list(nobody: Client, index: str) -> None:
    assert nobody.get(f"{index}/+simple/", V1_JSON).json()["projects"] == []


def test_no_page_promises_a_later_serial_than_the_list(owner: Client, nobody: Client, filled: str) -> None:
    owner.patch(f"{filled}/{wheel().path}", {"yanked": True})
    listed = nobody.get(f"{filled}/+simple/", V1_JSON).json()
    serial = page(nobody, filled)["meta"]["_last-serial"]  # type: ignore[index] # JSON
    assert listed["projects"] == [{"name": "demo", "_last-serial": serial}]
    assert listed["meta"]["_last-serial"] == serial


@pytest.mark.parametrize("path", ["+simple", "+simple/demo"])
@pytest.mark.parametrize("agent", ["Mozilla/5.0", "twine/6", *INSTALLERS])
def test_a_page_without_a_slash_leads_to_the_one_with_it(nobody: Client, filled: str, path: str, agent: str) -> None:
    answer = nobody.get(f"{filled}/{path}", PIP, User_Agent=agent)
    assert answer.status_code == 302
    assert urljoin(answer.url, answer.headers["Location"]) == f"{nobody.url}/{filled}/{path}/"


@pytest.mark.parametrize("agent", INSTALLERS)
@pytest.mark.parametrize("path", ["demo", "demo/", "Demo"])
def test_installers_may_leave_simple_out_and_get_links_that_lead_to_files(
    nobody: Client, filled: str, path: str, agent: str
) -> None:
    answer = nobody.get(f"{filled}/{path}", HTML, User_Agent=agent)
    while answer.status_code == 302:
        answer = nobody.get(urljoin(answer.url, answer.headers["Location"])[len(nobody.url) + 1 :], HTML)
    assert answer.status_code == 200
    for anchor in Anchors(answer.text).anchors:
        assert requests.get(urljoin(answer.url, str(anchor["href"])), timeout=30).status_code == 200


@pytest.mark.parametrize("name", ["My-Project", "my_project", "my.project", "my--project", "MY.-_project"])
def test_a_name_that_is_not_normalized_leads_to_the_one_that_is(
    owner: Client, nobody: Client, index: str, name: str
) -> None:
    owner.upload(index, wheel("my-project"))
    answer = nobody.get(f"{index}/+simple/{name}/", PIP)
    assert answer.status_code == 302
    assert urljoin(answer.url, answer.headers["Location"]) == f"{nobody.url}/{index}/+simple/my-project/"


def test_a_redirect_keeps_the_query_as_it_is(nobody: Client, filled: str) -> None:
    for query in ("format=application/vnd.pypi.simple.v1%2Bjson", "a=1%262&b=%0d%0aX:%20y"):
        location = nobody.get(f"{filled}/+simple/Demo/?{query}", HTML).headers["Location"]
        assert location.partition("?")[2].lower() == query.lower()


def test_a_redirect_leads_to_no_other_server(url: str) -> None:
    for path in ("//evil.example/x/+simple", "/\\evil.example/x/+simple", "/%2F%2Fevil.example/x/+simple/A"):
        answer = raw(url, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        location = [line for line in answer.split(b"\r\n") if line.lower().startswith(b"location:")]
        assert not location or location[0].startswith(b"Location: ../")


def test_a_redirect_of_an_index_in_any_script_leads_there(root: Client, nobody: Client) -> None:
    name = "root/grüße@"[:-1]
    root.put(name, {})
    answer = nobody.get(f"{name}/+simple", HTML)
    assert requests.get(urljoin(answer.url, answer.headers["Location"]), timeout=30).status_code == 200


@pytest.mark.parametrize("name", ["d%C3%A9mo", "-demo", "demo-", "a%20b", "x" * 129])
def test_a_name_that_can_be_none_is_400(nobody: Client, filled: str, name: str) -> None:
    assert nobody.get(f"{filled}/+simple/{name}/", HTML).status_code == 400


@pytest.mark.parametrize(
    "path", ["{}/+simple/no-such-project/", "{}x/+simple/", "{}x/+simple/demo/", "no-such-user/x/+simple/"]
)
def test_what_is_not_there_is_404(nobody: Client, filled: str, path: str) -> None:
    for accept in (HTML, V1_JSON):
        assert nobody.get(path.format(filled), accept).status_code == 404


def test_a_page_of_an_index_shows_what_its_bases_have(owner: Client, nobody: Client) -> None:
    base = make_index(owner)
    middle = make_index(owner, bases=[base])
    heir = make_index(owner, bases=[middle])
    owner.upload(base, wheel("demo", "1.0"))
    owner.upload(middle, wheel("demo", "2.0"))
    owner.upload(heir, wheel("demo", "3.0"))
    body = page(nobody, heir)
    assert sorted(body["versions"]) == ["1.0", "2.0", "3.0"]  # type: ignore[call-overload] # JSON
    for dist in (wheel("demo", "1.0"), wheel("demo", "2.0"), wheel("demo", "3.0")):
        assert requests.get(urls(nobody, heir)[dist.filename], timeout=30).content == dist.content
    assert [listed["name"] for listed in nobody.get(f"{heir}/+simple/", V1_JSON).json()["projects"]] == ["demo"]


def test_the_first_index_that_has_a_file_name_wins(owner: Client, nobody: Client) -> None:
    first, second = make_index(owner), make_index(owner)
    heir = make_index(owner, bases=[first, second])
    own, other = wheel(note="first"), wheel(note="second")
    owner.upload(second, other)
    assert page(nobody, heir)["files"][0]["hashes"]["sha256"] == other.sha256  # type: ignore[index] # JSON
    owner.upload(first, own)
    files = page(nobody, heir)["files"]
    assert [file["hashes"]["sha256"] for file in files] == [own.sha256]  # type: ignore[attr-defined] # JSON


def test_a_page_follows_a_change_of_bases_at_once(owner: Client, nobody: Client) -> None:
    base = make_index(owner)
    heir = make_index(owner)
    owner.upload(base, wheel())
    assert nobody.get(f"{heir}/+simple/demo/", HTML).status_code == 404
    owner.patch(heir, {"bases": [base]})
    assert nobody.get(f"{heir}/+simple/demo/", HTML).status_code == 200
    owner.patch(heir, {"bases": []})
    assert nobody.get(f"{heir}/+simple/demo/", HTML).status_code == 404


def test_requires_python_is_escaped_in_html(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel(requires_python=">=3.9,<4"))
    assert "&gt;=3.9,&lt;4" in nobody.get(f"{index}/+simple/demo/", HTML).text


def test_an_etag_is_answered_304_until_the_page_changes(owner: Client, nobody: Client, filled: str) -> None:
    path = f"{filled}/+simple/demo/"
    first = nobody.get(path, V1_JSON)
    again = nobody.get(path, V1_JSON, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Accept" in again.headers["Vary"]
    owner.patch(f"{filled}/{wheel().path}", {"yanked": True})
    later = nobody.get(path, V1_JSON, If_None_Match=first.headers["ETag"])
    assert later.status_code == 200
    assert later.headers["ETag"] != first.headers["ETag"]


def test_an_etag_stays_when_something_else_changes(owner: Client, nobody: Client, filled: str) -> None:
    path = f"{filled}/+simple/demo/"
    tag = nobody.get(path, V1_JSON).headers["ETag"]
    owner.upload(filled, wheel("other"))
    assert nobody.get(path, V1_JSON, If_None_Match=tag).status_code == 304


def test_an_etag_in_a_list_weak_or_star_is_known(nobody: Client, filled: str) -> None:
    tag = nobody.get(f"{filled}/+simple/demo/", HTML).headers["ETag"]
    for known in (f'"other", {tag}', f"W/{tag}", "*"):
        assert nobody.get(f"{filled}/+simple/demo/", HTML, If_None_Match=known).status_code == 304
    assert nobody.get(f"{filled}/+simple/demo/", HTML, If_None_Match='"other"').status_code == 200


def test_a_page_that_is_gone_is_404_whatever_is_known(owner: Client, nobody: Client, filled: str) -> None:
    tag = nobody.get(f"{filled}/+simple/demo/", HTML).headers["ETag"]
    owner.delete(f"{filled}/demo")
    for known in (tag, "*"):
        assert nobody.get(f"{filled}/+simple/demo/", HTML, If_None_Match=known).status_code == 404


def test_forms_codings_and_pages_have_etags_of_their_own(nobody: Client, filled: str) -> None:
    tags = {
        nobody.get(f"{filled}/{path}", kind, Accept_Encoding=coding).headers["ETag"]
        for path in ("+simple/", "+simple/demo/")
        for kind in (V1_JSON, V1_HTML, HTML)
        for coding in ("gzip", "identity")
    }
    assert len(tags) == 12


@pytest.mark.parametrize("kind", [V1_JSON, V1_HTML, HTML])
def test_a_page_is_compressed_for_who_takes_that(url: str, filled: str, kind: str) -> None:
    def fetched(coding: str) -> tuple[bytes, bytes]:
        request = f"GET /{filled}/+simple/demo/ HTTP/1.1\r\nHost: x\r\nAccept: {kind}\r\nConnection: close\r\n"
        head, _, body = raw(url, f"{request}Accept-Encoding: {coding}\r\n\r\n".encode()).partition(b"\r\n\r\n")
        return head, body

    head, body = fetched("gzip")
    assert b"Content-Encoding: gzip" in head
    plain_head, plain = fetched("identity")
    assert b"Content-Encoding" not in plain_head
    assert gzip.decompress(body) == plain


def test_a_page_is_checked_each_time_before_it_is_used_again(nobody: Client, filled: str) -> None:
    control = nobody.get(f"{filled}/+simple/demo/", HTML).headers["Cache-Control"]
    assert "max-age=0" in control
    assert "must-revalidate" in control


@pytest.mark.parametrize("path", ["+simple/", "+simple/demo/"])
def test_head_of_a_page_has_the_headers_of_get(nobody: Client, filled: str, path: str) -> None:
    found, asked = nobody.head(f"{filled}/{path}", V1_JSON), nobody.get(f"{filled}/{path}", V1_JSON)
    assert found.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Vary", "Cache-Control"):
        assert found.headers[name] == asked.headers[name]


def test_a_large_page_is_whole_in_both_forms(owner: Client, nobody: Client, index: str) -> None:
    dists: list[Dist] = [wheel("demo", f"1.{number}", note="x") for number in range(30)]
    for dist in dists:
        owner.upload(index, dist)
    names = {dist.filename for dist in dists}
    assert {anchor["text"] for anchor in Anchors(nobody.get(f"{index}/+simple/demo/", HTML).text).anchors} == names
    assert len(json.loads(nobody.get(f"{index}/+simple/demo/", V1_JSON).text)["files"]) == 30


def test_the_short_url_of_an_index_lists_projects_for_who_takes_simple_json(nobody: Client, filled: str) -> None:
    answer = nobody.get(filled, V1_JSON)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == V1_JSON
    assert [listed["name"] for listed in answer.json()["projects"]] == ["demo"]


def test_the_last_serial_stands_in_a_header_too(owner: Client, index: str) -> None:
    owner.upload(index, wheel())
    for path in (f"{index}/+simple/demo/", f"{index}/+simple/"):
        answer = owner.get(path, V1_JSON)
        assert answer.headers["X-PyPI-Last-Serial"] == str(answer.json()["meta"]["_last-serial"])


def test_a_project_that_is_not_normalized_leads_to_the_one_that_is(owner: Client, index: str) -> None:
    owner.upload(index, wheel())
    for path in (f"{index}/Demo", f"{index}/DEMO/1.0"):
        answer = owner.get(path, "application/json")
        assert answer.status_code == 302
