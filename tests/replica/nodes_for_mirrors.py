"""A primary that mirrors an upstream which the test controls, and replicas that follow it, asked as clients do."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define

from changelog.verify import verify_node
from changelog.verify.report import Kind
from server.layout import Layout
from tests.mirror.site import ARGS, Site
from tests.processes import LEDGERPI, START_S, Node, new_node
from tests.upstream.server import Upstream

LOOPBACK = ("--allow-private-upstreams", "127.0.0.1/32")
FETCHED_ELSEWHERE = (Kind.BLOB, Kind.ORPHAN)  # files that only the primary has, or that passed through here


class Follower(Node):
    """A replica; the first start makes its data folder."""

    def __init__(self, serverdir: Path, primary: str, token: Path, workers: int, args: Sequence[str]) -> None:
        """Follow the node at the URL *primary*."""
        super().__init__(serverdir, workers=workers, args=args)
        self.program_words = ("replica", "--primary", primary, "--token-file", str(token))

    @property
    def program(self) -> Sequence[str]:
        """As its base."""
        return self.program_words


@define
class Cluster:
    """A running primary; :meth:`follow` adds replicas, which end with it."""

    folder: Path
    up: Upstream
    primary: Node
    site: Site  # the primary, as clients ask it
    stack: ExitStack
    followers: list[Follower]

    def follow(self, name: str, *args: str, workers: int = 2) -> Site:
        """Start a replica that follows the primary, and return it as clients ask it."""
        return self._started(name, self.primary.url, args, workers)

    def follow_through(self, node: Node, name: str, *args: str) -> Site:
        """Start a replica that follows another one."""
        return self._started(name, node.url, args, 1)

    def pause(self) -> None:
        """Stop all processes of the primary: connections stay open, and nothing comes."""
        for pid in self.primary.pids().values():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        for pid in self.primary.pids().values():
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have the primary stopped for a while."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def _started(self, name: str, url: str, args: Sequence[str], workers: int) -> Site:
        token = self.folder / f"{name}.token"
        line = [str(LEDGERPI), "replica-token", "--serverdir", str(self.primary.serverdir), name]
        token.write_bytes(subprocess.run(line, capture_output=True, timeout=START_S, check=True).stdout)
        node = Follower(self.folder / name, url, token, workers, (*ARGS, *args))
        self.stack.callback(node.kill)
        self.followers.append(node)
        node.start()
        return self._asked(Site(node, self.up))

    def _asked(self, site: Site) -> Site:
        self.stack.callback(site.close)
        return site


@contextmanager
def cluster(folder: Path, up: Upstream, *args: str) -> Iterator[Cluster]:
    """Run a primary in *folder* that mirrors *up*; check afterwards that no node has anything wrong."""
    with ExitStack() as stack:
        primary = new_node(folder, mirror_url=up.simple, args=(*ARGS, *LOOPBACK, *args))
        stack.callback(primary.kill)
        site = Site(primary.start(), up)
        stack.callback(site.close)
        running = Cluster(folder, up, primary, site, stack, [])
        yield running
        running.resume()
        for node in (*running.followers, primary):
            node.stop()
            findings = verify_node(Layout(node.serverdir)).findings
            assert not [finding for finding in findings if finding.kind not in FETCHED_ELSEWHERE], findings
            assert "Traceback" not in node.log
            assert "process died" not in node.log
