"""A real voter: what it acknowledges is there, entries and files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.following import Replica, check_copy, ledgerpi, status, wait_until
from tests.http.accounts import fresh
from tests.http.client import wheel
from tests.processes import Node, new_node
from tests.replica.copied import is_here
from tests.replica.faulty import Fault, Faulty, faulty
from tests.replica.promoting import LOCAL, ONE, upload


@frozen
class Voting:
    """A primary and a voter that follows it through what spoils files."""

    primary: Node
    voter: Replica
    proxy: Faulty


@pytest.fixture(scope="module")
def voting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voting]:
    folder = tmp_path_factory.mktemp("voting")
    primary = new_node(folder, workers=1, args=("--durability-timeout", "3")).start()
    with faulty(primary.url) as proxy:
        token = folder / "voter.token"
        where = ("--serverdir", str(primary.serverdir))
        token.write_text(ledgerpi("replica-token", *where, "--voter", "voter").stdout)
        voter = Replica(folder / "voter", [proxy.url], token, workers=1)
        try:
            voter.start()
            wait_until(lambda: acknowledges(primary), lambda: (status(primary), voter.log))
            yield Voting(primary, voter, proxy)
            wait_until(lambda: acknowledges(primary), lambda: (status(primary), voter.log))
            for node in (voter, primary):
                node.stop()
            check_copy(primary, voter, files=True)
        finally:
            voter.kill()
            primary.kill()


def acknowledges(primary: Node) -> bool:
    """Return whether the voter says that it has everything."""
    rows = [row for row in status(primary)["members"] if row["name"] == "voter"]
    return [(row.get("entries-behind"), row.get("files-missing")) for row in rows] == [(0, 0)]


def test_what_was_answered_is_on_the_voters_disk(voting: Voting) -> None:
    for _ in range(5):
        dist = wheel(fresh())
        assert upload(voting.primary, dist, ONE) == 200
        assert is_here(voting.voter, dist.content)


def test_a_file_that_the_voter_can_not_have_holds_up_its_own_upload_alone(voting: Voting) -> None:
    bad, good = wheel(fresh()), wheel(fresh())
    voting.proxy.faults[bad.sha256] = Fault(cut_at=0)
    assert upload(voting.primary, bad, ONE) == 503
    assert upload(voting.primary, good, ONE) == 200
    assert not is_here(voting.voter, bad.content)
    row = next(row for row in status(voting.primary)["members"] if row["name"] == "voter")
    assert row["files-missing"] == 1
    del voting.proxy.faults[bad.sha256]
    wait_until(lambda: upload(voting.primary, bad, ONE) == 200, lambda: status(voting.primary))
    assert is_here(voting.voter, bad.content)


def test_a_voter_that_is_away_holds_up_what_asks_for_it_alone(voting: Voting) -> None:
    voting.voter.stop()
    late = wheel(fresh())
    assert upload(voting.primary, wheel(fresh()), LOCAL) == 200
    assert upload(voting.primary, late, ONE) == 503
    voting.voter.start()
    wait_until(lambda: upload(voting.primary, late, ONE) == 200, lambda: status(voting.primary))


def test_a_voter_keeps_all_files(voting: Voting, tmp_path: Path) -> None:
    token = tmp_path / "token"
    where = ("--serverdir", str(voting.primary.serverdir))
    token.write_text(ledgerpi("replica-token", *where, "--voter", fresh()).stdout)
    lazy = Replica(tmp_path / "lazy", [voting.primary.url], token, args=("--files", "lazy"))
    assert "a voter keeps all files" in ledgerpi(*lazy.command[1:], code=2).stderr
