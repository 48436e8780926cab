"""The README's lines work as they are printed, but for the port, which a test may not choose."""

import re
from pathlib import Path

from tests.corpora import Project
from tests.e2e.clients import BIN, Clients
from tests.e2e.conftest import PASSWORD
from tests.processes import Node

README = (Path(__file__).parents[2] / "README.md").read_text()
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
PASSWORDS = {"TWINE_PASSWORD": PASSWORD, "UV_PUBLISH_PASSWORD": PASSWORD}  # what the clients would ask for


def test_the_lines_of_the_readme_upload_install_and_verify(node: Node, clients: Clients, tmp_path: Path) -> None:
    for folder in ("by-twine", "by-uv"):  # each client sends a release of its own
        Project("demo", f"1.{len(folder)}").wheel(_made(tmp_path / folder / "dist"))
    (clients.home / ".ledgerpi").symlink_to(node.serverdir)
    assert LINES[0] == "./ops/serve"
    for line in LINES[1:]:
        command = line.replace("http://localhost:3141", node.url).replace("uv pip install", "uv pip install --target t")
        command = command.replace("pip install --index", "pip install --target p --index")
        cwd = tmp_path / ("by-twine" if line.startswith("twine") else "by-uv")
        if line.startswith("ledgerpi"):
            cwd = clients.home
        clients.run("sh", "-c", f"{BIN}/{command}", cwd=cwd, **PASSWORDS)
    assert len(LINES) == 7


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
