"""The upstream index of the tests: what it says, and that its faults do what they say."""

import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from pypi_simple import ACCEPT_HTML_ONLY, ACCEPT_JSON_ONLY, ProjectPage, PyPISimple

from tests.upstream import faults, pages
from tests.upstream.files import chained_projects, chained_versions, sdist, wheel
from tests.upstream.reply import Gate
from tests.upstream.server import Upstream, upstream

WHEEL, SDIST = wheel(), sdist("demo", "0.9", yanked="broken")
TIMEOUT_S = 20.0
FORMS = [ACCEPT_JSON_ONLY, ACCEPT_HTML_ONLY]


@pytest.fixture
def index() -> Iterator[Upstream]:
    with upstream(WHEEL, SDIST, serial=7) as running:
        yield running


def get(url: str, accept: str = pages.JSON, **options: Any) -> requests.Response:  # noqa: ANN401 - those of requests
    headers = {"Accept": accept, "Connection": "close", **options.pop("headers", {})}
    return requests.get(url, headers=headers, timeout=TIMEOUT_S, **options)


def page(index: Upstream, accept: str = ACCEPT_JSON_ONLY) -> ProjectPage:
    with PyPISimple(index.simple, accept=accept) as client:
        return client.get_project_page("demo", timeout=TIMEOUT_S)


def file_url(index: Upstream) -> str:
    return f"{index.url}/{WHEEL.path}"


@pytest.mark.parametrize("accept", FORMS)
def test_both_forms_of_a_page_say_what_is_there(index: Upstream, accept: str) -> None:
    found = {file.filename: file for file in page(index, accept).packages}
    assert set(found) == {WHEEL.filename, SDIST.filename}
    assert found[WHEEL.filename].digests["sha256"] == WHEEL.sha256
    assert found[WHEEL.filename].requires_python == ">=3.9"
    assert found[WHEEL.filename].has_metadata
    assert found[SDIST.filename].yanked_reason == "broken"


def test_json_says_sizes_times_versions_status_and_serial(index: Upstream) -> None:
    index.describe("demo", status="archived", reason="done")
    said = page(index)
    assert {file.size for file in said.packages} == {len(WHEEL.content), len(SDIST.content)}
    assert all(file.upload_time for file in said.packages)
    assert said.versions == ["0.9", "1.0"]
    assert (said.status, said.status_reason) == ("archived", "done")
    assert said.last_serial == "7"


def test_an_old_index_speaks_html_only(index: Upstream) -> None:
    index.change(json=False)
    assert get(f"{index.simple}demo/").headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("accept", FORMS)
@pytest.mark.parametrize("origin", [pages.SAME, pages.OTHER_PORT, pages.LOCALHOST])
@pytest.mark.parametrize("urls", [pages.ABSOLUTE, pages.RELATIVE, pages.ROOTED])
def test_files_are_where_the_page_says(index: Upstream, accept: str, origin: str, urls: str) -> None:
    index.change(origin=origin, urls=urls, signed=True)
    (url,) = (file.url for file in page(index, accept).packages if file.filename == WHEEL.filename)
    assert get(url).content == WHEEL.content


def test_a_base_element_is_what_urls_are_relative_to(index: Upstream) -> None:
    index.change(base_href=True)
    assert get(page(index, ACCEPT_HTML_ONLY).packages[0].url).content == WHEEL.content


def test_signed_urls_expire(index: Upstream) -> None:
    index.change(signed=True)
    first, second = (page(index).packages[0].url for _ in range(2))
    assert first != second
    index.expire_signatures()
    assert [get(url).status_code for url in (first, page(index).packages[0].url)] == [403, 200]


def test_hashes_can_be_md5_or_none(index: Upstream) -> None:
    index.change(hashes=("md5",))
    assert set(page(index).packages[0].digests) == {"md5"}
    index.change(hashes=())
    assert not page(index).packages[0].digests


def test_what_did_not_change_is_answered_by_304(index: Upstream) -> None:
    url = f"{index.simple}demo/"
    known = {"If-None-Match": get(url).headers["ETag"]}
    assert get(url, headers=known).status_code == 304
    index.put(wheel("demo", "1.1"))
    assert get(url, headers=known).status_code == 200


def test_a_range_of_a_file_is_answered_by_206(index: Upstream) -> None:
    answer = get(file_url(index), headers={"Range": "bytes=5-9"})
    assert (answer.status_code, answer.content) == (206, WHEEL.content[5:10])


def test_metadata_lies_beside_a_wheel(index: Upstream) -> None:
    assert get(f"{file_url(index)}.metadata").content == WHEEL.metadata
    index.change(metadata=False)
    assert get(f"{file_url(index)}.metadata").status_code == 404


def test_credentials_are_wanted_at_the_index_and_written_down(index: Upstream) -> None:
    index.change(auth=("alice", "secret"), origin=pages.OTHER_PORT)
    assert get(f"{index.simple}demo/").status_code == 401
    assert get(f"{index.simple}demo/", auth=("alice", "secret")).ok
    assert get(f"{index.other_url}/{WHEEL.path}").ok
    assert [one.credentials for one in index.asked] == [None, ("alice", "secret"), None]


@pytest.mark.parametrize("accept", FORMS)
def test_the_list_names_all_projects(index: Upstream, accept: str) -> None:
    index.name("Other_Name")
    with PyPISimple(index.simple, accept=accept) as client:
        assert client.get_index_page(timeout=TIMEOUT_S).projects == ["demo", "Other_Name"]


def test_requests_are_written_down(index: Upstream) -> None:
    get(f"{index.simple}Demo/")
    get(file_url(index))
    assert [(one.method, one.path, one.status) for one in index.pages("demo")] == [
        ("GET", "/simple/Demo/", 301),
        ("GET", "/simple/demo/", 200),
    ]
    assert index.pages("demo")[0].headers["accept"] == pages.JSON
    assert [one.sent for one in index.files(WHEEL.filename)] == [len(WHEEL.content)]
    index.reset()
    assert not index.asked


def test_hundreds_of_clients_wait_at_a_gate(index: Upstream) -> None:
    gate = Gate()
    index.fail("page", faults.slow(gate))
    with ThreadPoolExecutor(300) as pool:
        answers = [pool.submit(get, f"{index.simple}demo/") for _ in range(300)]
        index.wait_for("page", 300)
        assert index.in_flight() == 300
        gate.open()
        assert all(answer.result().ok for answer in answers)
    assert index.most_at_once("page") == 300


def test_a_dead_index_refuses_connections_and_comes_back(index: Upstream) -> None:
    index.die()
    with pytest.raises(requests.ConnectionError, match="refused"):
        get(index.simple)
    index.revive()
    assert get(index.simple).ok


def test_death_ends_requests_that_wait(index: Upstream) -> None:
    index.fail("*", faults.silent())
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, index.simple)
        index.wait_for("list")
        index.die()
        with pytest.raises(requests.ConnectionError):
            answer.result()


def test_a_silent_index_says_nothing(index: Upstream) -> None:
    index.fail("page", faults.silent())
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{index.simple}demo/", timeout=0.2)


def test_faults_have_a_place_and_a_number(index: Upstream) -> None:
    index.fail("/simple/d*/", faults.status(429, retry_after="3"), times=1)
    answers = [get(index.simple), get(f"{index.simple}demo/"), get(f"{index.simple}demo/")]
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1].headers["Retry-After"] == "3"


def test_a_body_stalls_drips_and_is_cut(index: Upstream) -> None:
    gate = Gate()
    index.fail("file", faults.stalls(10, gate), faults.drips(64, 0.001), faults.truncated(100))
    answer = get(file_url(index), stream=True)
    assert answer.raw.read(10) == WHEEL.content[:10]
    gate.open()
    with pytest.raises(http.client.IncompleteRead):
        raw_body(file_url(index))


def test_bytes_sizes_and_digests_lie(index: Upstream) -> None:
    index.fail("file", faults.changed_bytes())
    index.fail("page", faults.wrong_size(), faults.wrong_sha256())
    changed, said = get(file_url(index)).content, page(index).packages[0]
    assert len(changed) == len(WHEEL.content)
    assert changed != WHEEL.content
    assert (said.size, said.digests) == (len(WHEEL.content) + 1, {"sha256": "0" * 64})
    index.heal()
    assert get(file_url(index)).content == WHEEL.content


def test_a_page_is_no_page(index: Upstream) -> None:
    for fault in (faults.html_as_json(), faults.invalid_json(), faults.empty()):
        index.fail("page", fault)
        with pytest.raises(json.JSONDecodeError):
            get(f"{index.simple}demo/").json()
        index.heal()


def test_a_gzip_bomb_is_small_on_the_wire(index: Upstream) -> None:
    index.fail("page", faults.gzip_bomb(50_000_000))
    packed = raw_body(f"{index.simple}demo/", pages.JSON)
    assert len(packed) < 100_000
    unpacked = gzip.decompress(packed)
    assert len(unpacked) > 50_000_000
    assert json.loads(unpacked)["name"] == "demo"


@pytest.mark.parametrize("accept", FORMS)
def test_a_page_has_as_many_links_as_wanted(index: Upstream, accept: str) -> None:
    index.fail("page", faults.many_links(12_345))
    assert len(page(index, accept).packages) == 12_345


def test_an_endless_file_has_no_end(index: Upstream) -> None:
    index.fail("file", faults.endless_file())
    with get(file_url(index), stream=True) as answer:
        assert len(answer.raw.read(5_000_000)) == 5_000_000


def test_redirects_go_in_a_circle(index: Upstream) -> None:
    index.fail("page", faults.redirect_loop())
    with pytest.raises(requests.TooManyRedirects):
        get(f"{index.simple}demo/")


@pytest.mark.parametrize("accept", FORMS)
def test_hostile_names_and_urls_are_listed_behind_the_good_ones(index: Upstream, accept: str) -> None:
    index.fail("page", faults.hostile_names(), faults.hostile_urls())
    text = get(f"{index.simple}demo/", accept).text
    assert "../../evil-1.0-py3-none-any.whl" in text
    assert "file:///etc/passwd" in text


def test_chained_projects_reach_each_other() -> None:
    with upstream(*chained_projects()) as index, PyPISimple(index.simple) as client:
        assert len(chained_versions()) == 30
        for name in chained_versions():
            for file in client.get_project_page(name, timeout=TIMEOUT_S).packages:
                content = get(file.url).content
                assert hashlib.sha256(content).hexdigest() == file.digests["sha256"]


def raw_body(url: str, accept: str = "*/*") -> bytes:
    """Return the body as it came, whatever its encoding."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path, headers={"Accept": accept})
        return connection.getresponse().read()
    finally:
        connection.close()
