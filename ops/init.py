"""``ledgerpi init``: make the data folder of a new primary."""

from pathlib import Path

import click

from changelog.errors import InvalidInput, InvalidName
from changelog.names import IndexName, index_name
from ops.configured import Configured
from server.create import create_node, generated_password
from server.layout import Layout
from server.passwords import checked_hash, hashed


def _stages(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[IndexName]:
    try:
        return [index_name(text) for text in texts]
    except InvalidName as error:
        raise click.BadParameter(str(error)) from error


def _hash(_context: click.Context, _parameter: click.Parameter, text: str | None) -> bytes | None:
    try:
        return None if text is None else checked_hash(text)
    except InvalidInput as error:
        raise click.BadParameter(str(error)) from error


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi init --serverdir /srv/ledgerpi --stage root/dev""",
)
@click.option("--serverdir", required=True, metavar="DIR", type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--root-password",
    "--root-passwd",
    metavar="TEXT",
    help="Root's password; may be empty. Default: generated, printed.",
)
@click.option(
    "--root-password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose first line is root's password.",
)
@click.option(
    "--root-password-hash",
    "--root-passwd-hash",
    metavar="TEXT",
    callback=_hash,
    help="The hash of root's password, argon2 in PHC string format.",
)
@click.option(
    "--stage",
    "stages",
    multiple=True,
    metavar="root/NAME",
    callback=_stages,
    help="Make this index; it inherits root/pypi if that is made.",
)
@click.option("--no-root-pypi", is_flag=True, help="Do not make root/pypi, a mirror of the public index.")
@click.option("--mirror-url", metavar="URL", help="Of what root/pypi is a mirror. Default: the public index.")
def init(  # noqa: PLR0913, PLR0917 - click hands over each argument by name
    serverdir: Path,
    root_password: str | None,
    root_password_file: Path | None,
    root_password_hash: bytes | None,
    stages: list[IndexName],
    no_root_pypi: bool,  # noqa: FBT001
    mirror_url: str | None,
) -> None:
    """Make the data folder of a new primary: keys, an empty log, the user root and the mirror root/pypi."""
    if no_root_pypi and mirror_url:
        raise click.UsageError("give --no-root-pypi or --mirror-url, not both")
    foreign = [stage for stage in stages if not stage.startswith("root/")]
    if foreign:
        raise click.UsageError(f"only root is there to own an index: {foreign[0]}")
    if [root_password, root_password_file, root_password_hash].count(None) < 2:  # noqa: PLR2004 - of three
        raise click.UsageError("give one of --root-password, --root-password-file and --root-password-hash")
    if root_password_file is not None:
        root_password = root_password_file.read_text().split("\n")[0]
    password = generated_password() if root_password is None else root_password
    secret = root_password_hash or hashed(password)
    create_node(Layout(serverdir), secret, stages, mirror="" if no_root_pypi else mirror_url or _public_index())
    click.echo(f"a new node lies in {serverdir}")
    if root_password is None and root_password_hash is None:
        click.echo(f"root's password, shown this once: {password}")


def _public_index() -> str:
    """Return the URL of the public index; its address stands in one well-kept place."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415 - takes as long to import as the rest

    return str(PYPI_SIMPLE_ENDPOINT)
