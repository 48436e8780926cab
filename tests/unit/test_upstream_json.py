"""What the JSON form of an upstream's pages says (PEP 691, 700, 714, 740, 792)."""

import io
import json

import pytest

from changelog.views.page import Status
from server.upstream.page import InvalidPage, UpstreamFile
from server.upstream.read_page import read_list
from tests.upstream_pages import DEMO, JSON, SHA256, URL, WHEEL, item, only, page, read_bytes, read_json


def test_every_field_of_a_file_is_read() -> None:
    found = read_json(
        page(
            {
                "filename": WHEEL,
                "url": f"https://files.example/a/{WHEEL}#sha256={SHA256}",
                "hashes": {"sha256": SHA256, "MD5": "0A" * 16, "blake2b_256": "cd" * 32},
                "size": 12,
                "upload-time": "1970-01-02T00:00:00.000001Z",
                "requires-python": ">=3.8",
                "yanked": "broken",
                "core-metadata": {"sha256": "cd" * 32},
                "provenance": "https://index.example/integrity/1",
            },
            project_status={"status": "archived", "reason": "old"},
            versions=["1.0"],
        )
    )
    assert found.status is Status.ARCHIVED
    assert (found.reason, found.serial, found.left_out) == ("old", 7, ())
    assert only(found) == UpstreamFile(
        filename=only(found).filename,
        version=only(found).version,
        url=f"https://files.example/a/{WHEEL}",
        sha256=bytes.fromhex(SHA256),
        hashes=(("blake2b_256", "cd" * 32), ("md5", "0a" * 16)),
        size=12,
        upload_time=86_400_000_001,
        requires_python=">=3.8",
        yanked="broken",
        core_metadata=bytes.fromhex("cd" * 32),
        provenance="https://index.example/integrity/1",
    )


def test_what_is_not_said_is_not_there() -> None:
    file = only(read_json({"name": DEMO, "files": [{"filename": WHEEL, "url": WHEEL}]}))
    assert (file.filename, file.version, file.url) == (WHEEL, "1.0", URL + WHEEL)
    assert (file.sha256, file.hashes, file.size, file.upload_time) == (b"", (), None, None)
    assert (file.requires_python, file.yanked, file.core_metadata, file.provenance) == ("", None, None, "")


@pytest.mark.parametrize(
    ("field", "said", "read"),
    [
        *(("size", said, None) for said in (-1, 1 << 63, 1.0, "1", True, None, [1])),
        *(("size", 0, 0), ("size", (1 << 63) - 1, (1 << 63) - 1)),
        *(("yanked", said, None) for said in (False, None, "", 1, ["x"])),
        *(("yanked", True, ""), ("yanked", "a\nb\x00\x1b", "a\nb??"), ("yanked", "x" * 2_000, "x" * 1_000)),
        *(("requires-python", said, "") for said in (None, 3, "", ">" * 1_001, ">3\x00", ">3\x85")),
        *(("requires-python", said, ">=3, <4") for said in (">=3, <4", ">=3,\t<4", ">=3,\r\n\n<4\n")),
        *(("core-metadata", said, None) for said in (None, False, "true", 1, {"sha256": "ab"}, {"sha256": None})),
        *(("core-metadata", said, b"") for said in (True, {}, {"md5": "ab"})),
        *((name, {"sha256": SHA256}, b"\xab" * 32) for name in ("core-metadata", "dist-info-metadata")),
        ("data-dist-info-metadata", {"sha256": SHA256}, b"\xab" * 32),
        *(("provenance", said, "") for said in (None, 1, "file:///x", "http://[", "https://h/ x", "x" * 2_001)),
        *(("upload-time", said, None) for said in (None, 1, "", "2024-01-01", "2024-01-01T00:00:00", "now")),
        *(("upload-time", said, None) for said in ("2024-13-01T00:00:00Z", "1969-12-31T23:59:59Z")),
        *(("upload-time", f"1970-01-01T00:00:01{said}", None) for said in (".Z", ".0123456789Z", "Zulu", "+1")),
        *(("upload-time", f"1970-01-01T00:00:01{said}", 1_000_000) for said in ("Z", ".0Z", ".000000999Z", "+00:00")),
        ("upload-time", "1970-01-01T05:30:01.25+05:30", 1_250_000),
        ("upload-time", "1970-01-01T00:00:00-0001", 60_000_000),
    ],
)
def test_an_optional_field_is_read_or_not_said(field: str, said: object, read: object) -> None:
    names = {"data-dist-info-metadata": "core_metadata", "dist-info-metadata": "core_metadata"}
    file = only(read_json(page(item() | {field: said})))
    assert getattr(file, names.get(field, field.replace("-", "_"))) == read


def test_core_metadata_counts_before_its_older_name() -> None:
    assert only(read_json(page(item(core_metadata=False, dist_info_metadata=True)))).core_metadata is None


@pytest.mark.parametrize(
    "hashes",
    [
        *({"sha256": said} for said in ("", "ab", "zz" * 32, " a" * 32, "ab" * 33, None, 1, ["ab" * 32])),
        *([], "sha256", 1, {"sha256": "ab" * 32, "SHA256": "cd" * 32}, {"md5": "ab" * 16, "Sha256": "ab"}),
    ],
)
def test_a_file_with_a_malformed_sha256_is_left_out(hashes: object) -> None:
    found = read_json(page(item(hashes=hashes)))
    assert not found.files
    assert len(found.left_out) == 1


def test_digests_are_sorted_and_malformed_or_unknown_ones_not_said() -> None:
    said = {
        "sha512": "AB" * 64,
        "md5": "abc",
        "sha1": 1,
        "crc32": "abcd",
        "blake2b": "ab" * 64,
        "SHA256": SHA256.upper(),
    }
    file = only(read_json(page(item(hashes=said))))
    assert (file.sha256.hex(), file.hashes) == (SHA256, (("blake2b", "ab" * 64), ("sha512", "ab" * 64)))


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("https://h.example/x?a=b#c", "https://h.example/x?a=b"),
        ("http://u:p@h.example:81/a/../x", "http://u:p@h.example:81/a/../x"),
        ("HTTPS://h.example/x", "https://h.example/x"),
        ("https://h.example/ü", "https://h.example/ü"),
        ("../../+f/ab1/cde/x.whl", "https://index.example/+f/ab1/cde/x.whl"),
        ("../../../../../x", "https://index.example/x"),
        ("a/x", URL + "a/x"),
        ("a/../x", URL + "x"),
        ("./x", URL + "x"),
        ("/x", "https://index.example/x"),
        ("//h.example/x", "https://h.example/x"),
        ("?a", URL + "?a"),
        ("x;a", URL + "x;a"),
        *((url, None) for url in ("", 1, None, "x y", "x\\y", "x\ty", "x\x7f", "x\x85", "x\xa0", "x" * 2_001)),
        *((url, None) for url in ("x" * 1_990, "file:///x", "mailto:x@y", "javascript:x", "https:///x", "http://")),
        *((url, None) for url in ("https://h:x/y", "https://h:99999/y", "https://[::1/y", "//[/x", "https://?x")),
    ],
)
def test_urls_become_absolute_or_their_file_is_left_out(url: object, absolute: str | None) -> None:
    found = read_json(page(item(url=url)))
    assert [file.url for file in found.files] == ([] if absolute is None else [absolute])
    assert len(found.left_out) == (absolute is None)


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("demo_project-1.0-py3-none-any.whl", "1.0"),
        ("Demo.Project-1.0-1-py3-none-any.whl", "1.0"),
        ("demo__project-1.0+up_1-py3-none-any.whl", "1.0+up-1"),
        ("demo_project-1!2.0-cp311-abi3-linux_x86_64.whl", "1!2.0"),
        ("demo_project-2004d-py3-none-any.whl", "2004d"),
        ("demo-project-1.0.tar.gz", "1.0"),
        ("DEMO_PROJECT-1.0-1.ZIP", "1.0-1"),
        ("demo.project-v1.0.tar.bz2", "v1.0"),
        ("demo-project-1.0-dev-r12.tgz", "1.0-dev-r12"),
        ("demo-project-1.0.tar.xz", "1.0"),
        ("demo-project-1.0.tar.Z", "1.0"),
        ("demo-project-1.0.tar", "1.0"),
        ("demo_project-1.0_1-py2.7-linux-x86_64.egg", "1.0-1"),
        ("demo-project-1.0.win32-py2.7.exe", "1.0"),
        ("demo-project-1.0.win-amd64.msi", "1.0"),
        ("demo-project-1.0-1.noarch.rpm", "1.0"),
        ("demo-project-1.0.linux-x86_64.tar.gz", "1.0"),
        ("demo-project-1.0-py2.5-macosx10.4.dmg", "1.0"),
        ("demo-project-1.0.deb", "1.0"),
        *((name, None) for name in ("demo_project-1.0-py3-none.whl", "demo-1.0-py3-none-any.whl", "demo_project.whl")),
        *((name, None) for name in ("demo-project-1.0.txt", "demo-project-1.0.tar.gz.asc", "demo-project-1.0", ".whl")),
        *((name, None) for name in ("demo_project-1.0-py3-none-any.whl.metadata", "other-1.0.tar.gz", "1.0.tar.gz")),
        *((name, None) for name in ("demo-project-extra-1.0.tar.gz", "demo-project.tar.gz", "demo-project-.zip")),
        *((name, None) for name in ("demo-project-trunk.zip", "demoproject-1.0.zip", "demo-project--1.0.zip", ".zip")),
        *((name, None) for name in ("a/demo-project-1.0.zip", "..\\demo-project-1.0.zip", "demo-project-1.0\n.zip")),
        *((name, None) for name in ("demo-project-" + "1" * 300 + ".zip", "demo-project-" + "1" * 129 + ".zip")),
        *((name, None) for name in ("demo-project-1.\u0660.zip", "demo-project-\ud800.zip", "", 1, None, ["x"])),
        ("demo_pro\u017eect-1.0-py3-none-any.whl", None),
        ("demo_project-\u0661.0-py3-none-any.whl", None),
    ],
)
def test_a_file_is_the_projects_if_its_name_says_so(filename: object, version: str | None) -> None:
    found = read_json(page(item(filename=filename, url="x")))
    assert [file.version for file in found.files] == ([] if version is None else [version])
    assert len(found.left_out) == (version is None)


def test_letters_that_only_look_alike_are_other_names() -> None:
    body = {"name": "kiss", "files": [item("\u212aiss-1.0-py3-none-any.whl"), item("ki\u017f\u017f-1.0.zip")]}
    with pytest.raises(InvalidPage):
        read_json(body)
    found = read_json({**body, "name": DEMO})
    assert not found.files


def test_a_version_is_spelled_as_the_page_spells_it() -> None:
    names = ["demo_project-1-py3-none-any.whl", "demo-project-1.0.0.tar.gz", "demo-project-2.0.tar.gz"]
    found = read_json(page(*map(item, names), versions=["1.0", 3, "x y", "2.0", "2.0.0", "01.0"]))
    assert [file.version for file in found.files] == ["1.0", "1.0", "2.0"]
    assert [file.version for file in read_json(page(*map(item, names), versions=1)).files] == ["1", "1.0.0", "2.0"]


def test_the_first_of_files_with_one_name_counts_and_order_stays() -> None:
    found = read_json(page(item("demo-project-2.zip"), item("demo-project-1.zip", size=1), item("demo-project-1.zip")))
    assert [(file.filename, file.size) for file in found.files] == [
        *(("demo-project-2.zip", None), ("demo-project-1.zip", 1))
    ]
    assert found.left_out == ("listed twice: 'demo-project-1.zip'",)


def test_twenty_reasons_are_kept_at_most() -> None:
    assert len(read_json(page(*[{}] * 30)).left_out) == 20


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        ({"project_status": {"status": "quarantined"}}, Status.QUARANTINED, ""),
        ({"project_status": {"status": "deprecated", "reason": "r" * 2_000}}, Status.DEPRECATED, "r" * 1_000),
        ({"project_status": {"status": "novel", "reason": 1}}, Status.ACTIVE, ""),
        ({"project_status": {"status": ["archived"]}}, Status.ACTIVE, ""),
        ({"meta": {"project-status": "archived", "project-status-reason": "x"}}, Status.ARCHIVED, "x"),
    ],
)
def test_the_status_is_read(said: dict[str, object], status: Status, reason: str) -> None:
    found = read_json(page(**said))
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.parametrize(
    ("said", "serial"), [(0, 0), (-1, None), ("7", None), (1 << 63, None), (None, None), (7.0, None)]
)
def test_a_serial_is_a_number(said: object, serial: int | None) -> None:
    assert read_json(page(meta={"_last-serial": said})).serial == serial


@pytest.mark.parametrize(
    "said",
    [
        *([], 1, None, "x", {}, {"files": []}, page(name="other"), page(name=1), page(name=None), page(files={})),
        *(page(files=None), page(files=True), page(meta=1), page(meta={"api-version": 1.0})),
        *(page(meta={"api-version": said}) for said in ("2.0", "1", "", "1.x", "\u0661.0", "10.0", ["1.0"])),
    ],
)
def test_what_is_no_page_of_the_project_is_refused(said: object) -> None:
    with pytest.raises(InvalidPage) as refused:
        read_json(said)
    assert 10 < len(str(refused.value)) < 400


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "", "application/octet-stream"])
def test_a_page_is_known_by_its_type_or_its_first_byte(content_type: str) -> None:
    body = b"\xef\xbb\xbf \n" + json.dumps(page(item())).encode()
    assert only(read_bytes(body, content_type)).filename == WHEEL


@pytest.mark.parametrize("content_type", ["text/plain", "application/vnd.pypi.simple.v2+json", "image/png", "x"])
def test_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidPage, match="type"):
        read_bytes(json.dumps(page(item())).encode(), content_type)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"[]", b"\x00{"])
def test_without_a_type_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidPage, match="begins with"):
        read_bytes(body, "")


def test_the_names_of_a_list_are_normalized_and_bad_ones_left_out() -> None:
    projects = [{"name": "A_b"}, {"name": "-x"}, {"name": 1}, {}, "c", {"name": "C", "_last-serial": 1}]
    body = json.dumps({"meta": {"api-version": "1.0"}, "projects": projects}).encode()
    assert list(read_list(io.BytesIO(body), JSON)) == ["a-b", "c"]


@pytest.mark.parametrize("said", [{}, [], {"projects": {}}, {"projects": [], "meta": {"api-version": "2.0"}}])
def test_what_is_no_list_is_refused(said: object) -> None:
    with pytest.raises(InvalidPage):
        list(read_list(io.BytesIO(json.dumps(said).encode()), JSON))
