"""``ledgerpi yank`` and ``ledgerpi unyank``: mark files of a release, or remove the marks (PEP 592)."""

from collections.abc import Callable

import click

from changelog.errors import NotFound
from changelog.names import FileName, IndexName, ProjectName, Version, index_name, project_name, version
from changelog.reader import Reader
from changelog.views import files, indexes, projects
from ops.arguments import parsed
from ops.node import serverdir_option
from ops.order import carry_out
from server.commands import YankFiles
from server.layout import Layout

AT_ONCE = 500  # files that one command marks


def _of_release(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that name a release and perhaps some of its files."""
    for decorate in (
        click.argument("filenames", nargs=-1),
        click.argument("number", metavar="VERSION", callback=parsed(version)),
        click.argument("project", callback=parsed(project_name)),
        click.argument("index", metavar="USER/INDEX", callback=parsed(index_name)),
        serverdir_option,
    ):
        function = decorate(function)
    return function


@click.command(
    epilog="""\b
Example:
  ledgerpi yank --serverdir /srv/ledgerpi root/dev demo 1.2.3 --reason "breaks on 3.11" """
)
@_of_release
@click.option("--reason", default="", help="What installers show. Default: none.")
def yank(  # noqa: PLR0913, PLR0917 - click hands over each argument by name
    layout: Layout,
    index: IndexName,
    project: ProjectName,
    number: Version,
    filenames: tuple[str, ...],
    reason: str,
) -> None:
    """Yank FILENAMES of a release, or all its files: installers pass them over unless pinned."""
    count = _mark(layout, (index, project, number), filenames, reason)
    click.echo(f"{count} files of {project} {number} in {index} are yanked")


@click.command(
    epilog="""\b
Example:
  ledgerpi unyank --serverdir /srv/ledgerpi root/dev demo 1.2.3"""
)
@_of_release
def unyank(layout: Layout, index: IndexName, project: ProjectName, number: Version, filenames: tuple[str, ...]) -> None:
    """Remove the mark from FILENAMES of a release, or from all its files."""
    count = _mark(layout, (index, project, number), filenames, None)
    click.echo(f"{count} files of {project} {number} in {index} are no longer yanked")


def _mark(
    layout: Layout,
    release: tuple[IndexName, ProjectName, Version],
    filenames: tuple[str, ...],
    reason: str | None,
) -> int:
    names = tuple(map(FileName, filenames)) or _all_files(layout, *release)
    for start in range(0, len(names), AT_ONCE):
        carry_out(layout, YankFiles(*release, names[start : start + AT_ONCE], reason))
    return len(names)


def _all_files(layout: Layout, index: IndexName, project: ProjectName, number: Version) -> tuple[FileName, ...]:
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            row = indexes.find(store, index)
            owner = None if row is None else projects.find(store, row.incarnation, project)
            release = None if owner is None else projects.find_release(store, owner.incarnation, number)
            if release is None:
                raise NotFound(f"no release {number} of {project} in {index}")
            return tuple(name for name, _ in files.of_release(store, release.incarnation))
    finally:
        reader.close()
