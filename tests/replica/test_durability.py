"""Writes that wait for copies, against voters that acknowledge what a test says: which wait, for what, and how long."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from attrs import frozen

from changelog.codec import decode
from changelog.events.cluster import MembersSettled
from tests.following import entries, ledgerpi, status, wait_for_members, wait_until
from tests.http.accounts import fresh
from tests.http.client import Client, Dist, wheel
from tests.processes import Node, new_node
from tests.replica.copied import is_here
from tests.replica.voters import Voter, acknowledging, enrolled, unsettled

TIMEOUT_S = 1.0
AT_ONCE_S = TIMEOUT_S / 2
HEADER = "X-Ledgerpi-Durability"
POSITION = "X-Ledgerpi-Position"
ONE, LOCAL = "replicas=1", "local"


@frozen
class Waiting:
    """A primary at which nothing is acknowledged but by a voter."""

    primary: Node
    voter: Voter

    def upload(self, dist: Dist, durability: str = "", index: str = "root/dev") -> requests.Response:
        """Upload a file as root."""
        client = Client(self.primary.url, "root", "secret")
        if durability:
            client.session.headers[HEADER] = durability
        return client.upload(index, dist)

    def put(self, name: str, durability: str = "", **options: object) -> requests.Response:
        """Make an index as root."""
        headers = {HEADER: durability} if durability else {}
        return Client(self.primary.url, "root", "secret").ask("PUT", name, json=options, headers=headers)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    args = ("--durability-timeout", str(TIMEOUT_S))
    primary = new_node(tmp_path_factory.mktemp("waiting"), workers=1, args=args).start()
    try:
        voter = enrolled(primary, "voter")
        assert voter.join().status_code == 200
        wait_for_members(primary)
        yield Waiting(primary, voter)
        assert "Traceback" not in primary.log
        primary.stop()
        ledgerpi("verify", "--serverdir", str(primary.serverdir))
    finally:
        primary.kill()


def size(node: Node) -> int:
    return int(status(node)["serial"])


def where(node: Node) -> tuple[str, str]:
    return "--serverdir", str(node.serverdir)


def is_too_few(answer: requests.Response, node: Node) -> bool:
    """Return whether *answer* says that the head is durable on the primary alone."""
    found = status(node)
    position = f"{found['epoch']}:{found['serial']}"
    told = f"{position} is durable on the primary; 0 of 1 voters said in time that they have it"
    return answer.status_code == 503 and told in answer.text + str(answer.reason) and "Retry-After" in answer.headers


def test_a_write_that_asks_for_a_copy_waits_for_a_voter(waiting: Waiting) -> None:
    before = size(waiting.primary)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(waiting.put, f"root/{fresh()}", ONE)
        wait_until(lambda: size(waiting.primary) > before, lambda: status(waiting.primary))
        time.sleep(TIMEOUT_S / 4)
        assert not answer.done()
        assert waiting.voter.ack().status_code == 200
        assert answer.result().status_code == 200


def test_without_a_voter_it_is_503_with_its_position_and_is_there_all_the_same(waiting: Waiting) -> None:
    dist = wheel(fresh())
    began = time.monotonic()
    answer = waiting.upload(dist, ONE)
    assert TIMEOUT_S <= time.monotonic() - began < 10 * TIMEOUT_S
    assert is_too_few(answer, waiting.primary)
    assert Client(waiting.primary.url).get(f"root/dev/{dist.path}", "*/*").content == dist.content


def test_the_same_upload_again_waits_for_the_entry_that_is_there(waiting: Waiting) -> None:
    dist = wheel(fresh())
    assert waiting.upload(dist, ONE).status_code == 503
    before = size(waiting.primary)
    assert is_too_few(waiting.upload(dist, ONE), waiting.primary)
    assert waiting.upload(dist, LOCAL).status_code == 200
    assert waiting.voter.ack().status_code == 200
    again = waiting.upload(dist, ONE)
    assert (again.status_code, size(waiting.primary)) == (200, before)


def test_local_does_not_wait(waiting: Waiting) -> None:
    for durability in (LOCAL, ""):
        began = time.monotonic()
        assert waiting.upload(wheel(fresh()), durability).status_code == 200
        assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.parametrize("durability", ["replicas=9", "replicas=0", "replicas=-1", "replicas", "all", "replicas=1x"])
def test_what_can_not_be_had_is_refused_and_nothing_is_appended(waiting: Waiting, durability: str) -> None:
    before, dist = size(waiting.primary), wheel(fresh())
    for answer in (waiting.put(f"root/{fresh()}", durability), waiting.upload(dist, durability)):
        assert answer.status_code == 400
        assert "durability" in answer.text + str(answer.reason)
    assert size(waiting.primary) == before


def test_an_index_says_how_durable_its_uploads_are(waiting: Waiting) -> None:
    name = f"root/{fresh()}"
    assert waiting.put(name, durability=LOCAL).status_code == 200
    assert Client(waiting.primary.url, "root", "secret").patch(name, {"durability": "all"}).status_code == 400
    assert Client(waiting.primary.url, "root", "secret").patch(name, {"durability": ONE}).status_code in (200, 503)
    dist = wheel(fresh())
    assert is_too_few(waiting.upload(dist, index=name), waiting.primary)
    assert waiting.upload(wheel(fresh()), LOCAL, name).status_code == 200
    assert waiting.voter.ack().status_code == 200
    assert waiting.upload(dist, index=name).status_code == 200


def test_a_file_that_a_voter_lacks_holds_up_its_own_upload_alone(waiting: Waiting) -> None:
    bad, good = wheel(fresh()), wheel(fresh())
    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(waiting.upload, dist, ONE) for dist in (bad, good)]
        wait_until(
            lambda: is_here(waiting.primary, bad.content) and is_here(waiting.primary, good.content),
            lambda: status(waiting.primary),
        )
        time.sleep(TIMEOUT_S / 4)
        assert waiting.voter.ack(missing=(bytes.fromhex(bad.sha256),)).status_code == 200
        held, free = (answer.result() for answer in answers)
    assert (held.status_code, free.status_code) == (503, 200)
    assert waiting.voter.ack().status_code == 200
    assert waiting.upload(bad, ONE).status_code == 200


def test_status_tells_where_members_are_and_how_far_behind(waiting: Waiting) -> None:
    assert waiting.voter.ack(missing=(bytes(32),)).status_code == 200
    told = size(waiting.primary)
    assert waiting.upload(wheel(fresh())).status_code == 200
    found = status(waiting.primary)
    own, voter = (row for row in found["members"] if row["name"] in (found["uuid"], "voter"))
    assert (own["number"], own["may-promote"]) == (1, True)
    assert "position" not in own
    assert (voter["number"], voter["voter"], voter["may-promote"]) == (2, True, False)
    assert voter["position"] == f"{found['epoch']}:{told}"
    assert (voter["entries-behind"], voter["files-missing"]) == (found["serial"] - told, 1)
    assert abs(voter["acknowledged"] - time.time()) < 60


def test_an_acknowledgement_of_another_epoch_or_by_another_key_counts_for_nothing(waiting: Waiting) -> None:
    dist, voter = wheel(fresh()), waiting.voter
    assert waiting.upload(dist, ONE).status_code == 503
    stranger = Voter(waiting.primary, "stranger", number=voter.number, token=voter.token)
    assert stranger.ack().status_code >= 400
    assert voter.ack(member=77).status_code >= 400
    assert voter.post("ack", data=b"all is well").status_code >= 400
    assert voter.ack(epoch=voter.of_head().epoch - 1024).status_code < 500
    assert is_too_few(waiting.upload(dist, ONE), waiting.primary)


def test_of_members_one_change_is_made_at_a_time(waiting: Waiting) -> None:
    """The last but one: copies count from here on."""
    primary = waiting.primary
    with acknowledging(waiting.voter):
        ledgerpi("cluster", "durability", *where(primary), "1")
    assert not unsettled(primary)
    assert settled(primary) == size(primary)
    said = ledgerpi("cluster", "durability", *where(primary), "0", code=1).stderr
    assert "is durable on the primary" in said
    assert unsettled(primary) == size(primary)
    assert "not settled yet" in ledgerpi("cluster", "durability", *where(primary), "1", code=1).stderr
    other = enrolled(primary, "other")
    assert other.join().status_code == 409
    assert waiting.upload(wheel(fresh())).status_code == 503  # the setting before counts too
    with acknowledging(waiting.voter):
        pass
    assert other.join().status_code == 200
    assert waiting.upload(wheel(fresh())).status_code == 200


def test_who_is_removed_or_revoked_counts_no_longer_and_may_not_follow(waiting: Waiting) -> None:
    primary = waiting.primary
    first, second = (enrolled(primary, fresh()) for _ in range(2))
    for voter in (first, second):
        assert voter.join().status_code == 200
    ledgerpi("cluster", "remove", *where(primary), first.name)
    ledgerpi("replica-token", *where(primary), second.name, "--revoke")
    assert not {first.name, second.name} & {row["name"] for row in status(primary)["members"]}
    for voter in (first, second):
        assert voter.ack().status_code >= 400
        assert voter.join().status_code == 401
    again = enrolled(primary, first.name)
    assert again.join().status_code == 200
    assert again.number > second.number


def test_the_primary_stays_and_voters_as_many_as_copies_are_wanted(waiting: Waiting) -> None:
    """The last one."""
    primary = waiting.primary
    name = str(status(primary)["uuid"])
    assert "can not be removed" in ledgerpi("cluster", "remove", *where(primary), name, code=1).stderr
    voters = sum(row["voter"] for row in status(primary)["members"])
    assert "can not be had" in ledgerpi("cluster", "durability", *where(primary), str(voters), code=1).stderr


def settled(node: Node) -> int:
    """Return the serial of the last entry that settled a change of members."""
    found = [decode(raw, serial) for serial, raw in enumerate(entries(node), 1)]
    return max(stamp.serial for event, stamp in found if isinstance(event, MembersSettled))
