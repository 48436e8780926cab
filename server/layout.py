"""Where things lie in a data folder."""

from pathlib import Path

from attrs import frozen


@frozen
class Layout:
    """The folders and files below ``--serverdir``."""

    serverdir: Path

    @property
    def changelog(self) -> Path:
        """The LMDB environment."""
        return self.serverdir / "changelog"

    @property
    def blobs(self) -> Path:
        """Distribution files by digest."""
        return self.serverdir / "blobs"

    @property
    def spool(self) -> Path:
        """Uploads under way, a folder for each worker; on the file system of the blobs."""
        return self.serverdir / "spool"

    @property
    def run(self) -> Path:
        """Sockets of the running node; private."""
        return self.serverdir / "run"

    @property
    def pages(self) -> Path:
        """Large rendered pages, shared by the workers; can be thrown away."""
        return self.serverdir / "run" / "pages"

    @property
    def local(self) -> Path:
        """What this node remembers of upstreams; can be thrown away."""
        return self.serverdir / "local"

    @property
    def token_uses(self) -> Path:
        """When tokens were last used here; can be thrown away."""
        return self.serverdir / "local" / "token-uses"

    @property
    def lists(self) -> Path:
        """The lists of all projects of upstreams; can be thrown away."""
        return self.serverdir / "local" / "lists"

    @property
    def keys(self) -> Path:
        """Private keys; private."""
        return self.serverdir / "keys"

    @property
    def lock(self) -> Path:
        """Locked by the writer for as long as it lives."""
        return self.serverdir / "run" / "writer.lock"

    @property
    def node_lock(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.serverdir / "run" / "node.lock"

    @property
    def socket(self) -> Path:
        """Where the writer listens."""
        return self.serverdir / "run" / "writer.sock"

    @property
    def upstream_socket(self) -> Path:
        """Where the process that asks upstreams listens."""
        return self.serverdir / "run" / "upstream.sock"

    @property
    def cluster_socket(self) -> Path:
        """Where the process of a primary that asks other members listens."""
        return self.serverdir / "run" / "cluster.sock"

    @property
    def opened(self) -> Path:
        """Says that this node has just become the primary, so that it need not ask whether another one did."""
        return self.serverdir / "run" / "opened"

    @property
    def data_file(self) -> Path:
        """Is there if, and only if, a node was made here."""
        return self.changelog / "data.mdb"
