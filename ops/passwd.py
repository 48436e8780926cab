"""``ledgerpi passwd``: set a user's password on this machine."""

from pathlib import Path

import click

from changelog.errors import InvalidName
from changelog.names import UserName, user_name
from changelog.records import new_record
from ops.configured import Configured
from ops.node import serverdir_option
from ops.order import carry_out
from server.commands import SetPassword
from server.layout import Layout
from server.passwords import hashed


def _user(_context: click.Context, _parameter: click.Parameter, text: str) -> UserName:
    try:
        return user_name(text)
    except InvalidName as error:
        raise click.BadParameter(str(error)) from error


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi passwd --serverdir /srv/ledgerpi alice""",
)
@serverdir_option
@click.argument("user", default="root", callback=_user)
@click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose first line is the password. Default: it is asked for.",
)
def passwd(layout: Layout, user: UserName, password_file: Path | None) -> None:
    """Set the password of USER (default: root), which ends all logins of that user."""
    if password_file is None:
        password = click.prompt(f"New password for {user}", hide_input=True, confirmation_prompt=True, default="")
    else:
        password = password_file.read_text().split("\n")[0]
    secret = new_record(hashed(password))
    carry_out(layout, SetPassword(user, secret.commitment), (secret,))
    click.echo(f"the password of {user} is set")
