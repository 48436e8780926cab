"""A primary, and what tests of a replica's files ask of it and of replicas."""

import hashlib
import random
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import requests
from attrs import define, evolve, field

from tests import archives
from tests.following import Replica
from tests.http import client
from tests.http.client import Client, Dist
from tests.mirror.site import fresh, until
from tests.processes import LEDGERPI, Node
from tests.replica.faulty import Faulty

STAGE, OTHER = "root/dev", "root/other"
LARGE = 300_000  # bytes of a large file, or somewhat more
ANY = "*/*"


@define
class Copied:
    """A running primary, behind what counts and spoils the files that replicas ask for."""

    primary: Node
    proxy: Faulty  # for lazy replicas
    other: Faulty  # for one with all files
    root: Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.root = Client(self.primary.url, "root", "secret")

    def upload(self, dist: Dist, index: str = STAGE) -> Dist:
        """Upload a file to the primary."""
        answer = self.root.upload(index, dist)
        assert answer.status_code == 200, answer.reason
        return dist

    def delete(self, dist: Dist, index: str = STAGE) -> None:
        """Delete a file."""
        assert self.root.delete(f"{index}/{dist.path}").status_code == 200

    def wait_for(self, replica: Node) -> dict[str, Any]:
        """Wait until a replica has all files that it wants before it is asked, and return what it says of them."""
        serial = self.root.serial()
        until(lambda: (found := standing(replica))["serial"] >= serial and not found["missing"])
        return standing(replica)

    def get(self, replica: Node, dist: Dist, index: str = STAGE, **headers: str) -> requests.Response:
        """Return a replica's answer to a request for a file, once its log has that."""
        return asked(replica, "GET", f"{index}/{dist.path}", X_Ledgerpi_Min_Position=self.position, **headers)

    @property
    def position(self) -> str:
        """Where the primary's log ends."""
        found = self.root.result("+status")
        return f"{found['epoch']}:{found['serial']}"


def asked(node: Node, method: str, path: str, **headers: str) -> requests.Response:
    """Return the answer to a request on a connection of its own."""
    nobody = Client(node.url)
    try:
        return (nobody.head if method == "HEAD" else nobody.get)(path, ANY, **headers)
    finally:
        nobody.close()


def standing(replica: Node) -> dict[str, Any]:
    """Return what a replica says of its files."""
    nobody = Client(replica.url)
    try:
        return {"serial": 0, "missing": 0, "reasons": [], **nobody.result("+status")["files"]}
    finally:
        nobody.close()


def reason(replica: Node, sha256: str) -> str:
    """Return why a replica could not have a file, "" if it says nothing of it."""
    found = {row["sha256"]: row["reason"] for row in standing(replica)["reasons"]}
    return str(found.get(sha256, ""))


def small() -> Dist:
    """Return a wheel that nothing else has."""
    return client.wheel(fresh("small"))


def large() -> Dist:
    """Return a wheel that is sent by the kernel, and fetched in several pieces."""
    name = fresh("large")
    return client.wheel(name, note=random.Random(name).randbytes(LARGE).hex())  # noqa: S311 - the same each time


def with_large_metadata() -> Dist:
    """Return a wheel whose core metadata are a blob."""
    name = fresh("metadata")
    small = client.wheel(name)
    info = f"{name}-1.0.dist-info"
    files = {f"{name}.py": b"", f"{info}/METADATA": metadata_of(name), f"{info}/WHEEL": archives.WHEEL}
    content = archives.zip_of(archives.wheel_entries(files, dist_info=info))
    fields = {key: text for key, text in small.fields.items() if not key.endswith("_digest")}
    return evolve(small, content=content, fields=fields)


def metadata_of(name: str) -> bytes:
    """Return the core metadata of :func:`with_large_metadata`."""
    return client.metadata(name, "1.0") + b"And more of it.\n" * 2_000


def blob(node: Node, content: bytes) -> Path:
    """Return where the bytes lie in a node, if they are there."""
    sha256 = hashlib.sha256(content).hexdigest()
    return node.serverdir / "blobs" / sha256[:2] / sha256


def is_here(node: Node, content: bytes) -> bool:
    """Return whether a node has the bytes, whole."""
    path = blob(node, content)
    return path.exists() and path.read_bytes() == content


def wait_until_here(node: Node, *contents: bytes) -> None:
    """Wait until a node has all these bytes."""
    for content in contents:
        until(partial(is_here, node, content))


def verify(replica: Replica) -> None:
    """Check a replica as its operator does."""
    command = [str(LEDGERPI), "verify", "--serverdir", str(replica.serverdir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
