"""Each option, command and hook of devpi-server 6.20.3 has a row in the docs, and what is named as ours is there.

The lists are what devpi-server's own argument parsers and hook specifications have, and devpi-web 5.1.1's.
"""

import re
from pathlib import Path

import click
import pytest

from ops.cli import main
from ops.configured import ENVIRONMENT

PAGE = (Path(__file__).parents[2] / "docs" / "operating" / "devpi-options.md").read_text()
COMMON = "--configfile --debug --help --keyfs-cache-size --logger-cfg --serverdir --storage"
SERVER = (
    "--absolute-urls --argon2-memory-cost --argon2-parallelism --argon2-time-cost --autocreate-users --connection-limit"
    " --enable-core-metadata --file-replication-skip-indexes --file-replication-threads --hard-links --host --listen"
    " --master-url --max-request-body-size --mirror-cache-expiry --no-replica-streaming --offline-mode --outside-url"
    " --passwd --port --primary-url --profile-requests --proxy-timeout --replica-file-search-path --request-timeout"
    " --requests-only --restrict-modify --role --secretfile --threads --trusted-proxy --trusted-proxy-count"
    " --trusted-proxy-headers --unix-socket --unix-socket-perms --version"
)
OPTIONS = {  # section of the page: options of the command
    "All commands": COMMON,
    "devpi-server, devpi-gen-config": SERVER,
    "devpi-init": "--master-url --no-root-pypi --primary-url --role --root-passwd --root-passwd-hash",
    "devpi-import": "--hard-links --no-events --no-root-pypi --replica-file-search-path --root-passwd"
    " --root-passwd-hash --skip-import-type",
    "devpi-export": "--hard-links --include-mirrored-files --replica-file-search-path",
    "devpi-fsck": "--checksum --no-checksum",
    "devpi-gen-secret": "--secretfile",
    "devpi-web": "--debug-macros --documentation-path --indexer-backend --keep-docs-packed --theme",
    "Commands": "devpi-clear-search-index devpi-export devpi-fsck devpi-gen-config devpi-gen-secret devpi-import"
    " devpi-init devpi-passwd devpi-server",
    "Plug-in hooks": "devpiserver_add_parser_options devpiserver_auth_denials devpiserver_auth_request"
    " devpiserver_auth_user devpiserver_authcheck_always_ok devpiserver_authcheck_forbidden"
    " devpiserver_authcheck_unauthorized devpiserver_cmdline_run devpiserver_genconfig devpiserver_get_credentials"
    " devpiserver_get_features devpiserver_get_identity devpiserver_get_mirror_auth"
    " devpiserver_get_stage_customizer_classes devpiserver_identity_loaded devpiserver_indexconfig_defaults"
    " devpiserver_metrics devpiserver_mirror_initialnames devpiserver_on_changed_versiondata"
    " devpiserver_on_remove_file devpiserver_on_replicated_file devpiserver_on_toxresult_store"
    " devpiserver_on_toxresult_upload_forbidden devpiserver_on_upload devpiserver_on_upload_sync"
    " devpiserver_pyramid_configure devpiserver_sro_skip devpiserver_stage_created"
    " devpiserver_stage_get_principals_for_pkg_read devpiserver_storage_backend devpiserver_user_created",
}
CONTEXT = click.Context(main)
COMMANDS = {name: main.get_command(CONTEXT, name) for name in main.list_commands(CONTEXT)}
OURS = {
    option: parameter
    for command in (*COMMANDS.values(), main)
    if command is not None
    for parameter in command.get_params(CONTEXT)
    for option in parameter.opts
}


def rows(section: str) -> dict[str, list[str]]:
    """Return what is named as ours in each row of a section, by what it is at devpi."""
    found = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {section}"
    lines = [line.strip("|").split("|") for line in found[1].splitlines() if line.startswith("| `")]
    named = {re.findall(r"`([^`]+)`", cells[0])[0]: re.findall(r"`([^`]+)`|(none)", cells[1]) for cells in lines}
    return {theirs: [code or word for code, word in ours] for theirs, ours in named.items()}


@pytest.mark.parametrize("section", OPTIONS)
def test_all_that_devpi_has_is_in_the_table_and_nothing_else(section: str) -> None:
    found = rows(section)
    assert sorted(found) == sorted(OPTIONS[section].split())
    assert all(found.values())


NAMED = sorted({name for section in OPTIONS for row in rows(section).values() for name in row})


@pytest.mark.parametrize("ours", NAMED)
def test_what_is_named_as_ours_is_there(ours: str) -> None:
    if ours.startswith("--"):
        assert ours in OURS
    elif ours.startswith("ledgerpi "):
        assert ours.removeprefix("ledgerpi ") in COMMANDS
    else:
        assert ours == "none"


@pytest.mark.parametrize("option", sorted({name for section in OPTIONS for name in rows(section) if name in OURS}))
def test_an_option_that_has_the_same_name_has_devpis_variable(option: str) -> None:
    variable = option[2:].replace("-", "_").upper()
    said = OURS[option].envvar
    assert option in {"--help", "--version"} or [prefix + variable for prefix in ENVIRONMENT] == [
        name for name in said or () if name.endswith(f"_{variable}")
    ]
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{option}` |")]
    assert any(f"`{option}`" in line.split("|", 2)[2] for line in lines), "it is there, and the page does not say so"
