"""``pip search`` of old: XML-RPC on an index."""

import xmlrpc.client

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.accounts import make_index
from tests.http.client import Client, wheel

Hits = list[dict[str, object]]
BOMB = """<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<methodCall><methodName>search</methodName><params><param><value><struct><member><name>name</name>
<value><string>&b;</string></value></member></struct></value></param></params></methodCall>
"""
FILE = BOMB.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/hostname"')


def post(client: Client, index: str, body: bytes) -> requests.Response:
    return client.ask("POST", index, data=body, headers={"Content-Type": "text/xml"})


def call(client: Client, index: str, *arguments: object, method: str = "search") -> Hits:
    body = xmlrpc.client.dumps(arguments, method)  # type: ignore[arg-type] # what can be marshalled
    answer = post(client, index, body.encode())
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/xml")
    (hits,), _ = xmlrpc.client.loads(answer.content)
    assert isinstance(hits, list)
    return hits


def names(hits: Hits) -> list[object]:
    return [hit["name"] for hit in hits]


@pytest.fixture(scope="module")
def shop(owner: Client) -> str:
    """An index that inherits another one."""
    base = make_index(owner)
    heir = make_index(owner, bases=[base])
    owner.upload(base, wheel("apple-tree"))
    owner.upload(heir, wheel("apple"))
    owner.upload(heir, wheel("apple", "1.9"))
    owner.upload(heir, wheel("apple", "1.10"))
    owner.submit(heir, "pear", "0.1", summary="Better than an APPLE & <others>")
    return heir


@pytest.mark.parametrize("slash", ["", "/"])
def test_names_and_summaries_are_searched_bases_too(nobody: Client, shop: str, slash: str) -> None:
    hits = call(nobody, shop + slash, {"name": ["apple"], "summary": ["apple"]}, "or")
    assert names(hits) == ["apple", "apple-tree", "pear"]
    assert hits[0] == {"name": "apple", "version": "1.10", "summary": "what it is", "_pypi_ordering": 0}
    assert hits[2]["summary"] == "Better than an APPLE & <others>"


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (({"name": "tree"},), ["apple-tree"]),
        (({"name": ["apple", "tree"]}, "and"), ["apple-tree"]),
        (({"summary": "better apple"}, "and"), ["pear"]),
        (({"name": "pear", "summary": "better"}, "and"), ["pear"]),
        (({"name": "apple", "summary": "better"}, "and"), []),
        (({"name": "apple", "summary": "better"}, "or"), ["apple", "apple-tree", "pear"]),
        (({"name": "nothing"},), []),
    ],
)
def test_words_narrow_and_fields_widen(
    nobody: Client, shop: str, arguments: tuple[object, ...], found: list[str]
) -> None:
    assert names(call(nobody, shop, *arguments)) == found


def test_what_is_quarantined_is_not_found(owner: Client, index: str) -> None:
    owner.upload(index, wheel("hidden"))
    owner.patch(f"{index}/hidden", {"status": "quarantined"})
    assert call(owner, index, {"name": "hidden"}) == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("list_packages", ()),
        ("system.listMethods", ()),
        ("search", ()),
        ("search", ("apple",)),
        ("search", ({"name": 1},)),
        ("search", ({"name": [1]},)),
        ("search", ({},)),
        ("search", ({"description": "apple"},)),
        ("search", ({"name": "apple"}, "xor")),
        ("search", ({"name": "apple"}, "or", "more")),
        ("search", ({"name": ["a"] * 100},)),
    ],
)
def test_anything_else_is_a_fault(nobody: Client, shop: str, method: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(xmlrpc.client.Fault):
        call(nobody, shop, *arguments, method=method)


@pytest.mark.parametrize("kind", ["bigdecimal", "bigint", "double", "dateTime.iso8601", "base64", "boolean", "nil"])
def test_a_value_of_a_type_that_it_is_not_is_a_fault(nobody: Client, shop: str, kind: str) -> None:
    value = f"<params><param><value><{kind}>x</{kind}></value></param></params>"
    answer = post(nobody, shop, f"<methodCall><methodName>search</methodName>{value}</methodCall>".encode())
    assert answer.status_code == 200
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(answer.content)


def test_only_a_search_is_answered_by_a_fault(nobody: Client, shop: str) -> None:
    path = f"{shop}/+f/012/3456789abcdef/apple-1.0.tar.gz"
    asked = {"Accept": "*/*", "Content-Type": "text/xml"}
    for headers in (asked, asked, {"Accept": "*/*"}):  # the last one gets no answer that was kept for the others
        assert nobody.ask("GET", path, headers=headers).status_code == 404
    for method in ("DELETE", "PATCH"):
        assert nobody.ask(method, f"{shop}/none", headers=asked, data=b"{}").status_code in {400, 401, 404}


def test_an_index_that_is_not_there_is_a_fault(nobody: Client) -> None:
    with pytest.raises(xmlrpc.client.Fault, match="no such index"):
        call(nobody, "no-such/index", {"name": "apple"})


@pytest.mark.parametrize("body", [BOMB.encode(), FILE.encode(), BOMB.encode("utf-16"), b"<a>" * 20_000, b"x" * 100_000])
def test_a_bomb_is_a_fault(nobody: Client, shop: str, body: bytes) -> None:
    answer = post(nobody, shop, body)
    assert answer.status_code == 200
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(answer.content)


TAGS = (
    "methodCall",
    "methodName",
    "params",
    "param",
    "value",
    "struct",
    "member",
    "name",
    "array",
    "data",
    "int",
    "fault",
)
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]), st.sampled_from(["search", "1", "x"])
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=100), st.lists(PIECES, max_size=20).map(lambda all_: "".join(all_).encode())))
def test_any_bytes_are_answered_with_a_fault(nobody: Client, shop: str, body: bytes) -> None:
    answer = post(nobody, shop, body)
    assert answer.status_code == 200
    with pytest.raises(xmlrpc.client.Fault):
        xmlrpc.client.loads(answer.content)
