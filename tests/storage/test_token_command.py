"""``ledgerpi token`` on a node that does not run, and on one that does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from changelog.env import DEFAULT_MAP_SIZE
from changelog.errors import Unauthenticated
from changelog.reader import Reader
from changelog.verify import verify_node
from ops.cli import main
from server import token_checks, token_uses
from server.commands import Caller
from server.create import create_node
from server.layout import Layout
from server.limits import NO_LIMITS, Limits
from server.passwords import hashed
from server.token_uses import LastUses
from tests.processes import Node, new_node

SMALL_MAP = 64 << 20


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """A new node, which has to be sound afterwards."""
    made = Layout(tmp_path / "node")
    create_node(made, hashed("secret"), map_size=SMALL_MAP)
    yield made
    assert not verify_node(made).findings


def token(layout: Layout, *arguments: str) -> Result:
    name, *more = arguments
    return CliRunner().invoke(main, ["token", name, "--serverdir", str(layout.serverdir), *more])


def made(layout: Layout, *arguments: str) -> str:
    result = token(layout, "create", *arguments)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def caller(layout: Layout, text: str) -> Caller:
    reader = Reader(layout.changelog, DEFAULT_MAP_SIZE)
    try:
        with reader.snapshot() as store:
            return token_checks.caller_with(store, "root", text, 2_000_000_000.0)[0]
    finally:
        reader.close()


@pytest.mark.parametrize("kind", [(), ("--macaroon",)])
def test_a_token_is_printed_that_is_good_for_what_was_said(layout: Layout, kind: tuple[str, ...]) -> None:
    limits = ("--verb", "upload", "--verb", "read", "--index", "root/dev", "--project", "Demo_X", "--days", "0")
    text = made(layout, "root", *limits, *kind)
    assert caller(layout, text).limits == Limits(("read", "upload"), ("root/dev",), ("demo-x",))
    assert caller(layout, made(layout, "root", "--days", "36500", *kind)).limits == NO_LIMITS


def test_a_list_has_limits_and_last_use_and_no_secret(layout: Layout) -> None:
    text = made(layout, "root", "--verb", "upload", "--description", "CI of demo")
    used = caller(layout, made(layout, "root", "--macaroon", "--days", "0")).token
    layout.token_uses.parent.mkdir()
    layout.token_uses.write_text(json.dumps({used: 1_800_000_000}))
    listed = token(layout, "list").output
    assert "allowed=upload" in listed
    assert "CI of demo" in listed
    assert re.search(rf"{used} +root +macaroon +expires=never .* 2027-01-15T08:00:00Z", listed)
    assert text not in listed
    assert token(layout, "list", "root").output == listed


def test_a_revoked_token_is_listed_no_longer(layout: Layout) -> None:
    text = made(layout, "root", "--days", "0")
    number = caller(layout, text).token
    assert token(layout, "revoke", number).output == f"the token {number} is revoked\n"
    assert number not in token(layout, "list").output
    again = token(layout, "revoke", number)
    assert again.exit_code == 1
    assert f"there is no token {number}" in again.output


def test_another_key_ends_macaroons(layout: Layout) -> None:
    text = made(layout, "root", "--macaroon", "--days", "0")
    assert caller(layout, text).user == "root"
    assert token(layout, "renew-key").exit_code == 0
    with pytest.raises(Unauthenticated):
        caller(layout, text)
    assert caller(layout, made(layout, "root", "--macaroon", "--days", "0")).user == "root"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "nobody"), "no such user: nobody"),
        (("create", "a/b"), "not a name for a user"),
        (("create", "root", "--verb", "fly"), "'fly' is not one of"),
        (("create", "root", "--index", "dev"), "not an index name"),
        (("create", "root", "--project", "../x"), "not a project name"),
        (("create", "root", "--description", "x" * 201), "description"),
        (("create", "root", "--days", "-1"), "-1"),
        (("list", "nobody"), "no such user: nobody"),
        (("revoke", "x" * 600), "there is no token"),
    ],
)
def test_what_can_not_be_meant_is_refused(layout: Layout, arguments: tuple[str, ...], said: str) -> None:
    result = token(layout, *arguments)
    assert result.exit_code in (1, 2)
    assert said in result.output


@pytest.mark.parametrize("name", ["create", "list", "revoke", "renew-key"])
def test_each_command_shows_an_example(name: str) -> None:
    told = CliRunner().invoke(main, ["token", name, "--help"]).output
    assert f"ledgerpi token {name} --serverdir" in told


def test_a_running_node_carries_them_out(tmp_path: Path) -> None:
    node: Node = new_node(tmp_path, workers=1).start()
    try:
        layout = Layout(node.serverdir)
        for kind in ((), ("--macaroon",)):
            text = made(layout, "root", "--days", "0", *kind)
            assert token(layout, "revoke", caller(layout, text).token).exit_code == 0
            assert text not in node.log
    finally:
        node.stop()


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"a": "b", "c": 1}', "\ufffd"])
def test_a_file_of_last_uses_that_is_not_whole_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "local" / "token-uses"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    assert token_uses.read(path) == ({"c": 1} if content and "c" in content else {})


async def test_last_uses_are_written_together_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "local" / "token-uses"
    uses = LastUses(path)
    uses.take([("a", 2), ("b", 1)])
    uses.take([("a", 1)])
    assert token_uses.read(path) == {}
    uses.write()
    assert token_uses.read(path) == {"a": 2, "b": 1}
    again = LastUses(path)
    again.take([("b", 3)])
    again.write()
    assert token_uses.read(path) == {"a": 2, "b": 3}
