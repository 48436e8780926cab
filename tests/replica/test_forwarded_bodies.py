"""Bodies that pass through a replica: whole, in any coding, and in little memory."""

import gzip
import http.client
import json
import os
import socket
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.http.accounts import fresh, make_index, make_user
from tests.http.client import Client, basic, raw, status_of, wheel
from tests.processes import Node
from tests.replica.conftest import Trio, has_file, root_of

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
UPLOAD_BYTES = (200 if FULL else 64) << 20
FLAT_BYTES = 48 << 20  # more memory than before, at most


def test_an_answer_of_many_packets_comes_whole(trio: Trio) -> None:
    text = "".join(chr(33 + number % 90) for number in range(700_000))
    user = make_user(Client(trio.near.url))
    answer = user.patch(user.user, {"description": text})
    assert answer.status_code == 200
    assert answer.json()["result"]["description"] == text


def test_a_body_in_gzip_goes_on(trio: Trio) -> None:
    name = f"root/{fresh()}"
    body = gzip.compress(json.dumps({"title": "packed"}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert root_of(trio.near).ask("PUT", name, data=body, headers=headers).status_code == 200
    assert root_of(trio.near).result(name)["title"] == "packed"


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked(trio: Trio) -> None:
    body = json.dumps({"title": "asked for"}).encode()
    name = f"root/{fresh()}"
    head = f"PUT /{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: {basic('root', 'secret')}\r\n\r\n"
    assert status_of(raw(trio.near.url, head.encode() + body)) == 200
    form = wheel(fresh())
    files = {"content": (form.filename, form.content)}
    request = requests.Request("POST", f"{trio.near.url}/root/dev/", data=form.fields, files=files)
    sent = root_of(trio.near).session.prepare_request(request)
    where = urlsplit(trio.near.url)
    with socket.create_connection((where.hostname, where.port), 30) as connection:
        lines = [f"{key}: {text!s}" for key, text in sent.headers.items()]
        head = "\r\n".join(["POST /root/dev/ HTTP/1.1", "Host: x", *lines, "Expect: 100-continue"])
        connection.sendall(head.encode() + b"\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        assert isinstance(sent.body, bytes)
        connection.sendall(sent.body)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_a_large_upload_passes_in_little_memory(trio: Trio, tmp_path: Path) -> None:
    path = large_wheel(tmp_path, UPLOAD_BYTES)
    index = make_index(root_of(trio.near), upload_checks="lenient")
    before = {name: memory(pid, "VmRSS") for name, pid in trio.near.pids().items()}
    for pid in trio.near.pids().values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the peak (proc(5))
    assert upload_streamed(trio.near, index, path) == 200
    peaks = {name: memory(pid, "VmHWM") - before[name] for name, pid in trio.near.pids().items()}
    assert max(peaks.values()) < FLAT_BYTES, peaks
    assert has_file(trio.near, path)
    assert "file not kept" not in trio.near.log


def large_wheel(folder: Path, size: int) -> Path:
    """Return a good wheel with *size* bytes of payload."""
    small = wheel("large", note="small")
    path = folder / small.filename
    path.write_bytes(small.content)
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if not name.endswith("RECORD")}
    piece = os.urandom(1 << 20)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("payload.bin", "w", force_zip64=True) as payload:
            for _ in range(size >> 20):
                payload.write(piece)
        for name, content in kept.items():
            archive.writestr(name, content)
        archive.writestr("large-1.0.dist-info/RECORD", "")
    return path


def upload_streamed(node: Node, index: str, path: Path) -> int:
    """Send a form from the disk and return the status."""
    fields = {":action": "file_upload", "name": "large", "version": "1.0", "filetype": "bdist_wheel"}
    fields |= {"pyversion": "py3", "metadata_version": "2.1"}
    lines = [f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n' for key, text in fields.items()]
    lines.append(f'--x\r\nContent-Disposition: form-data; name="content"; filename="{path.name}"\r\n\r\n')
    begin, end = "".join(lines).encode(), b"\r\n--x--\r\n"
    where = urlsplit(node.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)
    connection.putrequest("POST", f"/{index}/")
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(len(begin) + path.stat().st_size + len(end)))
    connection.putheader("Authorization", basic("root", "secret"))
    connection.endheaders()
    connection.send(begin)
    with path.open("rb") as file:
        connection.send(file)
    connection.send(end)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def memory(pid: int, key: str) -> int:
    """Return a number of ``/proc/PID/status`` in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{key}:"))
