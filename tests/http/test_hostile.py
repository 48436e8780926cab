"""Hostile requests: never a 500, never a hang, and a refused one changes nothing."""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
import requests
from attrs import frozen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.http.accounts import make_index
from tests.http.client import Client, basic, raw, status_of, wheel

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
FUZZED = settings(max_examples=600 if FULL else 60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def stage(owner: Client) -> str:
    """A volatile index with one file."""
    name = make_index(owner)
    assert owner.upload(name, wheel()).status_code == 200
    return name


def sent(url: str, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Send a request of a connection that the server closes, and check that its answer is no failure of the server."""
    lines = [line, b"Host: x", b"Connection: close", *headers]
    answer = raw(url, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    assert status_of(answer) < 500, answer[:500]
    return answer


def check_refusal(client: Client, before: int, status: int) -> None:
    """Check that a status is no failure of the server, and that a refusal left the log as it was."""
    assert status < 500
    if status >= 400:
        assert client.serial() == before


PLAIN = "root dev demo 1.0 +simple +f %2Bf +e +explain +alarms refresh +api +login +status . .. ~ * + @ : a@b"
ODD = "%2e%2e %2F %00 %0d%0a %ff %C3%28 % %zz %25 \\ %5C %F0%9F%92%A9"
OF_A_FILE = [wheel().filename, f"{wheel().filename}.metadata", wheel().sha256[:3], wheel().sha256[3:16]]
SEGMENTS = st.one_of(
    st.sampled_from(["", *PLAIN.split(), *ODD.split(), *OF_A_FILE]),
    st.text(max_size=10).map(lambda text: quote(text, safe="", errors="surrogatepass")),
    st.binary(max_size=6).map(quote),
    st.text("abc./%+-_@~", max_size=12),
)
PATHS = st.lists(SEGMENTS, max_size=7).map("/".join)
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"])


@FUZZED
@given(METHODS, PATHS)
@example("GET", "root/dev/+f/" + "a" * 3_000)
@example("GET", "/".join("a" * 1_000))
@example("PUT", "root/..%2F..%2Fetc")
def test_no_path_makes_the_server_fail(nobody: Client, url: str, method: str, path: str) -> None:
    before = nobody.serial()
    answer = sent(url, f"{method} /{path} HTTP/1.1".encode(), b"Content-Length: 2", body=b"{}")
    check_refusal(nobody, before, status_of(answer))


@FUZZED
@given(st.binary(max_size=60).filter(lambda target: not set(target) & set(b" \r\n")))
@example(b"http://[foo/")
@example(b"http://a:99999999/")
@example(b"*")
@example(b"?")
@example(b"//root/dev")
@example(b"/root/dev/+simple/demo/?format=%ff")
@example(b"/root/dev/+simple/demo?\xff\xfe")
def test_no_request_target_makes_the_server_fail(nobody: Client, url: str, target: bytes) -> None:
    before = nobody.serial()
    check_refusal(nobody, before, status_of(sent(url, b"GET " + target + b" HTTP/1.1")))


HEADER_VALUES = st.one_of(
    st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n\0")),
    st.text('bytes=0123456789-, ;"/*+.qW\\', max_size=40).map(str.encode),
)
READ_HEADERS = (
    b"Accept",
    b"Accept-Encoding",
    b"Range",
    b"If-Range",
    b"If-None-Match",
    b"If-Modified-Since",
    b"User-Agent",
)
MORE_HEADERS = (b"Authorization", b"X-Devpi-Auth", b"X-Outside-Url", b"Expect", b"Content-Type")
READ_PATHS = (
    "",
    "/+simple/",
    "/+simple/demo/",
    "/+simple/Demo",
    "/demo",
    "/demo/1.0",
    f"/{wheel().path}",
    f"/{wheel().path}.metadata",
)


@FUZZED
@given(
    st.sampled_from(READ_PATHS),
    st.dictionaries(st.sampled_from(READ_HEADERS + MORE_HEADERS), HEADER_VALUES, max_size=4),
)
@example("/+simple/demo/", {b"Accept": b"," * 8_000})
@example("/+simple/demo/", {b"Accept": b'"' * 8_000})
@example("/+simple/demo/", {b"Accept": b"text/html;" + b'a="\\' * 4_000})
@example("/+simple/demo/", {b"If-None-Match": b'"' * 8_000})
@example(f"/{wheel().path}", {b"Range": b"bytes=" + b"9" * 8_000 + b"-"})
@example(f"/{wheel().path}", {b"Range": b"bytes=" + b"0-1," * 2_000})
@example("/demo/1.0", {b"X-Outside-Url": b"\xff\xfe"})
@example("/demo/1.0", {b"Accept": b"application/json", b"Authorization": b"Basic \xff"})
def test_no_header_of_a_read_makes_the_server_fail(
    url: str, nobody: Client, stage: str, path: str, headers: dict[bytes, bytes]
) -> None:
    before = nobody.serial()
    lines = [name + b": " + value for name, value in headers.items()]
    sent(url, f"GET /{stage}{path} HTTP/1.1".encode(), *lines)
    assert nobody.serial() == before


@FUZZED
@given(st.sampled_from([b"Authorization", b"X-Devpi-Auth"]), HEADER_VALUES)
@example(b"Authorization", b"Basic Og==")
@example(b"Authorization", b"Basic OmxwbC0=")
@example(b"X-Devpi-Auth", b"")
@example(b"X-Devpi-Auth", basic("root", "lpl-" + "A" * 200)[6:].encode())
@example(b"X-Devpi-Auth", basic("root", "lpl-\N{SNOWMAN}")[6:].encode())
@example(b"X-Devpi-Auth", basic("\0", "\0")[6:].encode())
def test_no_credentials_make_the_server_fail(url: str, nobody: Client, name: bytes, value: bytes) -> None:
    before = nobody.serial()
    answer = sent(url, b"PATCH /root HTTP/1.1", name + b": " + value, b"Content-Length: 2", body=b"{}")
    assert status_of(answer) in (400, 401)
    assert nobody.serial() == before


@FUZZED
@given(st.text(max_size=30), st.text(max_size=30) | st.binary(max_size=120).map(lambda raw_: f"lpl-{raw_.hex()}"))
def test_no_user_and_secret_make_the_server_fail(nobody: Client, user: str, secret: str) -> None:
    if (user, secret) == ("root", "secret"):
        return
    value = basic(user.encode(errors="replace").decode(), secret.encode(errors="replace").decode())
    answer = nobody.ask("PATCH", "root", json={}, headers={"Authorization": value})
    assert answer.status_code == 401


USER_KEYS = "password email title description custom_data indexes username user"
INDEX_KEYS = (
    "type volatile bases acl_upload mirror_whitelist mirror_whitelist_inheritance upload_checks projects result"
)
KEYS = st.sampled_from([*USER_KEYS.split(), *INDEX_KEYS.split(), "yanked", "status", "reason"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["root/dev", "/root/dev", ":ANONYMOUS:", "stage", "active", "title=x", "bases+=", "a-=b", "\ud800", "\0"]
    ),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=4) | VALUES
TARGETS = st.sampled_from(
    ["{user}", "{index}", "{user}/new", "{index}/demo", "{index}/demo/1.0", "{index}/" + wheel().path, "+login"]
)

DEEP = '{"custom_data": ' + "[" * 40 + "]" * 40 + "}"


@pytest.fixture(scope="module")
def target(owner: Client) -> dict[str, str]:
    """What paths name: a user of this file and an index that loses its rights and its volatility on the way."""
    index = make_index(owner)
    assert owner.upload(index, wheel()).status_code == 200
    return {"user": owner.user, "index": index}


@FUZZED
@given(st.sampled_from(["PUT", "PATCH", "POST"]), TARGETS, BODIES)
def test_no_json_makes_the_server_fail(
    owner: Client,
    target: dict[str, str],
    method: str,
    path: str,
    body: Any,  # noqa: ANN401 - any JSON
) -> None:
    if isinstance(body, dict):
        body.pop("password", None)  # a new one would lock this client out
    before = owner.serial()
    data = json.dumps(body).encode()
    check_refusal(owner, before, owner.ask(method, path.format(**target), data=data).status_code)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nul",
        b"\xff",
        b'{"title": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"custom_data": NaN}',
        b'{"custom_data": Infinity}',
        b'{"custom_data": -Infinity}',
        b'{"custom_data": 1e999}',
        b'{"custom_data": [-1e999]}',
        b'{"custom_data": 18446744073709551616}',
        b'{"custom_data": ' + b"9" * 5_000 + b"}",
        b'{"custom_data": "\\ud800"}',
        b'{"custom_data": {"\\udfff": 1}}',
        b'{"title": "\\ud800"}',
        DEEP.encode(),
        ("{" + '"custom_data": {' * 40 + "}" * 41).encode(),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ],
)
def test_json_that_can_not_be_kept_is_400(owner: Client, target: dict[str, str], text: bytes) -> None:
    before = owner.serial()
    for path in target.values():
        assert owner.ask("PATCH", path, data=text).status_code == 400
    assert owner.serial() == before


def test_what_was_kept_is_always_strict_json(nobody: Client, target: dict[str, str]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for path in ("", *target.values()):
        json.loads(nobody.get(path).text, parse_constant=refuse)


NAMES = st.one_of(
    st.text(max_size=20),
    st.text("abcXYZ019.-_@+!~ /\\%\0\n\"'<>&", max_size=20),
    st.sampled_from(["root", ".", "..", "+x"]),
)


@FUZZED
@given(NAMES)
def test_any_name_of_an_index_is_taken_as_it_is_or_refused(owner: Client, name: str) -> None:
    path = f"{owner.user}/{quote(name, safe='', errors='surrogatepass')}"
    before = owner.serial()
    answer = owner.put(path, {})
    check_refusal(owner, before, answer.status_code)
    if answer.status_code == 200:
        assert name in owner.result(owner.user)["indexes"]
        assert owner.get(f"{path}/+simple/", "text/html").status_code == 200
        assert owner.delete(path).status_code == 201


FIELD_TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["demo", "1.0", "file_upload", "submit", "doc_upload", "x" * 200, "1" * 200, "UNKNOWN", ">=3", "\r\n", "é"]
    ),
)
CHECKED = ":action name version sha256_digest md5_digest blake2_256_digest requires_python metadata_version"
FIELD_NAMES = st.sampled_from([*CHECKED.split(), "summary", "classifiers", "filetype", "gpg_signature", "é", "x" * 300])
FILENAMES = st.one_of(
    st.just(wheel().filename),
    st.text(max_size=30),
    st.text("demo-10.whltargz_+!py3noneany", max_size=40),
    st.sampled_from(
        ["../x-1.0.tar.gz", "demo-1.0.tar.gz", "demo-1.0.zip", "demo-1.0.egg", "x" * 300, "demo-1.0-py3-none-any.whl\0"]
    ),
)
CONTENTS = st.sampled_from([wheel().content, b"", b"PK\3\4", b"\x1f\x8b"]) | st.binary(max_size=40)


@frozen
class Sent:
    """A form: what differs from a good one, and its file."""

    strict: bool
    changes: Mapping[str, str]
    filename: str
    content: bytes


FORMS = st.builds(Sent, st.booleans(), st.dictionaries(FIELD_NAMES, FIELD_TEXTS, max_size=5), FILENAMES, CONTENTS)


@pytest.fixture(scope="module")
def lenient(owner: Client) -> str:
    """An index that takes what devpi takes."""
    return make_index(owner, upload_checks="lenient")


@FUZZED
@given(FORMS)
def test_no_form_makes_the_server_fail(owner: Client, stage: str, lenient: str, form: Sent) -> None:
    before = owner.serial()
    fields = {**wheel().fields, **form.changes}
    parts = [(key, (None, text.encode(errors="surrogatepass"))) for key, text in fields.items()]
    name = form.filename.encode(errors="replace").decode()
    files = [*parts, ("content", (name, form.content))]
    answer = owner.ask("POST", f"{stage if form.strict else lenient}/", files=files)
    check_refusal(owner, before, answer.status_code)
    reason = answer.reason or ""
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) <= 200


@FUZZED
@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 40))
def test_no_mutation_of_a_form_makes_the_server_fail(
    owner: Client, stage: str, new: bytes, place: int, dropped: int
) -> None:
    request = requests.Request(
        "POST", owner.url, data=wheel().fields, files={"content": (wheel().filename, wheel().content)}
    )
    prepared = request.prepare()
    body = prepared.body
    assert isinstance(body, bytes)
    at = place * len(body) // 10_000
    before = owner.serial()
    kind = str(prepared.headers["Content-Type"])
    changed = body[:at] + new + body[at + dropped :]
    answer = owner.ask("POST", f"{stage}/", data=changed, headers={"Content-Type": kind})
    check_refusal(owner, before, answer.status_code)


def test_the_server_is_well_afterwards(owner: Client, nobody: Client) -> None:
    index = make_index(owner)
    assert owner.upload(index, wheel()).status_code == 200
    assert nobody.get(f"{index}/{wheel().path}", "*/*").content == wheel().content
