"""A node whose root/pypi is a mirror of something on loopback."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import requests

from changelog.blobs import Blobs
from changelog.verify import verify_node
from server.layout import Layout
from tests.processes import Node, new_node
from tests.upstream.files import UpstreamDist

PRIVATE = ("--allow-private-upstreams", "127.0.0.0/8")
MIRROR, STAGE = "root/pypi", "root/dev"  # the stage inherits the mirror
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
TIMEOUT_S = 60.0  # a busy machine is no failure
_LOOK_S = 0.02


@contextmanager
def mirroring(folder: Path, mirror_url: str, *, workers: int = 2, args: Sequence[str] = ()) -> Iterator[Node]:
    """Run a node with a mirror and a stage that inherits it; it has to be sound at the end."""
    node = new_node(folder, stages=(STAGE,), workers=workers, args=(*PRIVATE, *args), mirror_url=mirror_url).start()
    try:
        yield node
        check_spool(node)
        node.stop()
        check_files(node)
        assert "Traceback" not in node.log, node.log[-5_000:]
    finally:
        node.kill()


def check_files(node: Node) -> None:
    """Check the data folder as ``ledgerpi verify`` does, and besides that every blob has the digest of its name.

    Orphans are what a crash may leave.
    """
    layout = Layout(node.serverdir)
    report = verify_node(layout)
    assert report.clean, report.findings[:5]
    blobs = Blobs(layout.blobs)
    for path, digest in blobs.names():
        assert digest is not None, f"{path} is no blob"
        blobs.check(digest)


def check_spool(node: Node) -> None:
    """Wait until nothing is under way; what was has left nothing in the spool."""
    deadline = time.monotonic() + TIMEOUT_S
    while left := [path for path in Layout(node.serverdir).spool.glob("*/*") if path.is_file()]:
        assert time.monotonic() < deadline, f"left in the spool: {left}"
        time.sleep(_LOOK_S)


def simple(node: Node, index: str) -> str:
    """Return the URL of an index for installers."""
    return f"{node.url}/{index}/+simple/"


def page(node: Node, project: str, index: str = MIRROR) -> list[dict[str, object]]:
    """Return the files of a project's page, each with its absolute URL."""
    url = f"{simple(node, index)}{project}/"
    answer = requests.get(url, headers={"Accept": SIMPLE_JSON}, timeout=TIMEOUT_S)
    assert answer.status_code == 200, answer.text
    return [file | {"url": urljoin(url, file["url"])} for file in answer.json()["files"]]


def file_url(node: Node, dist: UpstreamDist, index: str = MIRROR) -> str:
    """Return where a node serves a file whose digest the upstream's page gives."""
    return node.url + file_path(dist, index)


def file_path(dist: UpstreamDist, index: str = MIRROR) -> str:
    """Return the path of :func:`file_url`."""
    return f"/{index}/+f/{dist.sha256[:3]}/{dist.sha256[3:16]}/{dist.filename}"
