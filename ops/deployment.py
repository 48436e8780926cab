"""How ledgerpi is deployed: what service managers and nginx are told, each in its own quoting."""

import plistlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("deploy")
FORM = 1 << 20  # bytes of an upload around its file
UNQUOTABLE = re.compile(r"[\x00-\x1f\x7f\"\\$`]|\s[;#]")  # no template could say it for each of its readers
HOME = ("/home/", "/root/", "/run/user/")  # what ProtectHome= hides


@frozen
class Deployment:
    """A node as it is to be run."""

    command: tuple[str, ...]  # the program with all its arguments
    verify: tuple[str, ...]
    user: str
    serverdir: Path
    blobs: Path
    port: int
    node: str  # host:port where nginx reaches it
    others: tuple[str, ...]  # the same of nodes that nginx asks when this one is away
    location: str  # of nginx, where blobs are
    outside_url: str  # "" = as clients ask
    max_request_body_size: int
    certificate: str
    key: str
    cache: Path  # where nginx keeps pages
    page_age_s: int
    refuses: bool  # a copy that is too old answers 503
    replication: bool  # replicas come through nginx

    def files(self) -> dict[str, bytes]:
        """Return the content of each file by its name."""
        texts = {
            "nginx-ledgerpi.conf": self._nginx(caching=False),
            "nginx-ledgerpi-caching.conf": self._nginx(caching=True),
            "ledgerpi.service": self._systemd(),
            "supervisor-ledgerpi.conf": self._filled("supervisor-ledgerpi.conf", command=_supervised(self.command)),
            "supervisord.conf": self._filled("supervisord.conf"),
            "crontab": self._crontab(),
            "launchd-macos.txt": self._filled("launchd-macos.txt"),
            "windows-service.txt": self._filled("windows-service.txt"),
        }
        return {name: text.encode() for name, text in texts.items()} | {"net.ledgerpi.plist": self._launchd()}

    @property
    def log(self) -> str:
        """Where the log goes if the service manager has no other place for it."""
        return f"{self.serverdir}.log"

    def _nginx(self, *, caching: bool) -> str:
        outside = urlsplit(self.outside_url)
        prefix = f"{outside.path.rstrip('/')}/"
        tls = outside.scheme == "https" or bool(self.certificate)
        name = outside.hostname or "_"
        certificates = f"/etc/letsencrypt/live/{name}"
        return self._filled(
            "nginx.conf",
            caching=caching,
            prefix=prefix,
            path="$request_uri" if prefix == "/" else "$ledgerpi_path",
            tls=tls,
            port=outside.port or (443 if tls else 80),
            server_name=name,
            outside_url=self.outside_url.rstrip("/") or "$scheme://$http_host",
            max_body=self.max_request_body_size + FORM,
            certificate=self.certificate or f"{certificates}/fullchain.pem",
            key=self.key or f"{certificates}/privkey.pem",
            node=self.node,
            others=self.others,
            cache=f'"{self.cache}"',
            page_age=self.page_age_s,
            blobs=self.blobs,
            location=self.location,
            refuses=self.refuses,
            replication=self.replication,
        )

    def _systemd(self) -> str:
        return self._filled(
            "ledgerpi.service",
            command=_executed(self.command),
            serverdir=_unit_path(self.serverdir),
            at_home=any(text.startswith(HOME) for text in (*self.command[:1], f"{self.serverdir}/")),
            low_port=self.port < 1024,  # noqa: PLR2004 - those that only root may listen on
        )

    def _crontab(self) -> str:
        words = {"command": self.command, "verify": self.verify, "log": (self.log,)}
        return self._filled("crontab", **{name: _crond(said) for name, said in words.items()})

    def _launchd(self) -> bytes:
        return plistlib.dumps(
            {
                "Label": "net.ledgerpi",
                "ProgramArguments": list(self.command),
                "UserName": self.user,
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
                "ExitTimeOut": 40,
                "Umask": 0o027,
                "StandardOutPath": self.log,
                "StandardErrorPath": self.log,
            }
        )

    def _filled(self, name: str, **values: object) -> str:
        """Return a template with *values* in it, and what all have in common."""
        common = {"user": self.user, "serverdir": self.serverdir, "log": self.log, "port": self.port}
        loader = FileSystemLoader(TEMPLATES)
        environment = Environment(
            loader=loader,
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - no HTML
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template(f"{name}.j2").render(common | values)


def unquotable(words: Sequence[str]) -> str | None:
    """Return the first of *words* that can not be written into all files, None if all can."""
    return next((word for word in words if UNQUOTABLE.search(word)), None)


def _executed(words: Sequence[str]) -> str:
    """Return a command line as systemd reads it (systemd.service(5))."""
    return " ".join(f'"{word}"' if set(word) & set(" '") else word for word in _percent(words))


def _unit_path(path: Path) -> str:
    text = str(path).replace("%", "%%")
    return f'"{text}"' if set(text) & set(" '") else text


def _supervised(words: Sequence[str]) -> str:
    """Return a command line as supervisor reads it."""
    return shlex.join(list(_percent(words)))


def _crond(words: Sequence[str]) -> str:
    """Return a command line as cron and its shell read it (crontab(5))."""
    return shlex.join(words).replace("%", r"\%")


def _percent(words: Sequence[str]) -> Sequence[str]:
    return [word.replace("%", "%%") for word in words]
