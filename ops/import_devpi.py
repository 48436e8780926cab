"""``ledgerpi import-devpi``: a dump of ``devpi-export`` becomes the history of a new node."""

import os
import shutil
import sys
from pathlib import Path

import click

from changelog.blobs import Blobs
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.errors import Conflict
from changelog.fold import VIEW_TABLES
from changelog.views import cluster
from changelog.writer import Writer
from ops import progress
from ops.configured import Configured
from ops.devpi.importing import Options, Target, run
from ops.devpi.report import Report
from ops.node import locked, serverdir_option
from ops.roles import bring_views_up
from server import keys, roles
from server.config import Config
from server.garbage import look_seldom
from server.layout import Layout
from server.writer_process import now

FINDINGS = "findings"
LEFT_OUT = 3  # exit code: imported, but not all of it


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi init --serverdir /srv/ledgerpi --no-root-pypi
  ledgerpi import-devpi --serverdir /srv/ledgerpi /srv/dump""",
)
@serverdir_option
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--hard-links", is_flag=True, help="Link files instead of copying them; the dump must stay as it is.")
@click.option(
    "--skip-import-type",
    "skipped",
    multiple=True,
    metavar="TYPE",
    help="Leave out indexes of a type that is not known.",
)
@click.option(
    "--report", "report_file", metavar="FILE", type=click.Path(path_type=Path), help="Write all findings here."
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=None,
    metavar="N",
    help="That read files; 1 = this one alone. Default: one per core.",
)
def import_devpi(  # noqa: PLR0913, PLR0917 - click hands over each argument by name
    layout: Layout,
    folder: Path,
    hard_links: bool,  # noqa: FBT001
    skipped: tuple[str, ...],
    report_file: Path | None,
    processes: int | None,
) -> None:
    """Import the dump in DIR, which devpi-export wrote, into a node that ledgerpi init made.

    An import that was interrupted goes on where it stopped. The exit code is 3 if something was left out.
    """
    if hard_links and folder.stat().st_dev != layout.serverdir.stat().st_dev:
        raise click.UsageError(f"--hard-links: {folder} and {layout.serverdir} are not on one file system")
    if roles.of_node(layout) == roles.REPLICA:
        raise Conflict(f"{layout.serverdir} holds a replica: import into its primary")
    bring_views_up(Config(layout.serverdir))
    look_seldom()
    with locked(layout), progress.shown() as shown:
        spool = _spool(layout)
        options = Options(spool, hard_links, frozenset(skipped), processes or len(os.sched_getaffinity(0)))
        report = Report(spool / FINDINGS)
        env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=DEFAULT_MAP_SIZE)
        try:
            with env.read() as store:
                signing = keys.signing(layout.keys, cluster.origin(store).log_key)
            target = Target(layout, env, Writer(env, Blobs(layout.blobs), signing, now))
            run(folder, target, options, report, shown)
            report.show()
            if report_file is not None:
                report.write(report_file)
        finally:
            env.close()
            report.close()
            shutil.rmtree(spool, ignore_errors=True)
    if not report.is_whole:
        sys.exit(LEFT_OUT)


def _spool(layout: Layout) -> Path:
    """Return the folder of an import under way, empty: one that was killed left its own."""
    spool = layout.spool / "import"
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(mode=0o700, parents=True)
    return spool
