"""nginx in front of nodes, as ``ledgerpi gen-config`` configures it, in a folder and at a port of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from click.testing import CliRunner

from ops.cli import main
from tests.processes import Node

LOCATION = "/_blobs/"
SENDS = ("--x-accel-redirect", LOCATION)  # what a node needs
START_S, STOP_S = 20.0, 20.0
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
LINES = "$request_method $request_uri $status $upstream_cache_status $upstream_http_x_accel_redirect"


class Front:
    """A running nginx; what each request was answered by stands in ``access.log`` of its folder."""

    def __init__(self, node: Node, folder: Path, words: Sequence[str] = (), *, variant: str = "") -> None:
        """Write the configuration for *node*, which runs, with *words* more for gen-config."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        written = folder / "written"
        given = ("--serverdir", str(node.serverdir), "--port", str(urlsplit(node.url).port), "--host", "127.0.0.1")
        own = ("--outside-url", self.url, "--cache", str(folder / "cache"), "--output", str(written))
        done = CliRunner().invoke(main, ["gen-config", *given, *own, *words])
        assert done.exit_code == 0, done.output
        self.site = written / f"nginx-ledgerpi{variant}.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> str:
        """Return what ``nginx -t`` says of the configuration, which has to be good."""
        done = subprocess.run([*self._command, "-t"], capture_output=True, text=True, timeout=START_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([*self._command, "-g", "daemon off;"])
        deadline = time.monotonic() + START_S
        while not _listens(self.port):
            assert time.monotonic() < deadline, (self.folder / "error.log").read_text()
            assert self._process.poll() is None, (self.folder / "error.log").read_text()
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)

    @property
    def lines(self) -> list[list[str]]:
        """What was answered so far: method, path, status, ``-`` or how the cache was used, ``-`` or the blob."""
        time.sleep(0.05)  # nginx writes the line after the answer
        return [line.split() for line in (self.folder / "access.log").read_text().splitlines()]

    @property
    def _command(self) -> list[str]:
        main = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # whose files the node's are
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in KINDS)
        log = f"log_format lines '{LINES}'; access_log {self.folder}/access.log lines;"
        main.write_text(
            f"{user} pid {self.folder}/pid; error_log {self.folder}/error.log notice; worker_processes 1;\n"
            f"events {{}}\nhttp {{ {temporary} {log} include {self.site}; }}\n"
        )
        return [NGINX, "-p", str(self.folder), "-e", str(self.folder / "error.log"), "-c", str(main)]


def free_port() -> int:
    """Return a port where nobody listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True
