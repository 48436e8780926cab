"""The command ``ledgerpi``: one file of ``ops`` for each of its commands, registered here."""

from typing import Any

import click

from changelog.errors import LedgerpiError
from ops.init import init
from ops.log import log
from ops.passwd import passwd
from ops.printable import printable
from ops.rebuild import rebuild
from ops.serve import serve
from ops.verify import verify


class Commands(click.Group):
    """Prints our errors in one line, with exit code 1."""

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


for _command in (init, log, passwd, rebuild, serve, verify):
    main.add_command(_command)
