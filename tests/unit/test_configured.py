"""Options by command line, environment, file and default, in this order."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ops.cli import main
from ops.configured import Configured, found_file, read


@click.command("shown", cls=Configured)
@click.option("--outside-url", default="default")
@click.option("--offline-mode", is_flag=True)
@click.option("--port", default=3141)
@click.option("--primary", "--master-url", "primary", multiple=True)
def shown(outside_url: str, port: int, primary: tuple[str, ...], *, offline_mode: bool) -> None:
    """Print the options."""
    click.echo(f"{outside_url} {port} {offline_mode} {','.join(primary)}")


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "machine"))


def config(tmp_path: Path, text: str, place: str = "given.yml") -> Path:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def said(*words: str | Path, **environment: str) -> str:
    done = CliRunner().invoke(shown, [str(word) for word in words], env=environment)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def node(tmp_path: Path) -> Path:
    """Return a folder that looks like that of a node."""
    (tmp_path / "node" / "changelog").mkdir(parents=True)
    (tmp_path / "node" / "changelog" / "data.mdb").touch()
    return tmp_path / "node"


def test_without_a_word_there_are_defaults() -> None:
    assert said() == "default 3141 False"


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, "ledgerpi: {outside-url: file, port: 1, offline-mode: yes}")
    assert said("-c", path) == "file 1 True"
    assert said("-c", path, LEDGERPI_PORT="2") == "file 2 True"
    assert said("-c", path, "--port", "3", LEDGERPI_PORT="2") == "file 3 True"


@pytest.mark.parametrize("prefix", ["LEDGERPI", "DEVPISERVER"])
def test_each_option_is_a_variable(prefix: str) -> None:
    variables = {"OUTSIDE_URL": "told", "PORT": "7", "OFFLINE_MODE": "1", "PRIMARY": "http://a http://b"}
    environment = {f"{prefix}_{name}": value for name, value in variables.items()}
    assert said(**environment) == "told 7 True http://a,http://b"


def test_our_variable_wins_over_devpis() -> None:
    assert said(LEDGERPI_PORT="1", DEVPISERVER_PORT="2") == "default 1 False"


def test_an_empty_variable_counts_for_nothing() -> None:
    assert said(DEVPISERVER_OUTSIDE_URL="", DEVPISERVER_PORT="") == "default 3141 False"


def test_another_name_of_an_option_is_as_good(tmp_path: Path) -> None:
    assert said("-c", config(tmp_path, "devpi-server: {master-url: http://a}")) == "default 3141 False http://a"
    assert said(DEVPISERVER_MASTER_URL="http://b") == "default 3141 False http://b"


def test_a_list_is_an_option_that_comes_again(tmp_path: Path) -> None:
    assert said("-c", config(tmp_path, "ledgerpi:\n  primary:\n  - a\n  - b\n")) == "default 3141 False a,b"


def test_an_unknown_option_is_warned_of_and_left_out(tmp_path: Path) -> None:
    path = config(tmp_path, "devpi-server: {threads: 50, port: 5}")
    assert said("-c", path).splitlines() == [
        f"Warning: {path}: ledgerpi shown has no option 'threads'",
        "default 5 False",
    ]


def test_files_are_found_the_users_first_ours_first(tmp_path: Path) -> None:
    assert found_file() is None
    places = (
        "machine/devpi-server/devpi-server.yml",
        "home/devpi-server/devpi-server.yml",
        "machine/ledgerpi/ledgerpi.yml",
        "home/ledgerpi/ledgerpi.yml",
    )
    for port, place in enumerate(places):
        path = config(tmp_path, f"devpi-server: {{port: {port}}}", place)
        assert found_file() == path
        assert said() == f"default {port} False"


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "words", "other: {}", "devpi-server: [1]", "{", "ledgerpi: !!python/object:os.system x", "\0", ""],
)
def test_a_file_that_is_no_configuration_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = config(tmp_path, text)
    done = CliRunner().invoke(shown, ["-c", str(path)])
    assert done.exit_code == 2
    assert str(path) in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("value", ["[1]", "{name: x}", "{}"])
def test_a_value_that_is_no_text_is_refused(tmp_path: Path, value: str) -> None:
    done = CliRunner().invoke(shown, ["-c", str(config(tmp_path, f"ledgerpi: {{outside-url: {value}}}"))])
    assert done.exit_code == 2
    assert "outside-url" in done.output


def test_a_wrong_value_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    path = config(tmp_path, "ledgerpi: {port: many}")
    assert CliRunner().invoke(shown, ["-c", str(path)]).exit_code == 2
    assert CliRunner().invoke(shown, [], env={"LEDGERPI_PORT": "many"}).exit_code == 2


def test_an_empty_section_says_nothing(tmp_path: Path) -> None:
    assert read(config(tmp_path, "devpi-server:\n")) == {}


@pytest.mark.parametrize("name", ["serve", "replica", "init", "passwd", "gen-config"])
def test_commands_that_devpi_has_are_configured(name: str) -> None:
    assert isinstance(main.get_command(click.Context(main), name), Configured)


@pytest.mark.parametrize("text", ["root,alice/dev", ":group/x", "root,/"])
def test_modifying_is_restricted_to_names_of_users(tmp_path: Path, text: str) -> None:
    done = CliRunner().invoke(main, ["serve", "--serverdir", str(node(tmp_path)), "--restrict-modify", text])
    assert done.exit_code in {1, 2}
    assert text.rpartition(",")[2] in done.output


@pytest.mark.parametrize("text", ["_blobs/", "/_blobs", "/../", "/a b/", "/_blobs/\r\nX: 1/", "/"])
def test_a_location_of_nginx_is_a_plain_path(tmp_path: Path, text: str) -> None:
    done = CliRunner().invoke(main, ["serve", "--serverdir", str(node(tmp_path)), "--x-accel-redirect", text])
    assert done.exit_code == 2
    assert "--x-accel-redirect" in done.output
