"""The installers under test, behind one face: into a folder, from one index."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from tests.e2e.clients import Clients, Outcome, installed

HTML = "text/html"
JSON = "application/vnd.pypi.simple.v1+json"


@frozen
class Installer:
    """One client in one way of asking for simple pages."""

    name: str
    command: Sequence[str]
    index_option: str
    accept: str = ""  # what the recorder asks for in its place; "" = what it asks for itself
    reads: str = JSON  # the form of page that it gets
    uses_metadata: bool = True  # PEP 658

    def attempt(self, clients: Clients, index: str, target: Path, *words: str) -> Outcome:
        """Install the requirements *words* from *index*, the URL of a simple index."""
        return clients.attempt(*self.command, self.index_option, index, "--target", str(target), *words)

    def install(self, clients: Clients, index: str, target: Path, *words: str) -> dict[str, str]:
        """Install as :meth:`attempt`, which has to succeed, and return what is there then."""
        outcome = self.attempt(clients, index, target, *words)
        assert outcome.code == 0, f"{self.name}: {outcome.out}{outcome.err}"
        return installed(target)


PIP = ("python", "-m", "pip", "install", "--no-cache-dir", "--no-compile")
UV = ("uv", "pip", "install")

NEWEST: tuple[Installer, ...] = (
    Installer("pip", PIP, "--index-url"),
    Installer("pip-html", PIP, "--index-url", HTML, HTML),
    Installer("uv", UV, "--default-index"),
    Installer("uv-html", UV, "--default-index", HTML, HTML),
)


def old_pip(python: Path) -> Installer:
    """Return pip 21, which knows neither JSON pages nor metadata files."""
    command = (str(python), *PIP[1:])
    return Installer("pip-21", command, "--index-url", reads=HTML, uses_metadata=False)
