"""Documentation: uploaded as a zip file, listed, downloaded, read page by page."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.http.accounts import make_index
from tests.http.client import Client, raw, sdist, status_of, wheel

PAGES = {
    "index.html": "<p>home",
    "sub/index.html": "<p>sub",
    "sub/x.js": "let x",
    "a b/ü.html": "odd",
    "plain/y.txt": "y",
}
LARGE = bytes(range(256)) * 4_096  # bytes of a picture: more than is unpacked at once


def zipped(files: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)  # of 1980, so that equal files have equal bytes
    return made.getvalue()


def send(
    client: Client, index: str, content: bytes, version: str = "1.0", project: str = "demo", **more: str
) -> requests.Response:
    fields = {":action": "doc_upload", "name": project, "version": version, **more}
    return client.ask("POST", f"{index}/", data=fields, files={"content": ("docs.zip", content)})


def links(client: Client, index: str, rel: str, version: str = "1.0") -> list[dict[str, Any]]:
    return [link for link in client.result(f"{index}/demo/{version}")["+links"] if link["rel"] == rel]


def path_of(content: bytes, version: str = "1.0", project: str = "demo") -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"+f/{digest[:3]}/{digest[3:16]}/{project}-{version}.doc.zip"


@pytest.fixture
def documented(owner: Client, index: str) -> str:
    """An index with documentation of demo 1.0."""
    assert send(owner, index, zipped({**PAGES, "large.png": LARGE})).status_code == 200
    return f"{index}/demo/1.0/+doc"


def test_an_upload_has_an_empty_answer_and_makes_the_release(owner: Client, index: str) -> None:
    content = zipped(PAGES)
    answer = send(owner, index, content, project="DEMO")
    assert (answer.status_code, answer.content) == (200, b"")
    (link,) = links(owner, index, "doczip")
    assert link["href"] == f"{owner.url}/{index}/{path_of(content)}"
    assert link["hash_spec"] == f"sha256={hashlib.sha256(content).hexdigest()}"
    (action,) = link["log"]
    assert (action["what"], action["who"], action["dst"]) == ("upload", owner.user, index)


def test_the_zip_file_comes_back(owner: Client, index: str) -> None:
    content = zipped(PAGES)
    send(owner, index, content)
    answer = owner.get(f"{index}/{path_of(content)}", "*/*")
    assert (answer.content, answer.headers["Content-Type"]) == (content, "application/zip")


def test_without_a_version_it_is_that_of_the_newest_release(owner: Client, index: str) -> None:
    for version in ("1.9", "1.10", "1.10rc1"):
        owner.submit(index, "demo", version)
    assert send(owner, index, zipped(PAGES), "").status_code == 200
    assert len(links(owner, index, "doczip", "1.10")) == 1


def test_without_a_version_and_any_release_it_is_refused(owner: Client, index: str) -> None:
    answer = send(owner, index, zipped(PAGES), "")
    assert (answer.status_code, "no release" in answer.reason) == (400, True)


def test_other_documentation_replaces_it_where_the_index_is_volatile(owner: Client, index: str) -> None:
    old, new = zipped(PAGES), zipped({"index.html": "new"})
    assert [send(owner, index, content).status_code for content in (old, new)] == [200, 200]
    assert owner.get(f"{index}/{path_of(old)}", "*/*").status_code == 410
    (link,) = links(owner, index, "doczip")
    assert [action["what"] for action in link["log"]] == ["overwrite", "upload"]


def test_only_the_same_bytes_are_taken_again_where_it_is_not(owner: Client, fixed: str) -> None:
    contents = (zipped(PAGES), zipped(PAGES), zipped({"index.html": "new"}))
    assert [send(owner, fixed, content).status_code for content in contents] == [200, 200, 409]


def test_who_may_not_upload_may_not_document(nobody: Client, stranger: Client, index: str) -> None:
    assert [send(client, index, zipped(PAGES)).status_code for client in (nobody, stranger)] == [401, 403]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no zip file", "not a zip file"),
        (zipped({"../x.html": "out"}), "leads astray"),
        (zipped({"/etc/x.html": "out"}), "leads astray"),
        (zipped({"a": "a file", "a/b": "in a file"}), "both a file and a directory"),
        (zipped({"bomb": b"\0" * (65 << 20)}), "a bomb"),
        (zipped({}), "no file in the zip file"),
        (zipped({"x": "bzip2"}, zipfile.ZIP_BZIP2), "something else than deflate"),
        (zipped(PAGES, zipfile.ZIP_STORED).replace(b"<p>home", b"<p>HOME"), "CRC-32"),
    ],
)
def test_what_can_not_be_shown_is_refused(owner: Client, index: str, content: bytes, told: str) -> None:
    before = owner.serial()
    answer = send(owner, index, content)
    assert (answer.status_code, told in answer.reason) == (400, True), answer.reason
    assert owner.serial() == before


def test_a_wrong_digest_is_refused(owner: Client, index: str) -> None:
    assert send(owner, index, zipped(PAGES), sha256_digest="0" * 64).status_code == 400


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("/", "index.html", "text/html"),
        ("/index.html", "index.html", "text/html"),
        ("/sub/", "sub/index.html", "text/html"),
        ("/sub/x.js", "sub/x.js", "text/javascript"),
        ("/a%20b/%C3%BC.html", "a b/ü.html", "text/html"),
    ],
)
def test_pages_are_read_out_of_the_zip_file(nobody: Client, documented: str, path: str, name: str, kind: str) -> None:
    answer = nobody.get(documented + path, "*/*")
    assert (answer.status_code, answer.text) == (200, PAGES[name])
    assert answer.headers["Content-Type"] == kind


def test_a_large_member_comes_whole(nobody: Client, documented: str) -> None:
    answer = nobody.get(f"{documented}/large.png", "*/*")
    assert (answer.content, answer.headers["Content-Length"]) == (LARGE, str(len(LARGE)))
    head = nobody.head(f"{documented}/large.png", "*/*")
    assert (head.content, head.headers["Content-Length"]) == (b"", str(len(LARGE)))


def test_pages_have_an_origin_of_their_own(nobody: Client, documented: str) -> None:
    headers = nobody.get(f"{documented}/", "*/*").headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-same-origin" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_that_the_client_has_is_not_sent_again(nobody: Client, documented: str) -> None:
    etag = nobody.get(f"{documented}/", "*/*").headers["ETag"]
    answer = nobody.get(f"{documented}/", "*/*", If_None_Match=etag)
    assert (answer.status_code, answer.content) == (304, b"")
    assert nobody.get(f"{documented}/sub/", "*/*").headers["ETag"] != etag


@pytest.mark.parametrize(("path", "to"), [("", "+doc/"), ("/sub", "sub/")])
def test_a_folder_has_a_slash_at_its_end(nobody: Client, documented: str, path: str, to: str) -> None:
    answer = nobody.get(documented + path, "*/*")
    assert (answer.status_code, answer.headers["Location"].endswith(to)) == (302, True)
    followed = nobody.get(documented + path, "*/*").headers["Location"]
    assert urljoin(f"{nobody.url}/{documented}{path}", followed) == f"{nobody.url}/{documented}{path}/"


@pytest.mark.parametrize("path", ["/absent.html", "/plain/", "/plain", "/sub/x.js/", "/index.html/", "/%2e%2e/x"])
def test_what_is_not_there_is_not_found(nobody: Client, documented: str, path: str) -> None:
    answer = raw(nobody.url, f"GET /{documented}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status_of(answer) == (400 if "%2e" in path else 404)


def test_latest_and_stable_are_the_newest_that_have_documentation(owner: Client, index: str) -> None:
    for version in ("1.9", "1.10", "2.0rc1"):
        send(owner, index, zipped({"index.html": version}), version)
    owner.submit(index, "demo", "3.0")
    assert owner.get(f"{index}/demo/latest/+doc/", "*/*").text == "2.0rc1"
    assert owner.get(f"{index}/demo/stable/+doc/", "*/*").text == "1.10"


def test_nothing_is_stable_where_there_are_only_prereleases(owner: Client, index: str) -> None:
    send(owner, index, zipped(PAGES), "1.0a1")
    assert owner.get(f"{index}/demo/stable/+doc/", "*/*").status_code == 404


def test_documentation_of_a_base_is_found(owner: Client, index: str) -> None:
    send(owner, index, zipped({"index.html": "base"}))
    heir = make_index(owner, bases=[index])
    assert owner.get(f"{heir}/demo/1.0/+doc/", "*/*").text == "base"
    send(owner, heir, zipped({"index.html": "own"}))
    assert owner.get(f"{heir}/demo/1.0/+doc/", "*/*").text == "own"


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/absent.html", 404), ("/plain/", 404), ("/sub", 302)])
def test_a_frame_is_there_where_the_page_is(nobody: Client, documented: str, path: str, status: int) -> None:
    framed = documented.replace("+doc", "+d") + path
    assert nobody.get(framed, "text/html").status_code == status
    assert nobody.head(framed, "text/html").status_code == status


def test_the_frame_leads_to_the_bare_page(nobody: Client, documented: str) -> None:
    answer = nobody.get(documented.replace("+doc", "+d") + "/sub/x.js", "text/html")
    assert '<iframe src="../../+doc/sub/x.js"' in answer.text
    assert "allow-same-origin" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_documentation_is_deleted_alone_or_with_its_release(owner: Client, index: str) -> None:
    content = zipped(PAGES)
    owner.upload(index, wheel())
    send(owner, index, content)
    assert owner.delete(f"{index}/{path_of(content)}").status_code == 200
    assert (links(owner, index, "doczip"), len(links(owner, index, "releasefile"))) == ([], 1)
    assert owner.get(f"{index}/demo/1.0/+doc/", "*/*").status_code == 404
    send(owner, index, content)
    owner.delete(f"{index}/demo/1.0")
    assert owner.get(f"{index}/{path_of(content)}", "*/*").status_code == 410


def test_the_last_file_leaves_documentation_where_it_is(owner: Client, index: str) -> None:
    owner.upload(index, sdist())
    send(owner, index, zipped(PAGES))
    owner.delete(f"{index}/{sdist().path}")
    assert len(links(owner, index, "doczip")) == 1


def test_documentation_stays_where_nothing_may_be_deleted(owner: Client, fixed: str) -> None:
    content = zipped(PAGES)
    send(owner, fixed, content)
    assert owner.delete(f"{fixed}/{path_of(content)}").status_code == 403
    assert owner.delete(f"{fixed}/{path_of(content)}?force").status_code == 200


def test_a_quarantined_project_shows_none(owner: Client, documented: str) -> None:
    project = documented.removesuffix("/1.0/+doc")
    owner.patch(project, {"status": "quarantined"})
    assert owner.get(f"{documented}/", "*/*").status_code == 403
