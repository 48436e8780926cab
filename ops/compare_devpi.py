"""``ledgerpi compare-devpi``: whether two servers with devpi's URLs have the same."""

import base64
import sys
from collections import Counter
from pathlib import Path

import click

from ops.devpi.comparing import EXPECTED, Site, differences
from ops.printable import printable

DIFFER = 1  # exit code


@click.command(
    epilog="""\b
Example:
  ledgerpi compare-devpi http://old.example:3141 http://new.example:3141"""
)
@click.argument("left", metavar="URL")
@click.argument("right", metavar="URL")
@click.option("--user", default="root", show_default=True, help="Who asks, if there is a password.")
@click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose first line is the user's password, the same at both.",
)
@click.option("--all", "with_expected", is_flag=True, help="Print each expected difference too, not only how many.")
def compare_devpi(left: str, right: str, user: str, password_file: Path | None, with_expected: bool) -> None:  # noqa: FBT001
    """Ask both servers for every user, index, project, release and file, and print what differs.

    The exit code is 1 if something differs that is not expected.
    """
    headers: dict[str, str] = {}
    if password_file is not None:
        secret = f"{user}:{password_file.read_text().splitlines()[0]}"
        headers["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    expected, found = Counter[str](), 0
    for one in differences(Site(left, headers), Site(right, headers)):
        if one.is_expected:
            expected[one.kind] += 1
        else:
            found += 1
        if with_expected or not one.is_expected:
            click.echo(printable(f"{one.where}: {one.kind}: {one.left!r} != {one.right!r}"))
    for kind, number in sorted(expected.items()):
        click.echo(f"expected: {kind}: {number}: {EXPECTED[kind]}")
    click.echo(f"{found} differences")
    if found:
        sys.exit(DIFFER)
