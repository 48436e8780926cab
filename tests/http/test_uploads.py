"""``POST /{user}/{index}/``: the form of twine, and devpi's ``submit``."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from attrs import evolve
from twine.commands.upload import skip_upload
from twine.package import PackageFile

from tests.http.accounts import fresh, make_index
from tests.http.client import Client, Dist, basic, metadata, raw, sdist, wheel

SIMPLE = "application/vnd.pypi.simple.v1+json"


def listed(client: Client, index: str, project: str = "demo") -> list[str]:
    answer = client.get(f"{index}/+simple/{project}/", SIMPLE)
    return [] if answer.status_code == 404 else [file["filename"] for file in answer.json()["files"]]


def refuse(
    owner: Client, index: str, dist: Dist, changes: Mapping[str, str | None] | None = None, status: int = 400
) -> str:
    """Check that an upload is refused and changes nothing, and return the reason phrase."""
    before = owner.serial()
    answer = owner.upload(index, dist, **(changes or {}))
    assert answer.status_code == status, answer.text
    assert owner.serial() == before
    return str(answer.reason)


@pytest.mark.parametrize("dist", [wheel(), sdist(), wheel("my-project", "1!2.0.post1+local.7")])
def test_an_upload_is_200_without_a_body_and_listed(owner: Client, nobody: Client, index: str, dist: Dist) -> None:
    answer = owner.upload(index, dist)
    assert answer.status_code == 200
    assert answer.content == b""
    assert listed(nobody, index, dist.fields["name"]) == [dist.filename]


def test_an_upload_is_one_entry_of_the_log(owner: Client, index: str) -> None:
    before = owner.serial()
    answer = owner.upload(index, wheel())
    assert owner.serial() == before + 1
    assert int(answer.headers["X-Devpi-Serial"]) == before + 1


def test_the_file_of_an_upload_is_what_was_sent(owner: Client, nobody: Client, index: str) -> None:
    large = sdist(note="x" * 400_000)
    for dist in (wheel(), large):
        owner.upload(index, dist)
        assert nobody.get(f"{index}/{dist.path}", "*/*").content == dist.content


def test_the_metadata_of_the_archive_goes_before_the_form(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel(), summary="another", requires_python=">=2", author="Somebody")
    shown = nobody.result(f"{index}/demo/1.0")
    assert shown["summary"] == "what it is"
    assert shown["requires_python"] == ">=3.9"
    assert "author" not in shown


def test_an_upload_needs_no_digest(owner: Client, index: str) -> None:
    none = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    assert owner.upload(index, wheel(), **none).status_code == 200


def test_empty_digests_are_as_none(owner: Client, index: str) -> None:
    assert owner.upload(index, wheel(), sha256_digest="", md5_digest="", blake2_256_digest="").status_code == 200


@pytest.mark.parametrize("key", ["sha256_digest", "md5_digest", "blake2_256_digest"])
@pytest.mark.parametrize("other", ["00", "same length", "nonsense", "short"])
def test_a_wrong_digest_is_400(owner: Client, index: str, key: str, other: str) -> None:
    right = wheel().fields[key]
    wrong = {"00": "00" * (len(right) // 2), "same length": right[::-1], "nonsense": "no digest!", "short": right[:-2]}
    assert key in refuse(owner, index, wheel(), {key: wrong[other]})


def test_digests_may_be_in_capitals_and_md5_in_base64(owner: Client, index: str) -> None:
    md5 = base64.urlsafe_b64encode(bytes.fromhex(wheel().fields["md5_digest"])).decode().rstrip("=")
    answer = owner.upload(index, wheel(), sha256_digest=wheel().sha256.upper(), md5_digest=md5)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "other"),
        ("name", "demo2"),
        ("name", "not a name"),
        ("name", ""),
        ("name", None),
        ("version", "1.1"),
        ("version", "one"),
        ("version", ""),
        ("version", None),
        ("action", "nonsense"),
        ("action", ""),
        ("action", None),
    ],
)
def test_a_form_that_does_not_agree_with_its_file_is_400(
    owner: Client, index: str, key: str, value: str | None
) -> None:
    refuse(owner, index, wheel(), {key: value})


def test_the_name_of_the_form_may_be_spelled_otherwise(owner: Client, nobody: Client, index: str) -> None:
    assert owner.upload(index, wheel("my-project"), name="My.Project").status_code == 200
    assert nobody.result(index)["projects"] == ["my-project"]


def test_a_version_of_the_form_may_be_spelled_otherwise(owner: Client, nobody: Client, index: str) -> None:
    assert owner.upload(index, wheel(), version="1.0.0").status_code == 200
    assert list(nobody.result(f"{index}/demo")) == ["1.0"]


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.1-py3-none-any.whl",
        "other-1.0-py3-none-any.whl",
        "demo-1.0.whl",
        "demo-1.0-py3-none-any.txt",
        "demo.whl",
        "demo-1.0.tar.gz",
        "-1.0.tar.gz",
        ".whl",
    ],
)
def test_a_file_name_that_does_not_agree_with_the_archive_is_400(owner: Client, index: str, filename: str) -> None:
    refuse(owner, index, evolve(wheel(), filename=filename))


@pytest.mark.parametrize(
    "content", [b"", b"no archive", wheel().content[:-30], wheel("other").content, b"PK\5\6" + b"\0" * 18]
)
def test_a_file_that_is_not_what_its_name_says_is_400(owner: Client, index: str, content: bytes) -> None:
    digests: dict[str, str | None] = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    refuse(owner, index, evolve(wheel(), content=content), digests)


def test_a_form_without_a_file_is_400(owner: Client, index: str) -> None:
    files = {key: (None, text) for key, text in wheel().fields.items()}
    answer = owner.ask("POST", f"{index}/", files=files)
    assert answer.status_code == 400
    assert "content" in answer.reason


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "", "multipart/form-data"])
def test_a_body_that_is_no_form_is_400(owner: Client, index: str, kind: str) -> None:
    answer = owner.ask("POST", f"{index}/", data=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.reason.isprintable()


def test_an_index_that_is_not_there_is_404(owner: Client) -> None:
    refuse(owner, f"{owner.user}/{fresh()}", wheel(), status=404)


def test_the_same_file_again_is_200_and_nothing_new(owner: Client, fixed: str) -> None:
    owner.upload(fixed, wheel())
    before = owner.serial()
    assert owner.upload(fixed, wheel()).status_code == 200
    assert owner.serial() == before


def test_other_bytes_are_409_on_an_index_that_is_not_volatile(owner: Client, nobody: Client, fixed: str) -> None:
    owner.upload(fixed, wheel())
    reason = refuse(owner, fixed, wheel(note="other"), status=409)
    assert reason.startswith("File already exists")
    assert nobody.get(f"{fixed}/{wheel().path}", "*/*").content == wheel().content


def test_twine_skips_what_exists(owner: Client, fixed: str, tmp_path: Path) -> None:
    owner.upload(fixed, wheel())
    answer = owner.upload(fixed, wheel(note="other"))
    path = tmp_path / wheel().filename
    path.write_bytes(wheel().content)
    package = PackageFile.from_filename(str(path), comment=None)
    assert skip_upload(answer, skip_existing=True, package=package)


def test_twine_does_not_skip_what_was_refused_otherwise(owner: Client, fixed: str, tmp_path: Path) -> None:
    answer = owner.upload(fixed, wheel(), name="other")
    path = tmp_path / wheel().filename
    path.write_bytes(wheel().content)
    package = PackageFile.from_filename(str(path), comment=None)
    assert not skip_upload(answer, skip_existing=True, package=package)


def test_other_bytes_replace_the_file_on_a_volatile_index(owner: Client, nobody: Client, index: str) -> None:
    old, new = wheel(), wheel(note="new")
    owner.upload(index, old)
    assert owner.upload(index, new).status_code == 200
    assert listed(nobody, index) == [new.filename]
    assert nobody.get(f"{index}/{new.path}", "*/*").content == new.content
    for suffix in ("", ".metadata"):
        assert nobody.get(f"{index}/{old.path}{suffix}", "*/*").status_code == 410


def test_a_replacement_stands_in_the_log_of_the_link(owner: Client, nobody: Client, index: str) -> None:
    for note in ("", "a", "b"):
        owner.upload(index, wheel(note=note))
    (link,) = nobody.result(f"{index}/demo/1.0")["+links"]
    assert [(entry["what"], entry.get("count")) for entry in link["log"]] == [("overwrite", 2), ("upload", None)]


def test_bytes_that_were_replaced_can_come_back(owner: Client, nobody: Client, index: str) -> None:
    for note in ("", "new", ""):
        assert owner.upload(index, wheel(note=note)).status_code == 200
    assert nobody.get(f"{index}/{wheel().path}", "*/*").status_code == 200
    assert nobody.get(f"{index}/{wheel(note='new').path}", "*/*").status_code == 410


def test_one_version_may_have_many_files(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    owner.upload(index, sdist())
    assert sorted(listed(nobody, index)) == sorted([wheel().filename, sdist().filename])
    assert len(nobody.result(f"{index}/demo/1.0")["+links"]) == 2


def test_the_same_file_may_be_in_many_indexes(owner: Client, nobody: Client) -> None:
    first, second = make_index(owner), make_index(owner)
    for index in (first, second):
        assert owner.upload(index, wheel()).status_code == 200
    owner.delete(first)
    assert nobody.get(f"{second}/{wheel().path}", "*/*").content == wheel().content


def test_a_lenient_index_takes_what_devpi_takes(owner: Client, nobody: Client) -> None:
    index = make_index(owner, upload_checks="lenient")
    odd = evolve(wheel(), filename="demo-1.0.egg", content=b"no archive")
    none = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    assert owner.upload(index, odd, **none).status_code == 200
    assert listed(nobody, index) == ["demo-1.0.egg"]
    assert nobody.result(f"{index}/demo/1.0")["summary"] == "what it is"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"version": "1.1"},
        {"sha256_digest": "00" * 32},
        {"action": "nonsense"},
        {"name": "not a name"},
    ],
)
def test_a_lenient_index_still_refuses_what_contradicts_itself(owner: Client, changes: dict[str, str | None]) -> None:
    refuse(owner, make_index(owner, upload_checks="lenient"), wheel(), changes)


def test_a_submitted_release_is_shown_without_files(owner: Client, nobody: Client, index: str) -> None:
    answer = owner.submit(index, "demo", "1.0", summary="only words", classifiers="A :: B")
    assert answer.status_code == 200
    assert answer.content == b""
    shown = nobody.result(f"{index}/demo/1.0")
    assert (shown["name"], shown["version"], shown["summary"]) == ("demo", "1.0", "only words")
    assert shown["classifiers"] == ["A :: B"]
    assert shown["+links"] == []
    page = nobody.get(f"{index}/+simple/demo/", SIMPLE).json()
    assert (page["files"], page["versions"]) == ([], ["1.0"])


def test_a_release_can_be_submitted_again_even_where_nothing_is_volatile(
    owner: Client, nobody: Client, fixed: str
) -> None:
    owner.submit(fixed, "demo", "1.0", summary="first")
    owner.submit(fixed, "demo", "1.0", summary="second")
    assert nobody.result(f"{fixed}/demo/1.0")["summary"] == "second"


def test_the_same_submitted_again_is_nothing_new(owner: Client, index: str) -> None:
    owner.submit(index, "demo", "1.0")
    before = owner.serial()
    assert owner.submit(index, "demo", "1.0").status_code == 200
    assert owner.serial() == before


@pytest.mark.parametrize(
    ("name", "version"), [("", "1.0"), ("not a name", "1.0"), ("demo", ""), ("demo", "1 0"), ("demo", "\N{SNOWMAN}")]
)
def test_a_submitted_release_needs_a_good_name_and_version(owner: Client, index: str, name: str, version: str) -> None:
    before = owner.serial()
    assert owner.submit(index, name, version).status_code == 400
    assert owner.serial() == before


def test_large_metadata_is_kept_and_served(owner: Client, nobody: Client, index: str) -> None:
    text = "long " * 20_000
    assert owner.submit(index, "demo", "1.0", description=text).status_code == 200
    assert nobody.result(f"{index}/demo/1.0")["description"].strip() == text.strip()


def test_a_field_sent_twice_with_one_value_is_one(owner: Client, index: str) -> None:
    files = [(key, (None, text)) for key, text in wheel().fields.items()]
    content = ("content", (wheel().filename, wheel().content))
    answer = owner.ask("POST", f"{index}/", files=[*files, ("name", (None, "demo")), content])
    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["name", "version", ":action"])
def test_a_field_sent_with_two_values_is_400(owner: Client, index: str, key: str) -> None:
    files = [(name, (None, text)) for name, text in wheel().fields.items()]
    content = ("content", (wheel().filename, wheel().content))
    answer = owner.ask("POST", f"{index}/", files=[*files, (key, (None, "other")), content])
    assert answer.status_code == 400


def test_an_upload_without_credentials_is_refused_before_its_bytes_are_sent(url: str, index: str) -> None:
    head = f"POST /{index}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n"
    answer = raw(url, head.encode(), whole=False)
    assert answer.startswith(b"HTTP/1.1 401 ")


def kind_of(prepared: requests.PreparedRequest) -> str:
    kind = prepared.headers["Content-Type"]
    return kind.decode() if isinstance(kind, bytes) else kind


def test_a_client_that_waits_to_be_asked_is_asked(url: str, index: str, owner: Client) -> None:
    request = requests.Request("POST", url, data=wheel().fields, files={"content": (wheel().filename, wheel().content)})
    prepared = request.prepare()
    body = prepared.body
    assert isinstance(body, bytes)
    head = f"POST /{index}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
    head += f"Authorization: {basic(owner.user, owner.password)}\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {kind_of(prepared)}\r\n\r\n"
    answer = raw(url, head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_an_upload_that_breaks_off_changes_nothing(url: str, index: str, owner: Client, nobody: Client) -> None:
    before = owner.serial()
    head = f"POST /{index}/ HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(owner.user, owner.password)}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
    part = b'--x\r\nContent-Disposition: form-data; name="content"; filename="demo-1.0.tar.gz"\r\n\r\nabc\r\n--x--\r\n'
    answer = raw(url, head.encode().replace(b"1000", str(len(part)).encode()) + part)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert nobody.serial() == before


def test_the_metadata_that_is_served_is_that_of_the_archive(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    served = nobody.get(f"{index}/{wheel().path}.metadata", "*/*").content
    assert served == metadata("demo", "1.0")
    (file,) = nobody.get(f"{index}/+simple/demo/", SIMPLE).json()["files"]
    assert file["core-metadata"] == {"sha256": hashlib.sha256(served).hexdigest()}


def test_a_file_name_is_taken_whatever_the_spelling_of_the_version(owner: Client) -> None:
    index = make_index(owner, volatile=False, upload_checks="lenient")
    assert owner.upload(index, wheel()).status_code == 200
    assert owner.upload(index, wheel(), version="1").status_code == 200  # the same bytes
    before = owner.serial()
    assert owner.upload(index, wheel(note="other"), version="1").status_code == 409
    assert owner.serial() == before


def test_a_file_of_another_spelling_of_the_version_replaces_the_one_before(owner: Client) -> None:
    index = make_index(owner, upload_checks="lenient")
    owner.upload(index, wheel())
    assert owner.upload(index, wheel(note="other"), version="1").status_code == 200
    page = owner.get(f"{index}/+simple/demo/", "application/vnd.pypi.simple.v1+json").json()
    assert [file["hashes"]["sha256"] for file in page["files"]] == [wheel(note="other").sha256]
    assert owner.get(f"{index}/{wheel().path}", "*/*").status_code == 410
