"""Replicas as their operators run them, in processes of their own: ``ledgerpi replica-token`` and ``replica``."""

import itertools
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from changelog import log
from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE
from changelog.reader import Reader
from changelog.verify import Finding, Kind, verify_node
from server.layout import Layout
from tests.http.client import Client
from tests.processes import LEDGERPI, START_S, Node

FILES = (Kind.BLOB, Kind.CONTENT)
EQUAL_S = 40.0  # until copies are equal: a busy machine is no failure
_LOOK_S = 0.02
_NUMBERS = itertools.count(1)


class Replica(Node):
    """A replica in a data folder, which is made by the first start."""

    def __init__(
        self, serverdir: Path, primaries: Sequence[str], token: Path, *, workers: int = 2, args: Sequence[str] = ()
    ) -> None:
        """Follow *primaries*, URLs that count at the next start."""
        super().__init__(serverdir, workers=workers, args=args)
        self.primaries = tuple(primaries)
        self.token = token

    @property
    def program(self) -> Sequence[str]:
        """As its base."""
        options = [word for url in self.primaries for word in ("--primary", url)]
        return ("replica", *options, "--token-file", str(self.token))


def new_token(primary: Node, folder: Path, name: str = "") -> Path:
    """Enrol a replica and return the file with its token."""
    name = name or f"replica-{next(_NUMBERS)}"
    path = folder / f"{name}.token"
    path.write_text(ledgerpi("replica-token", "--serverdir", str(primary.serverdir), name).stdout)
    return path


def new_replica(
    primary: Node, folder: Path, args: Sequence[str] = (), *, via: str = "", workers: int = 2, name: str = ""
) -> Replica:
    """Enrol a replica of *primary*, which runs or ran, and return it; it does not run yet.

    It follows the node at *via*, or the primary itself. Its data folder is in *folder*.
    """
    token = new_token(primary, folder, name)
    return Replica(folder / token.stem, [via or primary.url], token, workers=workers, args=args)


def ledgerpi(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends with *code*."""
    done = subprocess.run([str(LEDGERPI), *words], capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def status(node: Node) -> dict[str, Any]:
    """Return ``+status``."""
    client = Client(node.url)
    try:
        found: dict[str, Any] = client.result("+status")
    finally:
        client.close()
    return found


def position(node: Node) -> tuple[int, str]:
    """Return serial and root."""
    found = status(node)
    return found["serial"], found["root"]


def wait_until(is_so: Callable[[], bool], what: Callable[[], object], within_s: float = EQUAL_S) -> None:
    """Return when it is so; else fail, and say *what* is instead."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, what()
        time.sleep(_LOOK_S)


def wait_for_members(primary: Node, *replicas: Node, within_s: float = EQUAL_S) -> None:
    """Return when all are members and told where they are: the log grows by that some moments after a start."""
    wanted = {status(replica)["uuid"] for replica in (primary, *replicas)}
    wait_until(
        lambda: wanted <= {row["name"] for row in status(primary)["members"] if row["url"]},
        lambda: (wanted, status(primary), [replica.log[-2_000:] for replica in replicas]),
        within_s,
    )


def wait_until_equal(primary: Node, *replicas: Node, within_s: float = EQUAL_S) -> None:
    """Return when all are members and have the same serial and root; nobody writes meanwhile."""
    wait_for_members(primary, *replicas, within_s=within_s)
    for replica in replicas:
        wait_until(
            lambda replica=replica: position(replica) == position(primary),  # type: ignore[misc] # of this turn
            lambda replica=replica: (status(primary), status(replica), replica.log[-2_000:]),  # type: ignore[misc]
            within_s,
        )


def wait_for_state(replica: Node, state: str, within_s: float = EQUAL_S) -> dict[str, Any]:
    """Return ``+status`` when it says that following is in *state*."""
    wait_until(lambda: bool(status(replica)["following"] == state), lambda: (state, status(replica)), within_s)
    return status(replica)


def entries(node: Node) -> list[bytes]:
    """Return the bytes of all entries on the disk."""
    reader = Reader(Layout(node.serverdir).changelog, DEFAULT_MAP_SIZE)
    try:
        with reader.snapshot() as store:
            return [raw for _, raw in log.entries(store)]
    finally:
        reader.close()


def check_copy(primary: Node, *replicas: Node, files: bool = False) -> None:
    """Check that the copies have the primary's entries, in its order, and that log, tree and views are sound.

    Unless *files*, files that did not pass through a replica may be missing, core metadata of over 16 KiB among them.
    """
    original, blobs = entries(primary), Blobs(Layout(primary.serverdir).blobs)
    for replica in replicas:
        assert entries(replica) == original
        report = verify_node(Layout(replica.serverdir), settled_s=3_600)
        wrong = [finding for finding in report.findings if finding.kind is not Kind.ORPHAN]
        if not files:
            wrong = [finding for finding in wrong if not (finding.kind in FILES and blobs.has(_digest(finding)))]
        assert not wrong, wrong[:5]


def _digest(finding: Finding) -> bytes:
    return bytes.fromhex(finding.subject)
