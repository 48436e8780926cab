"""What it means when an upstream index gives no usable answer."""

import os

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientResponseError,
    ConnectionTimeoutError,
    InvalidURL,
    ServerDisconnectedError,
)

from changelog.errors import LedgerpiError

MAX_REASON = 200  # characters
PRINTABLE = range(32, 127)  # ASCII: a reason is logged and shown


class UpstreamFailed(LedgerpiError):  # noqa: N818 - errors are named as what they say
    """There is no usable answer; *reason* is short printable ASCII without credentials and queries.

    *retry_after_s* is how long the upstream asked to be left alone, if it did.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        """Remember the reason, made printable."""
        self.reason = "".join(c if ord(c) in PRINTABLE else "?" for c in reason[:MAX_REASON])
        self.retry_after_s = retry_after_s
        super().__init__(self.reason)


class UpstreamRefused(UpstreamFailed):
    """An address, a redirect or a size is not allowed here, or the upstream says no: trying again is useless."""


_WORDS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits
    (ClientConnectorCertificateError, "certificate of {host}: {why}"),
    (ClientConnectorSSLError, "no TLS with {host}: {why}"),
    (ClientConnectorDNSError, "no address for {host}"),
    (ClientProxyConnectionError, "no connection to the proxy: {why}"),
    (ClientConnectorError, "no connection to {host}: {why}"),
    (ClientHttpProxyError, "the proxy answered {why} instead of connecting to {host}"),
    (ConnectionTimeoutError, "no connection to {host} became free"),
    (ClientResponseError, "no HTTP from {host}: {why}"),
    (ClientPayloadError, "ended early: {host} broke off or sent damaged chunks"),
    (ClientOSError, "ended early: {host} broke off"),
    (ServerDisconnectedError, "ended early: {host} broke off"),
    (Exception, "no answer from {host}: {why}"),
)


def failure(error: Exception, host: str) -> UpstreamFailed:
    """Return *error* of aiohttp, met while asking *host*, in our words: its own may quote what upstream sent."""
    if isinstance(error, InvalidURL):
        return UpstreamRefused(f"not a host that can be asked: {host}")
    words = next(text for cls, text in _WORDS if isinstance(error, cls))
    return UpstreamFailed(words.format(host=host, why=_why(error)))


def _why(error: BaseException) -> str:
    if isinstance(error, ClientHttpProxyError):
        return str(error.status)
    if isinstance(error, ClientConnectorCertificateError):
        return getattr(error.certificate_error, "verify_message", "") or "not valid"
    if isinstance(error, ClientConnectorError):
        number = error.os_error.errno  # asyncio's own text has the address in it
        return getattr(error.os_error, "reason", None) or (os.strerror(number) if number else "no reason told")
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
