"""A primary behind a proxy that ends TLS: who trusts its certificate follows it, nobody else does."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from changelog.blobs import Blobs
from server.layout import Layout
from tests.authorities import Authority, make_authority
from tests.following import Replica, check_copy, entries, new_token, status, wait_until, wait_until_equal
from tests.http.client import Client, wheel
from tests.processes import Node, new_node
from tests.replica.faulty import Faulty, faulty

STAGE = "root/dev"
WHY = "certificate verify failed"


@frozen
class Secured:
    """A running primary, the proxy before it, and the authority that signed the proxy's certificate."""

    primary: Node
    proxy: Faulty
    authority: Authority

    def replica(self, folder: Path, *, trusts: bool = True) -> Replica:
        """Return a new replica, which does not run yet."""
        token = new_token(self.primary, folder)
        return Replica(folder / token.stem, [self.proxy.url], token, args=self.args if trusts else ())

    @property
    def args(self) -> tuple[str, str]:
        """What a replica needs that is to trust the proxy."""
        return "--primary-ca-file", str(self.authority.ca_file)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority, primary = make_authority(folder), new_node(folder).start()
    try:
        with faulty(primary.url, authority.server) as proxy:
            yield Secured(primary, proxy, authority)
    finally:
        primary.kill()


@pytest.fixture(scope="module")
def replica(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    found = secured.replica(tmp_path_factory.mktemp("replica")).start()
    try:
        yield found
        assert "Traceback" not in found.log
    finally:
        found.kill()


def test_who_trusts_the_certificate_follows_forwards_and_fetches(secured: Secured, replica: Replica) -> None:
    here, there = wheel("here", note="x" * 50_000), wheel("there", note="x" * 50_000)
    at_replica = Client(replica.url, "root", "secret")
    assert at_replica.upload(STAGE, here).status_code == 200
    assert Client(secured.primary.url, "root", "secret").upload(STAGE, there).status_code == 200
    wait_until_equal(secured.primary, replica)
    blobs = Blobs(Layout(replica.serverdir).blobs)
    wait_until(lambda: blobs.has(bytes.fromhex(there.sha256)), lambda: replica.log)
    for dist in (here, there):
        assert at_replica.get(f"{STAGE}/{dist.path}", "*/*").content == dist.content
    assert secured.proxy.count(there.sha256) == 1
    check_copy(secured.primary, replica, files=True)


def test_who_no_longer_trusts_it_says_so_and_serves_what_there_is(replica: Replica) -> None:
    replica.stop()
    distrustful = Replica(replica.serverdir, replica.primaries, replica.token)
    try:
        distrustful.start()
        wait_until(lambda: WHY in status(distrustful)["following-reason"], lambda: status(distrustful))
        root = Client(distrustful.url, "root", "secret")
        assert root.get(STAGE).status_code == 200
        answer = root.put("root/more", {})
        assert answer.status_code == 502
        assert WHY in answer.json()["message"]
    finally:
        distrustful.kill()


def test_a_first_copy_by_who_does_not_trust_it_waits_and_says_why(secured: Secured, tmp_path: Path) -> None:
    new = secured.replica(tmp_path, trusts=False)
    with subprocess.Popen(new.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while WHY not in said:
                line = process.stderr.readline()
                assert line, said
                said += line.strip("\n")
            assert "waiting:" in said
        finally:
            process.kill()
    assert entries(new) == []
