"""A large wheel whose download is cut in the middle."""

from pathlib import Path

import pytest
from attrs import frozen

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.uploads import upload
from tests.http.accounts import make_index
from tests.http.client import Client
from tests.recording import Asked, Recorder

BIG = Project("big", "1.0", payload=30_000_000)
CUT = 10_000_000  # bytes after which the connection ends


@frozen
class Stored:
    """The wheel on its index."""

    index: str
    path: str  # of its URL
    content: bytes


@pytest.fixture(scope="module")
def big(root: Client, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """A wheel of 30 MB."""
    wheel = BIG.wheel(tmp_path_factory.mktemp("big"))
    index = make_index(root, volatile=False)
    upload(root, index, BIG, wheel)
    (link,) = root.result(f"{index}/big")["1.0"]["+links"]
    return Stored(index, link["href"].removeprefix(root.url), wheel.read_bytes())


def downloads(recorder: Recorder) -> list[Asked]:
    return [asked for asked in recorder.asked if asked.filename.endswith(".whl")]


def test_pip_resumes_where_it_was_cut(big: Stored, recorder: Recorder, clients: Clients, tmp_path: Path) -> None:
    recorder.cuts = [CUT]
    download = ("python", "-m", "pip", "download", "--index-url", f"{recorder.url}/{big.index}/+simple/")
    clients.run(*download, "--dest", tmp_path, "big")
    first, second = downloads(recorder)
    assert (first.status, second.status) == (200, 206)
    assert second.headers["range"] == f"bytes={CUT}-"
    assert (tmp_path / "big-1.0-py3-none-any.whl").read_bytes() == big.content


def test_pip_resumes_as_often_as_it_is_cut(big: Stored, recorder: Recorder, clients: Clients, tmp_path: Path) -> None:
    recorder.cuts = [CUT, CUT, CUT // 2]
    download = ("python", "-m", "pip", "download", "--index-url", f"{recorder.url}/{big.index}/+simple/")
    clients.run(*download, "--dest", tmp_path, "big")
    assert [asked.status for asked in downloads(recorder)] == [200, 206, 206, 206]
    assert (tmp_path / "big-1.0-py3-none-any.whl").read_bytes() == big.content


def test_curl_resumes_where_it_was_cut(big: Stored, recorder: Recorder, clients: Clients, tmp_path: Path) -> None:
    recorder.cuts = [CUT]
    target = tmp_path / "got"
    fetch = ("curl", "--silent", "--show-error", "--output", target, "--continue-at", "-", f"{recorder.url}{big.path}")
    assert clients.attempt(*fetch).code != 0
    assert target.stat().st_size == CUT
    clients.run(*fetch)
    assert [asked.status for asked in downloads(recorder)] == [200, 206]
    assert target.read_bytes() == big.content


def test_uv_installs_in_spite_of_a_cut(big: Stored, recorder: Recorder, clients: Clients, tmp_path: Path) -> None:
    recorder.cuts = [CUT]
    target = tmp_path / "target"
    install = ("uv", "pip", "install", "--default-index", f"{recorder.url}/{big.index}/+simple/")
    clients.run(*install, "--target", target, "big")
    assert (target / "big" / "payload").stat().st_size == BIG.payload
