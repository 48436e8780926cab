"""What must be true after every crash."""

import random

from changelog.verify import verify_node
from server.layout import Layout
from tests.crash.client import Client
from tests.crash.model import PROJECTS, History, Model, digest_of
from tests.processes import Node

SAMPLE = 20  # unchanged files that a check between rounds looks at
EVERYTHING = 1 << 30
METADATA = ".metadata"


def check_served(node: Node, model: Model, chance: random.Random, others: int = SAMPLE) -> None:
    """Compare what the node serves with *model*: all pages; the files that changed and some *others*."""
    assert not model.unexpected, model.unexpected[:5]
    client = Client(node.url)
    try:
        listed = _listed(client)
        _check_names(listed, model)
        for history in model.sample(chance, others):
            _check_history(client, history, listed.get(history.filename))
            history.changed = False
    finally:
        client.close()


def check_node(node: Node) -> None:
    """Check the data folder as ``ledgerpi verify`` does; orphans are what a crash may leave."""
    report = verify_node(Layout(node.serverdir))
    assert report.clean, report.findings[:5]


def _listed(client: Client) -> dict[str, dict[str, object]]:
    """Return every file of every page by name."""
    assert client.projects() <= set(PROJECTS)
    return {file["filename"]: file for project in PROJECTS for file in client.files(project)}


def _check_names(listed: dict[str, dict[str, object]], model: Model) -> None:
    """Every file that is listed was sent, and every one that certainly is there is listed."""
    for history in model.histories:
        digest = _sha256(listed.get(history.filename))
        assert digest in history.possible, f"{history.filename} is {digest}, not one of {history.possible}"
    unknown = listed.keys() - {history.filename for history in model.histories}
    assert not unknown, f"nobody sent {unknown}"


def _check_history(client: Client, history: History, file: dict[str, object] | None) -> None:
    digest = _sha256(file)
    history.settle(digest)  # nothing is under way: what may be true is now known
    for sent, path in history.paths.items():
        answer = client.get(path)
        if sent == digest and file is not None:
            assert answer.status == 200, f"{path} is listed, but: {answer.status} {answer.body[:300]!r}"
            assert digest_of(answer.body) == digest, f"{path} has other bytes"
            _check_metadata(client, path, file)
        else:
            gone = {410} if sent in history.were_there else {404, 410}
            assert answer.status in gone, f"{path} is not there, but: {answer.status}"


def _check_metadata(client: Client, path: str, file: dict[str, object]) -> None:
    answer = client.get(path + METADATA)
    assert answer.status == 200, f"core metadata of {path}: {answer.status} {answer.body[:300]!r}"
    assert {"sha256": digest_of(answer.body)} == file["core-metadata"]


def _sha256(file: dict[str, object] | None) -> str | None:
    if file is None:
        return None
    hashes = file["hashes"]
    assert isinstance(hashes, dict)
    return str(hashes["sha256"])
