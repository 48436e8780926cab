"""nginx with the very bytes that an index answered as static files: the floor of serving."""

import gzip
import os
from http import HTTPStatus
from pathlib import Path

from ops.bench import load
from ops.bench.peers import Index, Peer
from ops.bench.processes import BenchError
from ops.bench.targets import HTML, JSON, Page, Target

_FORMS = {HTML: "html", JSON: "json"}
_GZIP_LEVEL = 6  # where the index itself answers without gzip
_CONFIGURATION = """
{user}daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  etag on;
  gzip_static on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/nginx-tmp;
  proxy_temp_path {folder}/nginx-tmp;
  fastcgi_temp_path {folder}/nginx-tmp;
  uwsgi_temp_path {folder}/nginx-tmp;
  scgi_temp_path {folder}/nginx-tmp;
  types {{
    text/html html;
    application/vnd.pypi.simple.v1+json json;
  }}
  default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port} backlog=511;
    root {folder}/static;
  }}
}}
"""


class Nginx(Peer):
    """Debian's nginx over a static tree; one worker process, as in the reference measurements."""

    name = "nginx"
    hello = "/hello"

    def __init__(self, folder: Path) -> None:
        """Make an empty tree."""
        super().__init__(folder)
        self._static = folder / "static"
        self._static.mkdir()
        (self._static / "hello").write_text("hello\n")
        self._paths: dict[Target, str] = {}

    def command(self, *, workers: int | None) -> list[str]:
        """Write the configuration and return the command."""
        written = _CONFIGURATION.format(
            # Root's folders may be closed to the user that nginx would change to.
            user="user root;\n" if os.geteuid() == 0 else "",
            folder=self.folder,
            port=self.port,
            workers=workers or 1,
        )
        configuration = self.folder / "nginx.conf"
        configuration.write_text(written)
        return ["nginx", "-c", str(configuration), "-e", str(self.folder / "nginx.log")]

    def path(self, target: Target) -> str:
        """Return the path that :meth:`copy` gave *target*."""
        return self._paths[target]

    def copy(self, source: Index, target: Target) -> None:
        """Ask *source* for the target and store its body, for pages also gzipped."""
        path = source.path(target)
        headers = {"Accept": target.form} if isinstance(target, Page) else {}
        body = _body(source, path, headers)
        if isinstance(target, Page):
            path += f"index.{_FORMS[target.form]}"
        stored = self._static / path.lstrip("/")
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(body)
        if isinstance(target, Page):
            zipped = gzip.compress(body, _GZIP_LEVEL)
            stored.with_name(stored.name + ".gz").write_bytes(zipped)
        self._paths[target] = path


def _body(source: Index, path: str, headers: dict[str, str]) -> bytes:
    answer = load.ask(source.port, load.request("GET", path, headers))
    if answer.status != HTTPStatus.OK:
        raise BenchError(f"{source.name}: {answer.status} for {path}")
    return answer.body
