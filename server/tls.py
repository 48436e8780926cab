"""TLS by the node's own certificate, which is read again when its files change, as it is renewed every few weeks."""

import asyncio
import ssl
from pathlib import Path

import structlog

from server.config import Config

LOOK_S = 5.0  # between looks at the files

logger = structlog.get_logger()


class Tls:
    """The context of new connections; made inside a running loop."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read the files, PEM: the chain that begins with the node's certificate, and its private key.

        Raises:
            OSError, ssl.SSLError: they can not be read.
        """
        self.context = context_of(certificate, key)
        self._files = (certificate, key)
        self._read_at = self._changed_at()
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _changed_at(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files)

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        try:
            changed_at = self._changed_at()
            if changed_at != self._read_at:
                self.context.load_cert_chain(*self._files)
                self._read_at = changed_at
                logger.info("certificate read again")
        except OSError as error:  # ssl.SSLError among them: amid a renewal; the next look sees it whole
            logger.warning("certificate not read", reason=str(error))


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the context of a server; raises as :class:`Tls`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def of(config: Config) -> Tls | None:
    """Return what the options say, None = no TLS."""
    return Tls(Path(config.tls_certificate), Path(config.tls_key)) if config.tls_certificate else None
