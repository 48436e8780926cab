"""The command ``ledgerpi``: one module of ``ops`` for each of its commands, imported when the command is called."""

from importlib import import_module
from typing import Any

import click

from changelog.errors import LedgerpiError
from ops import standard_streams
from ops.printable import printable

COMMANDS = {  # command: module, where it has the command's name, with _ for -
    "alarms": "ops.alarms",
    "cluster": "ops.cluster",
    "compare-devpi": "ops.compare_devpi",
    "explain": "ops.explain",
    "export-devpi": "ops.export_devpi",
    "gen-config": "ops.gen_config",
    "import-devpi": "ops.import_devpi",
    "init": "ops.init",
    "log": "ops.log",
    "passwd": "ops.passwd",
    "promote": "ops.promote",
    "rebuild": "ops.rebuild",
    "replica": "ops.replica",
    "replica-token": "ops.replica_token",
    "serve": "ops.serve",
    "stranded": "ops.stranded",
    "token": "ops.token",
    "unyank": "ops.yank",
    "verify": "ops.verify",
    "yank": "ops.yank",
}


class Commands(click.Group):
    """Imports only the command that is called, and prints our errors in one line, with exit code 1."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names."""
        return sorted(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        module = COMMANDS.get(cmd_name)
        attribute = cmd_name.replace("-", "_")
        command: click.Command | None = getattr(import_module(module), attribute) if module else None
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LedgerpiError as error:
            raise click.ClickException(printable(str(error))) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ledgerpi")
def main() -> None:
    """Run and look after a private Python package index with a verifiable history."""
    standard_streams.open_missing()
