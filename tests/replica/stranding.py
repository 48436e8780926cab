"""Stranded tails as an operator looks at them: ``ledgerpi stranded list`` and ``show``."""

from collections.abc import Sequence

from replica import stranded
from server.layout import Layout
from tests.following import ledgerpi
from tests.http.client import Dist
from tests.processes import Node


def names(node: Node) -> list[str]:
    """Return the names of a node's stranded tails."""
    said = ledgerpi("stranded", "list", "--serverdir", str(node.serverdir)).stdout
    return [line.split()[0] for line in said.splitlines()[1:] if line.strip()]


def check_bundled(node: Node, name: str, dists: Sequence[Dist]) -> None:
    """Check that a stranded tail has the uploads of *dists*, and their bytes."""
    shown = ledgerpi("stranded", "show", "--serverdir", str(node.serverdir), name).stdout
    folder = Layout(node.serverdir).serverdir / stranded.FOLDER / name / "blobs"
    for dist in dists:
        assert dist.fields["name"] in shown
        assert (folder / dist.sha256).read_bytes() == dist.content
