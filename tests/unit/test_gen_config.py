"""What gen-config writes, read by those for whom it is written."""

import plistlib
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from supervisor.options import ServerOptions

from ops.cli import main
from ops.configured import ENVIRONMENT
from server.config import GIB

NAMES = {
    "nginx-ledgerpi.conf",
    "nginx-ledgerpi-caching.conf",
    "ledgerpi.service",
    "supervisor-ledgerpi.conf",
    "supervisord.conf",
    "crontab",
    "launchd-macos.txt",
    "windows-service.txt",
    "net.ledgerpi.plist",
}
ODD = "da ta%h'é"  # what each of the readers has a meaning for


def written(folder: Path, *words: str, serverdir: str = "data", **environment: str) -> Path:
    """Write the files and return their folder."""
    given = ["gen-config", "--serverdir", str(folder / serverdir), "--output", str(folder / "out"), *words]
    done = CliRunner().invoke(main, given, env={"XDG_CONFIG_HOME": str(folder), **environment})
    assert done.exit_code == 0, done.output
    assert {Path(line).name for line in done.output.splitlines()} == NAMES
    return folder / "out"


def refused(folder: Path, *words: str) -> str:
    given = ["gen-config", "--serverdir", str(folder / "data"), "--output", str(folder / "out"), *words]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 2, done.output
    assert not (folder / "out").exists()
    return done.output


def command(out: Path) -> list[str]:
    """Return the command line of the node as launchd has it, where nothing is quoted."""
    found: list[str] = plistlib.loads((out / "net.ledgerpi.plist").read_bytes())["ProgramArguments"]
    return found


def unit(out: Path) -> dict[str, str]:
    """Return the settings of the systemd unit."""
    lines = (out / "ledgerpi.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")


def supervised(out: Path) -> list[str]:
    """Return the command line as supervisor reads it."""
    options = ServerOptions()
    options.realize(["-c", str(out / "supervisord.conf")])
    (group,) = options.process_group_configs
    (program,) = group.process_configs
    return shlex.split(program.command)


def test_the_command_has_what_was_said_and_no_defaults(tmp_path: Path) -> None:
    out = written(tmp_path, "--port", "3142", "--debug", "--files", "lazy", "--files", "lazy", LEDGERPI_WORKERS="3")
    program, name, *options = command(out)
    assert Path(program).is_file()
    assert name == "serve"
    said = ["--port=3142", "--workers=3", "--debug", "--files=lazy", "--files=lazy", "--x-accel-redirect=/_blobs/"]
    assert sorted(options) == sorted([f"--serverdir={tmp_path / 'data'}", *said])


def test_the_command_is_one_that_ledgerpi_takes(tmp_path: Path) -> None:
    words = (
        "--restrict-modify",
        "root,alice",
        "--allow-private-upstreams=10.0.0.0/8,fd00::/8",
        "--when-stale",
        "serve",
    )
    _, name, *options = command(written(tmp_path, *words))
    serve = main.get_command(None, name)  # type: ignore[arg-type] # it needs none
    assert serve is not None
    taken = serve.make_context("serve", list(options)).params
    assert taken["restrict_modify"] == ("root", "alice")
    assert taken["allow_private_upstreams"] == ("10.0.0.0/8", "fd00::/8")
    assert taken["max_request_body_size"] == 4 * GIB


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "serve"),
        (("--primary", "http://a.example"), "replica"),
        (("--token-file", "t"), "replica"),
        (("--primary", "http://a.example", "--role", "primary"), "serve"),
        (("--role", "replica"), "replica"),
    ],
)
def test_a_replica_is_run_where_one_is_meant(tmp_path: Path, words: Sequence[str], name: str) -> None:
    assert command(written(tmp_path, *words))[1] == name


def test_a_certificate_is_nginxs_and_not_the_nodes(tmp_path: Path) -> None:
    out = written(tmp_path, "--tls-certificate", "c.pem", "--tls-key", "k.pem")
    assert not any("tls" in word for word in command(out))
    assert f'ssl_certificate "{Path("c.pem").absolute()}";' in (out / "nginx-ledgerpi.conf").read_text()


def test_all_service_managers_run_the_same(tmp_path: Path) -> None:
    out = written(tmp_path, "--upstream-proxy", "http://a:b%20c@proxy.example:1", serverdir=ODD)
    expected = command(out)
    assert f"--serverdir={tmp_path / ODD}" in expected
    assert supervised(out) == expected
    assert shlex.split(unit(out)["ExecStart"].replace("%%", "%"), posix=True) == expected
    (reboot,) = [line for line in (out / "crontab").read_text().splitlines() if line.startswith("@reboot")]
    assert shlex.split(reboot.replace(r"\%", "%"))[1 : 1 + len(expected)] == expected


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
@pytest.mark.parametrize(("serverdir", "port"), [("data", "3141"), (ODD, "80")])
def test_systemd_takes_the_unit_and_finds_it_safe(tmp_path: Path, serverdir: str, port: str) -> None:
    path = written(tmp_path, "--port", port, serverdir=serverdir) / "ledgerpi.service"
    (tmp_path / serverdir).mkdir()
    checked = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, [line for line in checked.stderr.splitlines() if path.name in line]) == (0, [])
    rated = ("systemd-analyze", "security", "--offline=true", "--threshold=25")
    assert subprocess.run([*rated, path], capture_output=True, check=False).returncode == 0


def test_the_unit_may_write_only_to_the_data_folder(tmp_path: Path) -> None:
    found = unit(written(tmp_path))
    assert found["ReadWritePaths"] == str(tmp_path / "data")
    assert (found["ProtectSystem"], found["NoNewPrivileges"], found["CapabilityBoundingSet"]) == ("strict", "yes", "")
    assert unit(written(tmp_path, "--port", "443"))["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


@pytest.mark.skipif(shutil.which("crontab") is None, reason="no cron")
def test_cron_takes_the_crontab(tmp_path: Path) -> None:
    out = written(tmp_path, serverdir=ODD)
    done = subprocess.run(["crontab", "-n", out / "crontab"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_launchd_gets_a_plist(tmp_path: Path) -> None:
    found = plistlib.loads((written(tmp_path, "--user", "_ledgerpi") / "net.ledgerpi.plist").read_bytes())
    assert (found["Label"], found["UserName"], found["RunAtLoad"]) == ("net.ledgerpi", "_ledgerpi", True)


def test_only_owner_and_group_read_the_files(tmp_path: Path) -> None:
    assert {path.stat().st_mode & 0o007 for path in written(tmp_path).iterdir()} == {0}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--port", "0"), "--port"),
        (("--outside-url", "http://a;b"), "--outside-url"),
        (("--outside-url", "ftp://a"), "--outside-url"),
        (("--outside-url", "http://a/$x"), "--outside-url"),
        (("--outside-url", "http://a\n}"), "--outside-url"),
        (("--other-node", "https://a"), "--other-node"),
        (("--other-node", "http://a; }"), "--other-node"),
        (("--other-node", "http://a/b"), "--other-node"),
        (("--user", "a b"), "--user"),
        (("--user", "a\nb"), "--user"),
        (("--page-age", "0"), "--page-age"),
        (("--tls-certificate", "c"), "--tls-key"),
        (("--upstream-proxy", "http://a\nExecStop=x"), "ExecStop"),
        (("--cache", '/a"; }'), "/a"),
        (("--member-url", "http://a ;b"), "http://a ;b"),
        (("--host", "a b"), "--host"),
        (("--host", "a;b"), "--host"),
    ],
)
def test_what_can_not_be_written_is_refused(tmp_path: Path, words: Sequence[str], what: str) -> None:
    assert what in refused(tmp_path, *words)


def test_variables_have_prefixes_that_users_know() -> None:
    assert ENVIRONMENT == ("LEDGERPI_", "DEVPISERVER_")
