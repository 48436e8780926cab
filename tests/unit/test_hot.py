"""Ready answers: what clients make up as headers takes no more memory than the bodies may."""

from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from changelog.reader import Reader
from server.hot import MAX_BYTES, HotAnswers
from tests import nodes


def test_long_headers_count_as_memory(tmp_path: Path) -> None:
    with nodes.node(tmp_path):
        pass
    reader = Reader(tmp_path / "changelog", nodes.SMALL_MAP)
    hot = HotAnswers(reader)
    now = reader.snapshot_transaction()
    first = make_mocked_request("GET", "/", {"Accept": "first"})
    hot.keep(first, web.Response(text="x"), now)
    assert hot.find(first)
    for number in range(MAX_BYTES // 16_000):
        request = make_mocked_request("GET", "/", {"Accept": f"{number:016000}"})
        hot.keep(request, web.Response(text="x"), now)
    assert not hot.find(first)
    reader.close()
