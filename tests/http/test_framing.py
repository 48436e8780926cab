"""Bodies that are not what their headers say, and requests that break off: refused, and nothing is changed."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.http.accounts import fresh
from tests.http.client import TIMEOUT_S, Client, basic, raw, status_of


@pytest.mark.parametrize("path", ["{user}", "{index}", "{index}/", "+login"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense"])
def test_a_body_that_is_not_what_its_coding_says_is_refused(
    owner: Client, url: str, index: str, path: str, coding: str
) -> None:
    method = "POST" if path in ("{index}/", "+login") else "PATCH"
    before = owner.serial()
    head = f"{method} /{path.format(user=owner.user, index=index)} HTTP/1.1\r\nHost: x\r\n"
    head += "Connection: close\r\nContent-Length: 7\r\n"
    head += f"Authorization: {basic(owner.user, owner.password)}\r\nContent-Encoding: {coding}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    assert 400 <= status_of(in_two_pieces(url, head.encode(), b"garbage")) < 500
    assert owner.serial() == before


def in_two_pieces(url: str, head: bytes, body: bytes) -> bytes:
    """Send a body so late that the head is answered on its own."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head)
        connection.settimeout(0.2)
        answer = b""
        try:
            answer += connection.recv(1 << 16)
        except TimeoutError:  # it waits for the body, as it should
            connection.sendall(body)
        connection.settimeout(TIMEOUT_S)
        while piece := connection.recv(1 << 16):
            answer += piece
    return answer


@pytest.mark.parametrize(
    "tail",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        b"Transfer-Encoding: gzip\r\n\r\n{}",
        b"X : y\r\nContent-Length: 2\r\n\r\n{}",
        b"X: y\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        b"X: \0\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_ambiguous_framing_is_refused(url: str, owner: Client, tail: bytes) -> None:
    before = owner.serial()
    head = f"PATCH /{owner.user} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += f"Authorization: {basic(owner.user, owner.password)}\r\n"
    assert status_of(raw(url, head.encode() + tail)) == 400
    assert owner.serial() == before


def test_clients_that_send_half_a_request_and_leave_do_no_harm(url: str, nobody: Client, owner: Client) -> None:
    parts = urlsplit(url)
    head = f"POST /{owner.user}/{fresh()}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf".encode()
    before = nobody.serial()
    for length in (0, 1, 20, len(head)):
        with socket.create_connection((parts.hostname, parts.port), TIMEOUT_S) as connection:
            connection.sendall(head[:length])
    assert nobody.serial() == before
