"""Other indexes on loopback, which a mirror may have as its upstream.

Each is a context manager that takes an empty folder and the files to serve, and yields the URL of its simple index,
which ends in a slash. Nothing is yanked there but on the static pages of nginx: the others are not told.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ops.bench import prepare
from ops.bench.peers import Devpi
from ops.bench.processes import HOST, Server, free_port
from tests.http import client
from tests.processes import new_node
from tests.upstream import pages
from tests.upstream.files import UpstreamDist
from tests.upstream.pages import Shape, UpstreamProject

CACHE = Path(__file__).resolve().parents[2] / ".bench"  # what the benchmark installed is used again
PYPISERVER = "pypiserver==2.4.2"
INDEX = "root/dev"
INSTALL_S = 300.0
INIT_S = 60.0
_OLD = Shape(json=False, metadata=False)
_CONFIGURATION = """
{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-tmp;
  proxy_temp_path {folder}/nginx-tmp;
  fastcgi_temp_path {folder}/nginx-tmp;
  uwsgi_temp_path {folder}/nginx-tmp;
  scgi_temp_path {folder}/nginx-tmp;
  types {{ text/html html; }}
  default_type application/octet-stream;
  server {{
    listen {host}:{port};
    root {folder}/static;
    location /files/ {{ autoindex on; }}
  }}
}}
"""


class _QuickDevpi(Devpi):
    """devpi-server that derives its secret at little cost: by default that takes longer than all else together."""

    def command(self, *, workers: int | None) -> list[str]:
        cheap = ("--argon2-memory-cost", "1024", "--argon2-time-cost", "1", "--argon2-parallelism", "1")
        return [*super().command(workers=workers), *cheap]


@contextmanager
def ledgerpi(folder: Path, dists: Iterable[UpstreamDist], *, workers: int = 1) -> Iterator[str]:
    """Run another node of ours with the files uploaded."""
    password = "upstream"
    node = new_node(folder, password, (INDEX,), workers=workers).start()
    try:
        _upload(node.url, password, dists)
        yield f"{node.url}/{INDEX}/+simple/"
    finally:
        node.stop()


@contextmanager
def devpi_server(folder: Path, dists: Iterable[UpstreamDist]) -> Iterator[str]:
    """Run devpi-server as the benchmark does, with the files uploaded."""
    programs = prepare.devpi_environment(_cache())
    empty = folder / "empty"
    options = ("--no-root-pypi", "--root-passwd", prepare.ROOT_PASSWORD)
    subprocess.run(
        [programs / "devpi-init", "--serverdir", empty, *options], check=True, capture_output=True, timeout=INIT_S
    )
    server = _QuickDevpi(folder, programs, empty)
    try:
        server.start(_cores())
        server.make_index(INDEX)
        url = f"http://{HOST}:{server.port}"
        _upload(url, prepare.ROOT_PASSWORD, dists)
        yield f"{url}/{INDEX}/+simple/"
    finally:
        server.stop()


@contextmanager
def pypiserver(folder: Path, dists: Iterable[UpstreamDist]) -> Iterator[str]:
    """Run pypiserver over a folder of files; it asks no other index for what it has not."""
    program = _pypiserver_environment() / "pypi-server"
    served = folder / "packages"
    served.mkdir()
    for dist in dists:
        (served / dist.filename).write_bytes(dist.content)
    port = free_port()
    options = ("--interface", HOST, "--port", str(port), "--disable-fallback", "--server", "wsgiref")
    command = [str(program), "run", *options, "--authenticate", ".", "--passwords", ".", str(served)]
    with _running(command, folder / "pypiserver.log", port, "/health"):
        yield f"http://{HOST}:{port}/simple/"


@contextmanager
def nginx(folder: Path, dists: Iterable[UpstreamDist], *, autoindex: bool = False) -> Iterator[str]:
    """Run nginx over a static tree: simple pages made beforehand, or the listings of its folders of files."""
    _write_static(folder / "static", dists)
    port = free_port()
    # Root's folders may be closed to the user that nginx would change to.
    user = "user root;\n" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(user=user, folder=folder, host=HOST, port=port))
    command = [_nginx_program(), "-c", str(configuration), "-e", str(folder / "nginx.log")]
    with _running(command, folder / "nginx.out", port, "/simple/"):
        yield f"http://{HOST}:{port}/{'files' if autoindex else 'simple'}/"


@contextmanager
def _running(command: Sequence[str], log: Path, port: int, hello: str) -> Iterator[None]:
    """Run a server that answers 200 for *hello* as soon as it is up."""
    server = Server(command, log, _cores())
    try:
        server.wait_until_answers(port, hello)
        yield
    finally:
        server.stop()


def _upload(url: str, password: str, dists: Iterable[UpstreamDist]) -> None:
    with closing(client.Client(url, "root", password)) as root:
        for dist in dists:
            answer = root.upload(INDEX, client.Dist(dist.filename, dist.content, _form(dist)))
            assert answer.status_code == 200, f"{dist.filename}: {answer.text}"


def _form(dist: UpstreamDist) -> dict[str, str]:
    """Return the fields of an upload."""
    is_wheel = dist.filename.endswith(".whl")
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": dist.owner,
        "version": dist.version,
        "requires_python": dist.requires_python,
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "pyversion": "py3" if is_wheel else "source",
        "sha256_digest": dist.sha256,
    }


def _write_static(static: Path, dists: Iterable[UpstreamDist]) -> None:
    """Write ``simple/PROJECT/index.html`` and ``files/PROJECT/FILE``."""
    projects: dict[str, list[UpstreamDist]] = {}
    for dist in dists:
        projects.setdefault(dist.owner, []).append(dist)
        _write(static / "files" / dist.owner / dist.filename, dist.content)
    for name, files in projects.items():
        entries = [pages.entry_of(dist, f"../../files/{name}/{dist.filename}", _OLD) for dist in files]
        project = UpstreamProject(name, tuple(files))
        body = pages.project_page(project, entries, pages.HTML, _OLD, serial=None, base="")
        _write(static / "simple" / name / "index.html", body)
    names = {name: name for name in projects}
    _write(static / "simple" / "index.html", pages.list_page(names, pages.HTML, _OLD.api, None))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _nginx_program() -> str:
    """Return the path of nginx; installed if it is missing and this is root's run."""
    if found := _found_nginx():
        return found
    prepare.programs()
    return _found_nginx()


def _found_nginx() -> str:
    """Look in the folder too that the PATH of users leaves out."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin") or ""


def _pypiserver_environment() -> Path:
    """Return the folder of pypiserver's programs; made below the cache if it is not there."""
    folder = _cache() / PYPISERVER
    if not (folder / ".installed").exists():
        venv.create(folder, clear=True)
        pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", PYPISERVER)
        subprocess.run(pip, check=True, capture_output=True, timeout=INSTALL_S)
        (folder / ".installed").touch()  # last: one that was cut short is done again
    return folder / "bin"


def _cache() -> Path:
    CACHE.mkdir(exist_ok=True)
    return CACHE


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
