"""Putting projects on an index without a client of their own."""

from pathlib import Path

from tests.corpora import Project
from tests.http.client import Client

FIELDS = {".whl": ("bdist_wheel", "py3"), ".gz": ("sdist", "source")}


def upload(client: Client, index: str, project: Project, path: Path) -> None:
    """Upload the file at *path*."""
    filetype, pyversion = FIELDS[path.suffix]
    form = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": project.name,
        "version": project.version,
        "filetype": filetype,
        "pyversion": pyversion,
    }
    with path.open("rb") as file:
        answer = client.ask("POST", f"{index}/", data=form, files={"content": (path.name, file)})
    assert answer.status_code == 200, answer.reason


def upload_wheels(client: Client, index: str, folder: Path, *projects: Project) -> None:
    """Build and upload the wheels of *projects*."""
    for project in projects:
        upload(client, index, project, project.wheel(folder))
