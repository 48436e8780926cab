"""Every option, setting and route stands in the docs."""

import re
from pathlib import Path

import attrs
import click
import pytest

from ops.cli import main
from replica.config import ReplicaConfig
from server.routes import ROUTES

DOCS = Path(__file__).parents[2] / "docs"
OPERATING = "\n".join(path.read_text() for path in sorted((DOCS / "operating").glob("*.md")))
ROUTES_PAGE = (DOCS / "routes.md").read_text()
CONTEXT = click.Context(main)
COMMANDS = {name: main.get_command(CONTEXT, name) for name in main.list_commands(CONTEXT)}
OPTIONS = [
    (name, option)
    for name, command in COMMANDS.items()
    if command is not None
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in parameter.opts
    if option.startswith("--")
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_option_stands_in_the_operators_docs(command: str, option: str) -> None:
    assert f"ledgerpi {command}" in OPERATING
    assert option in OPERATING


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert command is not None
    assert f"ledgerpi {name} " in (command.epilog or "")


def test_every_setting_is_an_option_of_serve() -> None:
    serve = COMMANDS["serve"]
    assert serve is not None
    assert {parameter.name for parameter in serve.params} - {"configfile"} == {
        field.name for field in attrs.fields(ReplicaConfig)
    }


def test_a_default_in_the_docs_is_the_one_of_the_code() -> None:
    serve = COMMANDS["serve"]
    assert serve is not None
    for parameter in serve.params:
        if isinstance(parameter, click.Option) and isinstance(parameter.default, int) and parameter.default:
            row = re.search(rf"^\| `{parameter.opts[0]} [^|]*\| (\d+) \|", OPERATING, re.MULTILINE)
            assert row is not None, parameter.opts
            assert int(row[1]) == parameter.default


@pytest.mark.parametrize("shape", ROUTES)
def test_a_route_stands_in_the_docs_with_its_methods(shape: str) -> None:
    rows = {
        re.sub(r"\{\w+\}", "*", path).strip("/"): set(re.findall(r"[A-Z]+", cells[1]))
        for line in ROUTES_PAGE.splitlines()
        if line.startswith("| `/")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
        for path in re.findall(r"`([^`]+)`", cells[0])
    }
    assert rows[shape] == set(ROUTES[shape])
