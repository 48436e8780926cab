"""``+f``: bytes, ranges, conditions, core metadata."""

import hashlib

import pytest

from tests.http.client import Client, Dist, metadata, raw, sdist, wheel

ANY = "*/*"
LARGE = sdist("large", note="".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(20_000)))
DISTS = (wheel(), LARGE)  # one is kept in memory, one is sent from its file


@pytest.fixture(scope="module")
def stored(owner: Client) -> str:
    """A volatile index with a small and a large file."""
    name = f"{owner.user}/stored"
    assert owner.put(name, {}).status_code == 200
    for dist in DISTS:
        assert owner.upload(name, dist).status_code == 200
    return name


def test_the_large_file_is_large() -> None:
    assert len(LARGE.content) > 300_000


@pytest.mark.parametrize("dist", DISTS)
def test_a_file_is_sent_whole_and_may_be_kept_for_ever(nobody: Client, stored: str, dist: Dist) -> None:
    for _ in range(4):  # a later answer may be a ready one
        answer = nobody.get(f"{stored}/{dist.path}", ANY)
        assert answer.status_code == 200
        assert answer.content == dist.content
        assert answer.headers["Content-Length"] == str(len(dist.content))
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["ETag"] == f'"{dist.sha256}"'
        assert answer.headers["Last-Modified"].endswith(" GMT")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_plus_may_be_percent_encoded_as_pip_does(nobody: Client, stored: str) -> None:
    assert nobody.get(f"{stored}/%2Bf{wheel().path[2:]}", ANY).content == wheel().content


def test_a_compressed_archive_has_no_content_encoding(nobody: Client, stored: str) -> None:
    headers = nobody.get(f"{stored}/{LARGE.path}", ANY).headers
    assert "Content-Encoding" not in headers
    assert headers["Content-Type"] == "application/gzip"


RANGES = [
    ("bytes=0-9", 0, 10),
    ("bytes=0-0", 0, 1),
    ("bytes=5-", 5, None),
    ("bytes=-7", -7, None),
    ("bytes=10-99999999999", 10, None),
    ("bytes=-99999999999", 0, None),
]


@pytest.mark.parametrize("dist", DISTS, ids=["small", "large"])
@pytest.mark.parametrize("case", RANGES)
def test_a_range_is_206_with_those_bytes(
    nobody: Client, stored: str, dist: Dist, case: tuple[str, int, int | None]
) -> None:
    header, start, stop = case
    size = len(dist.content)
    answer = nobody.get(f"{stored}/{dist.path}", ANY, Range=header)
    assert answer.status_code == 206
    wanted = dist.content[slice(start, stop)]
    assert answer.content == wanted
    first = size - len(wanted) if stop is None else start
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{size}"
    assert answer.headers["ETag"] == f'"{dist.sha256}"'


@pytest.mark.parametrize("dist", DISTS, ids=["small", "large"])
@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=-0", "bytes=99999999999999999999999-"])
def test_a_range_behind_the_end_is_416_with_the_size(nobody: Client, stored: str, dist: Dist, header: str) -> None:
    answer = nobody.get(f"{stored}/{dist.path}", ANY, Range=header)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(dist.content)}"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "bytes=5-1", "lines=0-1", "bytes=x-", "bytes", "", "bytes=--1"])
def test_a_range_that_is_not_understood_is_ignored(nobody: Client, stored: str, header: str) -> None:
    answer = nobody.get(f"{stored}/{wheel().path}", ANY, Range=header)
    assert answer.status_code == 200
    assert answer.content == wheel().content


def test_a_range_counts_only_if_the_file_is_the_one_that_is_known(nobody: Client, stored: str) -> None:
    path, tag = f"{stored}/{wheel().path}", f'"{wheel().sha256}"'
    modified = nobody.get(path, ANY).headers["Last-Modified"]
    assert nobody.get(path, ANY, Range="bytes=0-1", If_Range=tag).status_code == 206
    for other in ('"other"', f"W/{tag}", "Sat, 01 Jan 2000 00:00:00 GMT", "nonsense"):
        assert nobody.get(path, ANY, Range="bytes=0-1", If_Range=other).status_code == 200
    assert nobody.get(path, ANY, Range="bytes=0-1", If_Range=modified).status_code in (200, 206)


@pytest.mark.parametrize("dist", DISTS, ids=["small", "large"])
def test_a_file_that_is_known_is_304(nobody: Client, stored: str, dist: Dist) -> None:
    path = f"{stored}/{dist.path}"
    modified = nobody.get(path, ANY).headers["Last-Modified"]
    for known in (f'"{dist.sha256}"', f'"x", W/"{dist.sha256}"', "*"):
        answer = nobody.get(path, ANY, If_None_Match=known)
        assert (answer.status_code, answer.content) == (304, b"")
    assert nobody.get(path, ANY, If_Modified_Since=modified).status_code == 304
    assert nobody.get(path, ANY, If_Modified_Since="Sat, 01 Jan 2000 00:00:00 GMT").status_code == 200
    assert nobody.get(path, ANY, If_Modified_Since=modified, If_None_Match='"other"').status_code == 200


@pytest.mark.parametrize("dist", DISTS, ids=["small", "large"])
def test_head_of_a_file_has_its_headers_and_no_bytes(nobody: Client, url: str, stored: str, dist: Dist) -> None:
    request = f"HEAD /{stored}/{dist.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, _, body = raw(url, request.encode()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert f"Content-Length: {len(dist.content)}".encode() in head
    assert body == b""
    assert nobody.head(f"{stored}/{dist.path}", ANY).headers["ETag"] == f'"{dist.sha256}"'


def test_json_tells_what_is_known_of_a_file(nobody: Client, stored: str) -> None:
    answer = nobody.get(f"{stored}/{wheel().path}", "application/json")
    body = answer.json()
    assert body["type"] == "releasefilemeta"
    result = body["result"]
    assert (result["project"], result["version"], result["size"]) == ("demo", "1.0", len(wheel().content))
    assert result["hash_spec"] == f"sha256={wheel().sha256}"
    assert result["hashes"]["sha256"] == wheel().sha256
    assert result["hashes"]["md5"] == wheel().fields["md5_digest"]
    assert result["last_modified"] == nobody.get(f"{stored}/{wheel().path}", ANY).headers["Last-Modified"]


def test_bytes_and_json_of_a_file_are_not_mixed_up(nobody: Client, stored: str) -> None:
    for _ in range(4):
        assert nobody.get(f"{stored}/{wheel().path}", ANY).content == wheel().content
        assert nobody.get(f"{stored}/{wheel().path}", "application/json").json()["type"] == "releasefilemeta"


def test_the_metadata_of_a_wheel_are_beside_it(nobody: Client, stored: str) -> None:
    for _ in range(4):
        answer = nobody.get(f"{stored}/{wheel().path}.metadata", ANY)
        assert answer.status_code == 200
        assert answer.content == metadata("demo", "1.0")
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


def test_the_page_has_the_hash_of_the_metadata_that_are_served(nobody: Client, stored: str) -> None:
    served = hashlib.sha256(nobody.get(f"{stored}/{wheel().path}.metadata", ANY).content).hexdigest()
    (file,) = nobody.get(f"{stored}/+simple/demo/", "application/vnd.pypi.simple.v1+json").json()["files"]
    assert file["core-metadata"]["sha256"] == served


def test_an_sdist_has_no_metadata_beside_it(nobody: Client, stored: str) -> None:
    assert nobody.get(f"{stored}/{LARGE.path}.metadata", ANY).status_code == 404
    (file,) = nobody.get(f"{stored}/+simple/large/", "application/vnd.pypi.simple.v1+json").json()["files"]
    assert "core-metadata" not in file


@pytest.mark.parametrize(
    "path",
    [
        f"+f/000/{wheel().path.split('/')[2]}/{wheel().filename}",
        f"+f/{wheel().path.split('/')[1]}/0000000000000/{wheel().filename}",
        wheel().path.replace("demo", "other"),
        f"{wheel().path}.asc",
        f"+f/xyz/0123456789abc/{wheel().filename}",
        f"+f/0/0/{wheel().filename}",
        f"+f/01/23456789abcdef/{wheel().filename}",
        wheel().path.replace("/", "/%20", 1),
    ],
)
def test_a_file_that_never_was_is_404(nobody: Client, stored: str, path: str) -> None:
    for suffix in ("", ".metadata"):
        assert nobody.get(f"{stored}/{path}{suffix}", ANY).status_code == 404


def test_a_file_of_a_base_is_at_its_own_index_only(owner: Client, nobody: Client, stored: str) -> None:
    heir = f"{owner.user}/heir"
    owner.put(heir, {"bases": [stored]})
    assert nobody.get(f"{heir}/{wheel().path}", ANY).status_code == 404


def test_a_deleted_file_is_410_and_its_metadata_too(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    path = f"{index}/{wheel().path}"
    for _ in range(4):
        nobody.get(path, ANY)
    assert owner.delete(path).status_code == 200
    for _ in range(4):
        assert nobody.get(path, ANY).status_code == 410
        assert nobody.get(f"{path}.metadata", ANY).status_code == 410
        assert nobody.get(path, ANY, If_None_Match=f'"{wheel().sha256}"').status_code == 410


def test_a_deleted_file_can_be_uploaded_again(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    owner.delete(f"{index}/{wheel().path}")
    assert owner.upload(index, wheel()).status_code == 200
    assert nobody.get(f"{index}/{wheel().path}", ANY).content == wheel().content
