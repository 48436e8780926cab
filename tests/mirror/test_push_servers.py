"""Releases that the server itself sends to another server."""

import email.policy
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests
from attrs import define, field

from tests.http import client
from tests.http.test_documentation import PAGES, send, zipped
from tests.mirror.site import Site, fresh, running
from tests.upstream import files
from tests.upstream.server import Upstream

SECRET = "a secret that nothing may show"


@define
class Taker:
    """Another server: writes down what it gets, and answers as it is told."""

    url: str = ""
    statuses: list[int] = field(factory=list)  # of the next answers, then 200
    headers: dict[str, str] = field(factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(factory=list)

    def forms(self) -> list[EmailMessage]:
        """Return the parts of each body."""
        return [
            BytesParser(policy=email.policy.HTTP).parsebytes(
                b"Content-Type: " + headers["content-type"].encode() + b"\r\n\r\n" + body
            )
            for headers, body in self.got
        ]

    def fields(self) -> list[dict[str, list[str]]]:
        """Return the text fields of each form."""
        found = []
        for form in self.forms():
            fields: dict[str, list[str]] = {}
            for part in form.iter_parts():
                if part.get_filename() is None:
                    text = part.get_payload(decode=True)
                    assert isinstance(text, bytes)
                    fields.setdefault(str(part.get_param("name", header="content-disposition")), []).append(
                        text.decode()
                    )
            found.append(fields)
        return found


@contextmanager
def taking() -> Iterator[Taker]:
    taker = Taker()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taker.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            text = b"what it says"
            self.send_response(taker.statuses.pop(0) if taker.statuses else 200)
            for name, value in taker.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taker.url = f"http://127.0.0.1:{server.server_address[1]}/legacy/"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield taker
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def taker() -> Iterator[Taker]:
    with taking() as made:
        yield made


@pytest.fixture
def source(site: Site) -> str:
    index = site.stage()
    for dist in (client.wheel(), client.sdist()):
        assert site.owner.upload(index, dist).status_code == 200
    return index


def push(site: Site, source: str, url: str, **body: object) -> requests.Response:
    wanted = {"name": "demo", "version": "1.0", "posturl": url, "username": "me", "password": SECRET, **body}
    answer = site.owner.ask("PUSH", source, json={key: value for key, value in wanted.items() if value is not None})
    assert SECRET not in answer.text + site.node.log
    return answer


def test_each_file_is_a_form_of_its_own(site: Site, source: str, taker: Taker) -> None:
    answer = push(site, source, taker.url)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "actionlog"
    dists = (client.wheel(), client.sdist())
    assert answer.json()["result"] == [[200, "upload", f"{source}/{dist.path}", ""] for dist in dists]
    for (headers, _), form, fields, dist in zip(taker.got, taker.forms(), taker.fields(), dists, strict=True):
        assert headers["authorization"] == "Basic " + b64encode(f"me:{SECRET}".encode()).decode()
        assert {key: fields[key] for key in dist.fields} == {key: [value] for key, value in dist.fields.items()}
        (part,) = (part for part in form.iter_parts() if part.get_filename() is not None)
        assert (part.get_filename(), part.get_payload(decode=True)) == (dist.filename, dist.content)


def test_another_index_takes_what_is_pushed(site: Site, source: str) -> None:
    target = site.stage(volatile=False, upload_checks="strict")
    body = {"posturl": f"{site.node.url}/{target}/", "username": "owner", "password": "secret"}
    answer = site.owner.ask("PUSH", source, json={"name": "demo", "version": "1.0", "register_project": True, **body})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"][0] == [200, "register", "demo", "1.0"]
    there, here = site.files(source, "demo"), site.files(target, "demo")
    assert there.keys() == here.keys()
    assert all(here[name].get("core-metadata") == there[name].get("core-metadata") for name in here)
    assert site.nobody.result(f"{target}/demo/1.0")["summary"] == "what it is"


def test_documentation_is_sent_last(site: Site, source: str, taker: Taker) -> None:
    assert send(site.owner, source, zipped(PAGES)).status_code == 200
    answer = push(site, source, taker.url)
    assert [row[1:] for row in answer.json()["result"]][-1] == ["docfile", "demo"]
    assert taker.fields()[-1][":action"] == ["doc_upload"]
    assert zipped(PAGES) in taker.got[-1][1]
    assert len(push(site, source, taker.url, no_docs=True).json()["result"]) == 2
    taker.statuses[:] = [500]
    answer = push(site, source, taker.url, only_docs=True)
    assert answer.status_code == 502
    assert answer.json()["result"] == [[500, "docfile", "demo"]]


def test_documentation_is_taken_by_another_index(site: Site, source: str) -> None:
    send(site.owner, source, zipped(PAGES))
    target = site.stage()
    body = {"posturl": f"{site.node.url}/{target}/", "username": "owner", "password": "secret"}
    answer = site.owner.ask("PUSH", source, json={"name": "demo", "version": "1.0", **body})
    assert answer.status_code == 200, answer.text
    assert site.nobody.get(f"{target}/demo/1.0/+doc/", "*/*").status_code == 200


def test_a_large_file_is_sent_whole(site: Site, taker: Taker) -> None:
    index, content = site.stage(upload_checks="lenient"), bytes(range(256)) * 20_000
    dist = client.Dist("big-1.0.tar.gz", content, {":action": "file_upload", "name": "big", "version": "1.0"})
    assert site.owner.upload(index, dist).status_code == 200
    assert push(site, index, taker.url, name="big").status_code == 200
    assert content in taker.got[0][1]


def test_a_mirror_may_be_the_source(site: Site, up: Upstream, taker: Taker) -> None:
    dist = files.of(client.wheel(fresh("mirrored")))
    up.put(dist)
    assert push(site, site.mirror(), taker.url, name=dist.owner).status_code == 200
    assert dist.content in taker.got[0][1]
    assert taker.fields()[0]["summary"] == ["what it is"]


def test_what_the_other_server_refuses_is_told_and_502_if_it_is_the_last(site: Site, source: str, taker: Taker) -> None:
    taker.statuses[:] = [409, 200]
    answer = push(site, source, taker.url)
    assert answer.status_code == 200
    assert [row[0] for row in answer.json()["result"]] == [409, 200]
    assert answer.json()["result"][0][3] == "what it says"
    taker.statuses[:] = [200, 403]
    answer = push(site, source, taker.url)
    assert answer.status_code == 502
    assert [row[0] for row in answer.json()["result"]] == [200, 403]


@pytest.mark.parametrize(("status", "forms"), [(200, 3), (201, 3), (410, 3), (400, 1), (403, 1), (500, 1)])
def test_a_registration_that_fails_is_the_end(site: Site, source: str, taker: Taker, status: int, forms: int) -> None:
    taker.statuses[:] = [status]
    answer = push(site, source, taker.url, register_project=True)
    assert answer.status_code == (200 if forms == 3 else 502)
    assert answer.json()["result"][0] == [status, "register", "demo", "1.0"]
    assert len(taker.got) == forms
    assert taker.fields()[0][":action"] == ["submit"]


def test_a_server_that_does_not_answer_is_minus_one(site: Site, source: str) -> None:
    answer = push(site, source, "http://127.0.0.1:9/", register_project=True)
    assert answer.status_code == 502
    ((status, what, why),) = answer.json()["result"]
    assert (status, what) == (-1, "exception on register:")
    assert "127.0.0.1" in why
    answer = push(site, source, "http://127.0.0.1:9/")
    assert [row[:2] for row in answer.json()["result"]] == 2 * [[-1, "exception on release upload:"]]


def test_redirects_are_not_followed(site: Site, source: str, taker: Taker) -> None:
    with taking() as other:
        taker.statuses[:], taker.headers = [307, 308], {"Location": other.url}
        answer = push(site, source, taker.url)
        assert [row[0] for row in answer.json()["result"]] == [307, 308]
        assert other.got == []


@pytest.mark.parametrize(
    "body",
    [
        {"posturl": None},
        {"username": None},
        {"password": None},
        {"posturl": 1},
        {"posturl": "ftp://127.0.0.1/"},
        {"posturl": "no URL"},
        {"posturl": "http://"},
        {"posturl": f"http://me:{SECRET}@127.0.0.1/"},
        {"register_project": "yes"},
        {"colour": "red"},
        {"version": "9.9"},
    ],
)
def test_what_can_not_be_meant_is_400(site: Site, source: str, taker: Taker, body: dict[str, object]) -> None:
    answer = push(site, source, **{"url": taker.url, **body})  # type: ignore[arg-type] # keys of a form
    assert answer.status_code == 400
    assert taker.got == []


def test_nobody_can_have_the_server_send_files(site: Site, source: str, taker: Taker) -> None:
    body = {"name": "demo", "version": "1.0", "posturl": taker.url, "username": "a", "password": "b"}
    assert site.nobody.ask("PUSH", source, json=body).status_code == 401
    assert taker.got == []


def test_internal_addresses_are_refused_unless_they_are_allowed(tmp_path: Path, up: Upstream, taker: Taker) -> None:
    with running(tmp_path, up, networks="192.0.2.0/24") as other:
        index = other.stage()
        other.owner.upload(index, client.wheel())
        for url in (taker.url, taker.url.replace("127.0.0.1", "localhost"), "http://[::1]:1/", "http://0x7f.1/"):
            answer = push(other, index, url)
            assert answer.status_code == 502, url
            assert answer.json()["result"][0][0] == -1
        assert taker.got == []
