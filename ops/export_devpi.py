"""``ledgerpi export-devpi``: what a node has, as a dump that devpi-import takes."""

import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import click

from changelog.blobs import Blobs
from changelog.reader import Reader
from ops import progress
from ops.configured import Configured
from ops.devpi.exporting import Source, run
from ops.devpi.report import Report
from ops.import_devpi import LEFT_OUT
from ops.node import serverdir_option
from ops.roles import bring_views_up
from server.config import Config
from server.layout import Layout


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi export-devpi --serverdir /srv/ledgerpi /srv/dump""",
)
@serverdir_option
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--hard-links", is_flag=True, help="Link files instead of copying them; nobody may write to them.")
@click.option(
    "--report", "report_file", metavar="FILE", type=click.Path(path_type=Path), help="Write all findings here."
)
def export_devpi(
    layout: Layout,
    folder: Path,
    hard_links: bool,  # noqa: FBT001
    report_file: Path | None,
) -> None:
    """Write users, indexes and files into the new or empty folder DIR, as devpi-export does.

    The node may run meanwhile. The exit code is 3 if something was left out, as what a dump has no place for.
    """
    if hard_links and folder.resolve().parent.stat().st_dev != layout.serverdir.stat().st_dev:
        raise click.UsageError(f"--hard-links: {folder} and {layout.serverdir} are not on one file system")
    bring_views_up(Config(layout.serverdir))
    with (
        closing(Reader(layout.changelog)) as reader,
        tempfile.TemporaryDirectory() as scratch,
        closing(Report(Path(scratch) / "findings")) as report,
        progress.shown() as shown,
    ):
        source = Source(reader, Blobs(layout.blobs), f"ledgerpi {version('ledgerpi')}")
        run(source, folder, report, shown, hard_links=hard_links)
        report.show()
        if report_file is not None:
            report.write(report_file)
    if not report.is_whole:
        sys.exit(LEFT_OUT)
