"""Running the real clients, cut off from everything but the node under test."""

import os
import subprocess
import sys
from pathlib import Path

from attrs import frozen

TIMEOUT_S = 180.0  # a busy machine is no failure
NOWHERE = "http://127.0.0.1:9"  # nothing listens there: an unwanted request fails, and reaches nobody
BIN = Path(sys.executable).parent


@frozen
class Outcome:
    """What a client said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that it said, in lines as they came and joined to one, because some clients break lines."""
        return " ".join((self.out + self.err).split())


@frozen
class Clients:
    """Runs clients as a user who has no configuration, with a home of this test's own."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables that a client gets."""
        return {
            "HOME": str(self.home),
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"{NOWHERE}/simple/",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "TWINE_NON_INTERACTIVE": "1",
            "UV_NO_CONFIG": "1",
            "UV_DEFAULT_INDEX": f"{NOWHERE}/simple/",
            "UV_CACHE_DIR": str(self.home / "uv-cache"),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LINK_MODE": "copy",
        }

    def attempt(self, *command: str | Path, cwd: Path | None = None, typed: str = "", **variables: str) -> Outcome:
        """Run *command* with *variables* more in its environment and return how it ended.

        It has no terminal: what it asks for, passwords too, it reads from *typed*.
        """
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.home,
            env=self.environment | variables,
            input=typed,
            start_new_session=True,  # else it would ask at the terminal of who runs the tests
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def run(self, *command: str | Path, cwd: Path | None = None, typed: str = "", **variables: str) -> str:
        """Run *command*, which has to succeed, and return all that it said."""
        outcome = self.attempt(*command, cwd=cwd, typed=typed, **variables)
        assert outcome.code == 0, f"{' '.join(map(str, command))}: {outcome.out}{outcome.err}"
        return outcome.text


def installed(target: Path) -> dict[str, str]:
    """Return the versions of what lies in a folder that was installed into, by name."""
    stems = (path.name.removesuffix(".dist-info") for path in target.glob("*.dist-info"))
    return dict(stem.replace("_", "-").rsplit("-", 1) for stem in sorted(stems))
