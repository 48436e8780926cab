"""A replica takes over: nothing acknowledged is lost, the others follow it, and the old primary comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.following import Replica, entries, ledgerpi, status, wait_until
from tests.http.accounts import PASSWORD, fresh, make_user
from tests.http.client import Client, Dist, basic, wheel
from tests.processes import Node
from tests.replica.promoting import LOCAL, ONE, Cluster, cluster, promote, upload, wait_until_taken
from tests.replica.stranding import check_bundled, names
from tests.replica.test_forwarding import UPLOADERS

PROMOTE_S = 30.0  # more than it takes on a busy machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("three"), ("a", "b"), 1, "--durability-timeout", "4") as made:
        yield made
        made.wait_until_one()
        made.check()


@pytest.fixture
def three(whole: Cluster) -> Cluster:
    """A cluster of three, N = 1, each of whom may be the primary."""
    whole.wait_until_one()
    return whole


def page(node: Node, dist: Dist) -> bool:
    """Return whether a node has a file."""
    return Client(node.url).get(f"root/dev/{dist.path}", "*/*").content == dist.content


def test_a_dry_run_tells_and_changes_nothing(three: Cluster) -> None:
    before = {name: entries(node) for name, node in three.nodes.items()}
    told = promote(three.replicas[0], "--dry-run").said
    assert " would begin behind " in told
    assert told.count(" answers: it has ") == 3
    assert "missing" not in told
    assert upload(three.primary, wheel(fresh()), ONE) == 200
    three.wait_until_one()
    assert {name: entries(node)[: len(before[name])] for name, node in three.nodes.items()} == before
    assert len({said["epoch"] for said in three.told().values()}) == 1


def test_a_replica_takes_over_from_a_primary_that_hangs(three: Cluster, tmp_path: Path) -> None:
    old, (new, third), held = three.primary, three.replicas, wheel(fresh())
    user = make_user(Client(old.url))
    login = Client(old.url).ask("POST", "+login", json={"user": user.user, "password": PASSWORD})
    token = login.json()["result"]["password"]
    assert upload(third, held, ONE) == 200
    old.pause()
    done = promote(new)
    assert "this node is the primary of epoch" in done.said
    assert done.took_s < PROMOTE_S
    wait_until_taken(third, wheel(fresh()))  # which follows the new one by itself
    for node in (new, third):
        assert page(node, held)
        answer = Client(node.url).ask("GET", "+api", headers={"Authorization": basic(user.user, token)})
        assert answer.json()["result"]["authstatus"][:2] == ["ok", user.user]
    for publish in UPLOADERS:
        name = fresh()
        home = tmp_path / name
        home.mkdir()
        publish(Clients(home), third, "root/dev", Project(name, "1.0").both(tmp_path / f"dist-{name}"))
        assert len(Client(new.url).get(f"root/dev/+simple/{name}/", SIMPLE).json()["files"]) == 2
    old.resume()
    three.wait_until_one()
    assert three.primary is new
    assert status(old)["role"] == "REPLICA"
    assert "primary no longer" in old.log
    wait_until_taken(old, wheel(fresh()))


SIMPLE = "application/vnd.pypi.simple.v1+json"


def test_what_the_old_primary_alone_has_is_bundled_when_it_comes_back(three: Cluster) -> None:
    old, others, only = three.primary, three.replicas, [wheel(fresh()) for _ in range(3)]
    known = names(old)
    for node in others:
        node.stop()
    assert [upload(old, dist, LOCAL) for dist in only] == [200, 200, 200]
    assert upload(old, wheel(fresh()), ONE) == 503
    old.kill()
    new, third = others
    third.start()
    assert promote(new).took_s < PROMOTE_S  # it does not run, and begins as a primary when it is started
    new.start()
    wait_until_taken(third, wheel(fresh()))
    old.start()
    three.wait_until_one()
    assert (three.primary, status(old)["role"]) == (new, "REPLICA")
    (name,) = set(names(old)) - set(known)
    check_bundled(old, name, only)
    for node in three.nodes.values():
        assert not any(page(node, dist) for dist in only)
    assert upload(new, only[0], ONE) == 200  # to be had again
    three.wait_until_one()


@pytest.mark.long
def test_with_too_few_answers_it_is_refused_and_says_who_is_missing(three: Cluster) -> None:
    old, (new, third) = three.primary, three.replicas
    name = status(third)["uuid"]
    old.pause()
    third.stop()
    for option in ((), ("--dry-run",)):
        told = promote(new, *option, code=0 if option else 1).said
        assert "1 more of the voters" in told
        assert name in told
    assert status(new)["role"] == "REPLICA"
    old.resume()
    third.start()
    three.wait_until_one()
    assert three.primary is old
    assert upload(new, wheel(fresh()), ONE) == 200


@pytest.mark.long
def test_a_primary_that_comes_back_and_hears_of_no_voter_serves_and_takes_no_writes(three: Cluster) -> None:
    old, others, held = three.primary, three.replicas, wheel(fresh())
    assert upload(old, held, LOCAL) == 200
    for node in (*others, old):
        node.kill()
    old.start()
    answer = Client(old.url, "root", "secret").put(f"root/{fresh()}", {})
    assert answer.status_code == 503
    assert "has yet to ask other members" in answer.text
    assert upload(old, wheel(fresh()), LOCAL) == 503
    assert page(old, held)
    others[0].start()
    wait_until_taken(old, wheel(fresh()))
    others[1].start()
    three.wait_until_one()


def test_the_primary_is_not_promoted_nor_who_may_not(three: Cluster) -> None:
    primary = three.primary
    told = ledgerpi("promote", "--serverdir", str(primary.serverdir), code=1).stderr
    assert "primary" in told
    where = ("--serverdir", str(three.replicas[0].serverdir))
    assert "holds a replica" in ledgerpi("cluster", "durability", *where, "0", code=1).stderr


@pytest.mark.long
def test_of_two_nodes_the_second_takes_over_alone_and_writes_wait_for_the_first(tmp_path: Path) -> None:
    with cluster(tmp_path, ("a",), 1, "--durability-timeout", "1") as two:
        old, new, held = two.nodes["first"], two.nodes["a"], wheel(fresh())
        assert upload(old, held, ONE) == 200
        old.kill()
        assert promote(new).took_s < PROMOTE_S
        wait_until(lambda: status(new)["role"] == "MASTER", lambda: new.log)
        assert page(new, held)
        late = wheel(fresh())
        assert upload(new, late) == 503  # it is there, and nobody else has it
        assert page(new, late)
        old.start()
        wait_until_taken(old, late)
        two.wait_until_one()
        assert names(old) == []
        two.check()


@pytest.mark.long
def test_with_accepted_loss_the_log_goes_on_under_another_origin(tmp_path: Path) -> None:
    with cluster(tmp_path, ("a", "b"), 1, "--durability-timeout", "4") as three:
        first, new, other = (three.nodes[name] for name in ("first", "a", "b"))
        origin = status(new)["origin"]
        for node in (first, other):
            node.kill()
        assert "could be lost" in promote(new, code=1).said
        assert promote(new, "--accept-loss").took_s < PROMOTE_S
        wait_until(lambda: status(new)["role"] == "MASTER", lambda: new.log)
        said = status(new)
        assert said["origin"] == f"{origin}/e{said['epoch']}"
        assert "LossAccepted" in ledgerpi("log", "--serverdir", str(new.serverdir)).stdout
        other.start()
        wait_until(lambda: status(other)["following"] == "refused", lambda: (status(other), other.log[-2_000:]))
        assert status(other)["serial"] < said["serial"]
        other.stop()
        rejoin(three, new, other, "b")
        wait_until_taken(other, wheel(fresh()))
        first.start()
        assert upload(first, wheel(fresh()), LOCAL) == 503  # it is a primary of the other origin, without voters
        assert status(first)["origin"] == origin
        first.stop()
        again = Replica(first.serverdir, [new.url], three.token(new, "c"), workers=1, args=first.args)
        three.nodes["first"] = again
        again.start()
        three.wait_until_one()
        three.check()


def rejoin(three: Cluster, primary: Node, node: Node, name: str) -> None:
    """Start *node* with a new token of *primary*."""
    ledgerpi("replica-token", "--serverdir", str(primary.serverdir), name, "--revoke")
    three.token(primary, name)
    node.start()
