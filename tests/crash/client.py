"""A client of one node, as the crash tests need it: one answer or none, never a retry."""

import base64
import hashlib
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, frozen

from tests.archives import record_of, wheel_entries, wheel_files, zip_of

INDEX = "root/dev"
PASSWORD = "secret"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
PATIENCE_S = 20.0
_BOUNDARY = "ledgerpi-crash-test"
_LOGIN = "Basic " + base64.b64encode(f"root:{PASSWORD}".encode()).decode()
NO_ANSWER = (OSError, http.client.HTTPException)


@frozen
class Wheel:
    """A distribution file to upload."""

    project: str
    version: str
    filename: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The digest of its bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        """Where the node serves it."""
        return f"/{INDEX}/+f/{self.sha256[:3]}/{self.sha256[3:16]}/{self.filename}"


@frozen
class Answer:
    """What came back, whole."""

    status: int
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON says
        """Return the body as JSON."""
        return json.loads(self.body)


def wheel(project: str, version: str, payload: bytes, description: bytes = b"What it says.\n") -> Wheel:
    """Return a good wheel with *payload* in it; its core metadata end in *description*."""
    head = f"Metadata-Version: 2.4\nName: {project}\nVersion: {version}\nRequires-Python: >=3.9\n\n"
    folder = f"{project}-{version}.dist-info"
    files = wheel_files(head.encode() + description, folder, more={f"{project}/payload.bin": payload})
    stored = [evolve(entry, method=0) for entry in wheel_entries(files, record_of(files, f"{folder}/RECORD"), folder)]
    return Wheel(project, version, f"{project}-{version}-py3-none-any.whl", zip_of(stored))


class Client:
    """One connection, made anew after every fault."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Return the whole answer.

        Raises:
            OSError, http.client.HTTPException: there was none, or only a part of one.
        """
        try:
            self._connection.request(method, path, body or None, {"Authorization": _LOGIN, **(headers or {})})
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read())
        except NO_ANSWER:
            self._connection.close()
            raise

    def upload(self, file: Wheel) -> Answer:
        """Send *file* as twine does."""
        fields = {
            ":action": "file_upload",
            "metadata_version": "2.4",
            "name": file.project,
            "version": file.version,
            "filetype": "bdist_wheel",
            "pyversion": "py3",
            "sha256_digest": file.sha256,
        }
        texts = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()
        ]
        texts.append(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{file.filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = "".join(texts).encode() + file.content + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        return self.ask("POST", f"/{INDEX}/", body, kind)

    def delete(self, path: str) -> Answer:
        """Delete the file at *path*."""
        return self.ask("DELETE", path)

    def get(self, path: str) -> Answer:
        """Download what is at *path*, bytes as they are."""
        return self.ask("GET", path)

    def put_index(self, name: str) -> Answer:
        """Make the stage *name*, with texts that take some space."""
        body = json.dumps({"type": "stage", "title": f"{name} " * 200}).encode()
        return self.ask("PUT", f"/{name}", body, {"Content-Type": "application/json"})

    def files(self, project: str) -> list[dict[str, Any]]:
        """Return the files on the simple page of *project*, none if there is no such page."""
        answer = self.ask("GET", f"/{INDEX}/+simple/{project}/", headers={"Accept": SIMPLE_JSON})
        if answer.status == 404:
            return []
        assert answer.status == 200, f"page of {project}: {answer}"
        files: list[dict[str, Any]] = answer.json()["files"]
        return files

    def projects(self) -> set[str]:
        """Return the projects of the index."""
        answer = self.ask("GET", f"/{INDEX}/+simple/", headers={"Accept": SIMPLE_JSON})
        assert answer.status == 200, answer
        return {project["name"] for project in answer.json()["projects"]}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
