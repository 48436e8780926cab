"""nginx twice: as the upstream of all mirrors, and as one of them with its proxy cache."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ops.bench import corpus, mirror_corpus
from ops.bench.mirror_corpus import Listed, Plan, Round
from ops.bench.mirror_peers import Mirror
from ops.bench.processes import HOST
from ops.bench.targets import Page, Target

_COMMON = """
{user}daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  etag on;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/{name}-tmp;
  proxy_temp_path {folder}/{name}-tmp;
  fastcgi_temp_path {folder}/{name}-tmp;
  uwsgi_temp_path {folder}/{name}-tmp;
  scgi_temp_path {folder}/{name}-tmp;
  types {{
    text/html html;
    application/vnd.pypi.simple.v1+json json;
  }}
  default_type application/octet-stream;
  map $http_accept $form {{
    default html;
    "~application/vnd\\.pypi\\.simple\\.v1\\+json" json;
  }}
{http}
}}
"""
_UPSTREAM = """
  server {{
    listen {host}:{port} backlog=511;
    root {folder}/upstream-files;
    location = /hello {{ return 200 "hello\\n"; }}
    location /simple/ {{
      add_header Vary Accept;
      rewrite ^/simple/$ /list.$form break;
      rewrite ^/simple/(?<project>[^/]+)/?$ /pages/$project.$form break; # by name: $form has a regex too
    }}
  }}
"""
_CACHE = """
  proxy_cache_path {folder}/nginx-cache levels=1:2 keys_zone=mirror:10m;
  upstream origin {{
    server {host}:{upstream_port};
    keepalive 16;
  }}
  server {{
    listen {host}:{port} backlog=511;
    location = /hello {{ return 200 "hello\\n"; }}
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache mirror;
      proxy_cache_key $form$uri;
      proxy_ignore_headers Vary;
      proxy_cache_valid 200 {expiry_s}s;
      proxy_cache_lock on;
      proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
    }}
  }}
"""


class _Nginx(Mirror):
    """Debian's nginx with one worker process and no access log; files and pages have upstream's paths."""

    hello = "/hello"

    def path(self, target: Target) -> str:
        """Return the path of a page or a file."""
        if isinstance(target, Page):
            return f"/simple/{target.project}/"
        return f"/files/{target.release.project}/{target.release.filename}"

    def _command(self, http: str) -> list[str]:
        """Write the configuration and return the command."""
        user = "user root;\n" if os.geteuid() == 0 else ""  # root's folders may be closed to the user of nginx
        configuration = self.folder / f"{self.name}.conf"
        configuration.write_text(_COMMON.format(user=user, folder=self.folder, name=self.name, http=http))
        return ["nginx", "-c", str(configuration), "-e", str(self.folder / f"{self.name}.log")]


class Upstream(_Nginx):
    """The index that all mirrors ask: static pages and files, which cost next to nothing."""

    name = "upstream"

    def __init__(self, folder: Path) -> None:
        """Keep the pages and files below *folder*."""
        super().__init__(folder)
        self._files = folder / "upstream-files"
        (self._files / "pages").mkdir(parents=True)
        self._projects: list[str] = []

    @property
    def url(self) -> str:
        """The base URL of its simple pages."""
        return f"http://{HOST}:{self.port}/simple/"

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; it has one worker."""
        del workers
        return self._command(_UPSTREAM.format(folder=self.folder, host=HOST, port=self.port))

    def fill(self, plan: Plan, rounds: int) -> None:
        """Make everything that so many rounds ask for."""
        for turn in range(rounds):
            self._fill(Round(plan, turn))
        self.list_files(mirror_corpus.GROWING, plan.many_files)
        (self._files / "list.json").write_bytes(mirror_corpus.json_list(self._projects))
        (self._files / "list.html").write_bytes(mirror_corpus.html_list(self._projects))

    def list_files(self, project: str, count: int) -> None:
        """Make, or make anew, a page of *count* files."""
        self._write(project, mirror_corpus.invented(project, count))

    def _fill(self, names: Round) -> None:
        for project in (names.first, *names.small, *names.stale):
            releases = corpus.of_project(mirror_corpus.MIRROR, project, mirror_corpus.SMALL_FILES)
            self._store(project, releases)
        for project in names.many:
            self.list_files(project, names.plan.many_files)
        self._store(names.large, [names.large_release])

    def _store(self, project: str, releases: Iterable[corpus.Release]) -> None:
        folder = self._files / "files" / project
        folder.mkdir(parents=True)
        listed = []
        for file, wheel in mirror_corpus.real(releases):
            (folder / file.release.filename).write_bytes(wheel)
            listed.append(file)
        self._write(project, listed)

    def _write(self, project: str, files: Sequence[Listed]) -> None:
        self._projects.append(project)
        url = f"http://{HOST}:{self.port}/files/{project}/"
        pages = self._files / "pages"
        (pages / f"{project}.json").write_bytes(mirror_corpus.json_page(project, files, url))
        (pages / f"{project}.html").write_bytes(mirror_corpus.html_page(project, files, url))


class NginxCache(_Nginx):
    """nginx as a proxy that caches; it knows nothing of pages, so that their links lead past it."""

    name = "nginx"

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        """Cache what *upstream* answers below *folder*."""
        super().__init__(folder)
        self._upstream_port = upstream.port

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; it has one worker."""
        del workers
        ports = {"port": self.port, "upstream_port": self._upstream_port}
        return self._command(_CACHE.format(folder=self.folder, host=HOST, expiry_s=self.expiry_s, **ports))
