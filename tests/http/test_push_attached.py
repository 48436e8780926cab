"""What is pushed along with the files of a release: histories, test results, documentation."""

from typing import Any

import pytest

from tests.http.accounts import make_index
from tests.http.client import Client, sdist, wheel
from tests.http.test_documentation import PAGES, send, zipped
from tests.http.test_pushes import files, push, rows
from tests.http.test_results import RESULT, post

OTHER = b'{"other": "result"}'


def links(client: Client, index: str, rel: str) -> list[dict[str, Any]]:
    return [link for link in client.result(f"{index}/demo/1.0")["+links"] if link["rel"] == rel]


def actions(link: dict[str, Any]) -> list[tuple[object, ...]]:
    """Return what was done with something, without the times."""
    return [(act["what"], act["who"], act.get("src"), act.get("dst")) for act in link["log"]]


def content(client: Client, link: dict[str, Any]) -> bytes:
    return client.get(link["href"].removeprefix(f"{client.url}/"), "*/*").content


@pytest.fixture
def source(owner: Client, index: str) -> str:
    """An index with a wheel, two results of testing it, and documentation."""
    owner.upload(index, wheel())
    for result in (RESULT, OTHER):
        assert post(owner, index, result).status_code == 200
    assert send(owner, index, zipped(PAGES)).status_code == 200
    return index


@pytest.fixture
def target(owner: Client) -> str:
    return make_index(owner)


def test_everything_comes_along_and_is_told(owner: Client, source: str, target: str) -> None:
    told = rows(push(owner, source, target))
    assert [row[1] for row in told] == [
        "register",
        "store_releasefile",
        "store_toxresult",
        "store_toxresult",
        "store_doczip",
    ]
    assert told[-1] == [200, "store_doczip", "demo", "1.0", "->", target]
    pushed = links(owner, target, "toxresult")
    assert {content(owner, link) for link in pushed} == {RESULT, OTHER}
    assert {f"{owner.url}/{row[2]}" for row in told[2:4]} == {link["href"] for link in pushed}
    (file,) = links(owner, target, "releasefile")
    assert {link["for_href"] for link in pushed} == {file["href"]}
    (document,) = links(owner, target, "doczip")
    assert content(owner, document) == zipped(PAGES)
    assert owner.get(f"{target}/demo/1.0/+doc/", "*/*").status_code == 200


def test_histories_are_carried_and_extended(owner: Client, stranger: Client, source: str, target: str) -> None:
    push(owner, source, target)
    third = make_index(stranger)
    push(stranger, target, third)
    who, other = owner.user, stranger.user
    for rel in ("releasefile", "toxresult", "doczip"):
        for link in links(owner, third, rel):
            assert actions(link) == [
                ("upload", who, None, source),
                ("push", who, source, target),
                ("push", other, target, third),
            ], rel
            moments = [act["when"] for act in link["log"]]
            assert moments == sorted(moments)


def test_how_often_a_file_was_replaced_where_it_comes_from_is_not_carried(
    owner: Client, index: str, target: str
) -> None:
    for note in ("", "replaced"):
        owner.upload(index, wheel(note=note))
    push(owner, index, target)
    (link,) = links(owner, target, "releasefile")
    assert [what for what, *_ in actions(link)] == ["upload", "push"]


def test_a_push_again_changes_nothing(owner: Client, source: str, target: str) -> None:
    push(owner, source, target)
    before, shown = owner.serial(), owner.result(f"{target}/demo/1.0")
    push(owner, source, target)
    assert (owner.serial(), owner.result(f"{target}/demo/1.0")) == (before, shown)


def test_results_that_came_since_are_added(owner: Client, source: str, target: str) -> None:
    push(owner, source, target)
    post(owner, source, b'{"newer": 1}')
    push(owner, source, target)
    assert {content(owner, link) for link in links(owner, target, "toxresult")} == {RESULT, OTHER, b'{"newer": 1}'}


def test_results_of_both_indexes_stay(owner: Client, source: str, target: str) -> None:
    owner.upload(target, wheel())
    post(owner, target, b'{"own": 1}')  # perhaps by a name that one of those that come has too
    post(owner, target, b'{"own": 2}')
    both = {RESULT, OTHER, b'{"own": 1}', b'{"own": 2}'}
    push(owner, source, target)
    assert {content(owner, link) for link in links(owner, target, "toxresult")} == both


def test_a_result_whose_name_is_taken_is_told_by_the_one_that_it_got(owner: Client, index: str, target: str) -> None:
    for place in (index, target):
        owner.upload(place, wheel())
    theirs = [b'{"theirs": %d}' % number for number in range(3)]
    for content_of in theirs:  # names are by second and number: one pair at least has the same
        for place, result in ((index, content_of), (target, b'{"own": 1}')):
            post(owner, place, result)
    names = [{link["href"].rpartition("/")[2] for link in links(owner, each, "toxresult")} for each in (index, target)]
    assert set.intersection(*names)
    told = [str(row[2]) for row in rows(push(owner, index, target)) if row[1] == "store_toxresult"]
    assert {owner.get(path, "*/*").content for path in told} == set(theirs)
    before = owner.serial()
    again = [str(row[2]) for row in rows(push(owner, index, target)) if row[1] == "store_toxresult"]
    assert (again, owner.serial()) == (told, before)


def test_documentation_can_be_left_out(owner: Client, source: str, target: str) -> None:
    assert "store_doczip" not in [row[1] for row in rows(push(owner, source, target, no_docs=True))]
    assert links(owner, target, "doczip") == []
    assert files(owner, target)


def test_documentation_can_be_all(owner: Client, source: str, target: str) -> None:
    told = rows(push(owner, source, target, only_docs=True))
    assert [row[1] for row in told] == ["register", "store_doczip"]
    assert files(owner, target) == {}
    assert owner.result(f"{target}/demo/1.0")["summary"] == "what it is"
    assert len(links(owner, target, "doczip")) == 1


def test_documentation_that_is_there_is_409_where_the_index_is_not_volatile(
    owner: Client, source: str, fixed: str
) -> None:
    owner.upload(fixed, sdist())
    send(owner, fixed, zipped(PAGES))
    assert push(owner, source, fixed).status_code == 409
    assert push(owner, source, fixed, no_docs=True).status_code == 200


def test_a_release_of_documentation_alone_can_be_pushed(owner: Client, index: str, target: str) -> None:
    send(owner, index, zipped(PAGES))
    assert push(owner, index, target, no_docs=True).status_code == 404
    assert [row[1] for row in rows(push(owner, index, target))] == ["register", "store_doczip"]
