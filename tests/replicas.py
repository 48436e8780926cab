"""Replicas as their operators run them: ``ledgerpi replica-token`` at the primary, then ``ledgerpi replica``."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.processes import LEDGERPI, START_S, Node


class Replica(Node):
    """A replica in a data folder, which the first start makes."""

    def __init__(self, serverdir: Path, urls: Sequence[str], token: Path, *, args: Sequence[str] = ()) -> None:
        """Follow the nodes at *urls*; *args* go to ``ledgerpi replica``."""
        super().__init__(serverdir, workers=1, args=args)
        self.urls = tuple(urls)
        self._token = token

    @property
    def program(self) -> Sequence[str]:
        """As its base."""
        primaries = [word for url in self.urls for word in ("--primary", url)]
        return ("replica", *primaries, "--token-file", str(self._token))


def new_replica(
    primary: Node, tmp_path: Path, args: Sequence[str] = (), *, urls: Sequence[str] = (), name: str = "replica"
) -> Replica:
    """Enrol a replica of *primary* and return it, not running yet, with its data folder *name* in *tmp_path*.

    It follows the nodes at *urls*, or else the primary itself.
    """
    command = [str(LEDGERPI), "replica-token", "--serverdir", str(primary.serverdir), name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_S)
    token = tmp_path / f"{name}.token"
    token.write_text(done.stdout)
    return Replica(tmp_path / name, urls or [primary.url], token, args=args)
