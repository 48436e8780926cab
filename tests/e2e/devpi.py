"""The devpi client as a user has it at one node: configured for that, and logged in."""

from pathlib import Path

from attrs import frozen

from tests.corpora import Project
from tests.e2e.clients import BIN, Clients, Outcome
from tests.e2e.environments import OLDEST, python_with
from tests.http.accounts import make_index
from tests.http.client import Client

SIMPLE = "application/vnd.pypi.simple.v1+json"


def program(version: str) -> Path:
    """Return the client ``newest``, of the development environment, or ``oldest``, which the first call installs."""
    return (
        BIN / "devpi"
        if version == "newest"
        else python_with("devpi-client", "setuptools", pins=OLDEST).with_name("devpi")
    )


@frozen
class Devpi:
    """One user's devpi client, and the same user by plain requests."""

    clients: Clients
    program: Path
    user: Client  # at the same node

    @property
    def url(self) -> str:
        """Where the node answers."""
        return self.user.url

    @property
    def home(self) -> Path:
        """The folder that the client's settings are in."""
        return self.clients.home

    def knows(self, *words: str) -> bool:
        """Return whether the client of this version has the option that *words* end with."""
        *command, option = words
        return option in self.run(*command, "--help")

    def another(self, home: Path) -> "Devpi":
        """Return one with settings of its own, who is not logged in."""
        home.mkdir()
        return Devpi(Clients(home), self.program, self.user)

    def attempt(self, *words: str | Path, cwd: Path | None = None, typed: str = "", **variables: str) -> Outcome:
        """Run a command. What it shows is never a traceback."""
        outcome = self.clients.attempt(self.program, *words, cwd=cwd, typed=typed, **variables)
        assert "Traceback" not in outcome.text, outcome.text
        return outcome

    def run(self, *words: str | Path, cwd: Path | None = None, typed: str = "", **variables: str) -> str:
        """Run a command, which has to succeed, and return all that it said."""
        outcome = self.attempt(*words, cwd=cwd, typed=typed, **variables)
        assert outcome.code == 0, f"{' '.join(map(str, words))}: {outcome.out}{outcome.err}"
        return outcome.text

    def refused(self, *words: str | Path, typed: str = "") -> str:
        """Run a command, which has to fail, and return all that it said."""
        outcome = self.attempt(*words, typed=typed)
        assert outcome.code != 0, outcome.text
        return outcome.text

    def index(self, **options: object) -> str:
        """Make an index by a plain request, use it, and return its name."""
        name = make_index(self.user, **options)
        self.run("use", name)
        return name

    def uploaded(self, index: str, folder: Path, *versions: str, name: str = "demo") -> Project:
        """Put wheel and sdist of some versions there and return the last one."""
        projects = [Project(name, version) for version in versions]
        paths = [path for project in projects for path in project.both(folder)]
        self.run("upload", "--index", index, *paths)
        return projects[-1]

    def files(self, index: str, project: str = "demo") -> set[str]:
        """Return the names of what the simple page lists; none if the project is not there."""
        answer = self.user.get(f"{index}/+simple/{project}/", SIMPLE)
        return {file["filename"] for file in answer.json()["files"]} if answer.status_code == 200 else set()


def both(version: str, name: str = "demo") -> set[str]:
    """Return the names of wheel and sdist."""
    stem = Project(name, version).stem
    return {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"}
