"""A client of a node under test, and the distribution files that it uploads."""

import base64
import hashlib
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from attrs import frozen

from tests import archives

JSON = {"Accept": "application/json"}
TIMEOUT_S = 30.0  # an answer that takes longer is a hang
PYTHON = ">=3.9"


@frozen
class Dist:
    """A distribution file and what a form says of it."""

    filename: str
    content: bytes
    fields: Mapping[str, str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        """Where it is below its index."""
        return f"+f/{self.sha256[:3]}/{self.sha256[3:16]}/{self.filename}"


@lru_cache
def metadata(project: str, version: str, requires_python: str = PYTHON) -> bytes:
    """Return core metadata."""
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}", "Summary: what it is"]
    return "\n".join([*lines, f"Requires-Python: {requires_python}", "", "All about it.", ""]).encode()


@lru_cache
def wheel(project: str = "demo", version: str = "1.0", *, note: str = "", requires_python: str = PYTHON) -> Dist:
    """Return a wheel that every rule takes; another *note* makes other bytes."""
    stem = f"{project.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = {
        f"{project}.py": f"NOTE = {note!r}\n".encode(),
        f"{info}/METADATA": metadata(project, version, requires_python),
        f"{info}/WHEEL": archives.WHEEL,
    }
    content = archives.zip_of(archives.wheel_entries(files, dist_info=info))
    return Dist(f"{stem}-py3-none-any.whl", content, _fields(content, project, version, "bdist_wheel", "py3"))


@lru_cache
def sdist(project: str = "demo", version: str = "1.0", *, note: str = "") -> Dist:
    """Return an sdist that every rule takes."""
    stem = f"{project.replace('-', '_')}-{version}"
    members = [
        archives.tar_entry(f"{stem}/PKG-INFO", metadata(project, version)),
        archives.tar_entry(f"{stem}/pyproject.toml", f"# {note}\n".encode()),
    ]
    content = archives.gzipped(archives.tar_of(members))
    return Dist(f"{stem}.tar.gz", content, _fields(content, project, version, "sdist", "source"))


def _fields(content: bytes, project: str, version: str, filetype: str, pyversion: str) -> dict[str, str]:
    """Return the fields that twine sends."""
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": project,
        "version": version,
        "summary": "what it is",
        "requires_python": PYTHON,
        "filetype": filetype,
        "pyversion": pyversion,
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "md5_digest": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
    }


class Client:
    """Asks one node, as nobody or as a user. Paths are those of the node, without a leading slash."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.url = url
        self.user = user
        self.password = password
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(JSON)
        if user:
            self.session.auth = (user, password)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - those of requests
        """Return the answer as it is: redirects are not followed."""
        return self.session.request(
            method, f"{self.url}/{path}", **{"timeout": TIMEOUT_S, "allow_redirects": False, **options}
        )

    def get(self, path: str, accept: str = "application/json", **headers: str) -> requests.Response:
        """Get a path; underscores of *headers* are hyphens, and an empty value takes a default header away."""
        return self.ask("GET", path, headers=_headers(accept, headers))

    def head(self, path: str, accept: str = "application/json", **headers: str) -> requests.Response:
        """As :meth:`get`, by HEAD."""
        return self.ask("HEAD", path, headers=_headers(accept, headers))

    def result(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return what the JSON at *path* holds."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def put(self, path: str, body: object) -> requests.Response:
        """Put JSON."""
        return self.ask("PUT", path, json=body)

    def patch(self, path: str, body: object) -> requests.Response:
        """Patch with JSON."""
        return self.ask("PATCH", path, json=body)

    def delete(self, path: str) -> requests.Response:
        """Delete a path."""
        return self.ask("DELETE", path)

    def upload(self, index: str, dist: Dist, **changes: str | None) -> requests.Response:
        """Send the form of *dist*; *changes* replace fields (None: not sent), ``action`` is ``:action``."""
        fields = {**dist.fields, **{(":action" if key == "action" else key): text for key, text in changes.items()}}
        sent = {key: text for key, text in fields.items() if text is not None}
        files = {"content": (dist.filename, dist.content, "application/octet-stream")}
        return self.ask("POST", f"{index}/", data=sent, files=files)

    def submit(self, index: str, project: str, version: str, **fields: str) -> requests.Response:
        """Register a release without a file."""
        form = {":action": "submit", "metadata_version": "2.1", "name": project, "version": version, **fields}
        return self.ask("POST", f"{index}/", files={key: (None, text) for key, text in form.items()})

    def serial(self) -> int:
        """Return the head's serial."""
        return int(self.get("+status").headers["X-Devpi-Serial"])

    def close(self) -> None:
        """Close all connections."""
        self.session.close()


def _headers(accept: str, more: Mapping[str, str]) -> dict[str, str | None]:
    named = {key.replace("_", "-"): text or None for key, text in more.items()}
    return {"Accept": accept or None, **named}


def basic(user: str, password: str) -> str:
    """Return the value of ``Authorization`` and, without its first word, of ``X-Devpi-Auth``."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def raw(url: str, request: bytes, *, whole: bool = True) -> bytes:
    """Send *request* as it is and return all that comes until the server closes; unless *whole*, the beginning.

    Raises:
        TimeoutError: nothing came in 30 s.
    """
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), TIMEOUT_S) as connection:
        connection.sendall(request)
        answer = b""
        while (whole or not answer) and (piece := connection.recv(1 << 16)):
            answer += piece
    return answer


def status_of(answer: bytes) -> int:
    """Return the status of a raw answer, 0 where the server only closed the connection."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
